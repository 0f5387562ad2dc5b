"""One engine, and the two ways to ask it: reads are retried, writes never."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, stop_before_delay
from tenacity.wait import wait_random_exponential

from bluegreen.engine.endpoint import Endpoint
from bluegreen.engine.translate import translated
from bluegreen.errors import EngineError, EngineUnreachable
from bluegreen.lib import poll, signals
from bluegreen.ports import Line

T = TypeVar("T")

_POLL = 0.05  # seconds between looks at something that is on its way


class Connection:
    """What the parts of the engine's adapter share.

    `api` is docker-py's low-level client; its answers are the engine's plain JSON.
    `timeout` is in seconds and holds for each answer, not for a whole act.
    """

    def __init__(self, api: Any, endpoint: Endpoint, timeout: float, warn: Line | None) -> None:
        self.api = api
        self.endpoint = endpoint
        self.timeout = timeout
        self._warn = warn

    def warn(self, text: str) -> None:
        if self._warn is not None:
            self._warn(text)

    def read(self, act: str, ask: Callable[[], T]) -> T:
        """At most four tries within ten seconds, while the engine is away."""
        tries = Retrying(
            retry=retry_if_exception_type(EngineUnreachable),
            wait=wait_random_exponential(multiplier=0.1, max=1),
            stop=stop_after_attempt(4) | stop_before_delay(10),
            reraise=True,
        )
        answer: T = tries(self.once, act, ask)
        return answer

    def write(self, act: str, ask: Callable[[], T]) -> T:
        """Once, and not cut short by a signal: the engine would finish it behind the back of
        whoever then looks for what to undo. EngineUnreachable means that it may have happened:
        the caller looks it up."""
        with signals.held_off():
            return self.once(act, ask)

    def once(self, act: str, ask: Callable[[], T]) -> T:
        """An act that takes long, and that a signal may end."""
        with translated(act, self.endpoint.url), warnings.catch_warnings():
            # docker-py warns of a missing credential helper, on stderr, and then raises.
            warnings.simplefilter("ignore", UserWarning)
            return ask()

    def find(self, act: str, ask: Callable[[], T]) -> T | None:
        """A read for which "there is none" is an answer."""
        try:
            return self.read(act, ask)
        except EngineError as error:
            if error.status == 404:
                return None
            raise

    def wait_for(self, happened: Callable[[], bool], deadline: float) -> bool:
        """Whether it came about within `deadline` seconds."""
        return any(happened() for _ in poll.ticks(deadline, _POLL))
