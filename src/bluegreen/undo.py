"""Compensations, last in first out. Register each one before its act."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from bluegreen.errors import Interrupted
from bluegreen.lib import log, signals


@dataclass(frozen=True, slots=True)
class _Compensation:
    what: str
    act: Callable[[], None]
    by_hand: str


class Undo:
    """Runs what was registered when its block fails, unless `commit` was called.

    Every act must be idempotent, "absent" being success: it may run when the act that it
    compensates never happened. A compensation that fails does not stop the others; it is
    named in `debris` with the command that does it by hand. Signals are held off meanwhile.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._stack: list[_Compensation] = []
        self._committed: list[_Compensation] = []
        self.debris: list[str] = []

    def later(self, what: str, act: Callable[[], None], *, by_hand: str) -> None:
        self._stack.append(_Compensation(what, act, by_hand))

    def commit(self) -> None:
        """The point of no return: from here work only goes forward, unless `revive` is called."""
        self._committed, self._stack = self._stack, []

    def revive(self) -> None:
        """What was committed is undone after all, before what was registered since."""
        self._stack += self._committed
        self._committed = []

    def unwind(self) -> None:
        """Run it now, where a block ends well and leaves nothing behind."""
        with signals.held_off():
            while self._stack:
                self._compensate(self._stack.pop())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            return
        try:
            with signals.held_off():
                while self._stack:
                    self._compensate(self._stack.pop())
        except Interrupted:
            pass  # the error that brought us here is raised all the same

    def _compensate(self, compensation: _Compensation) -> None:
        self._say(compensation.what)
        try:
            compensation.act()
        except Exception as error:  # noqa: BLE001 the others must run all the same
            log.debug(f"{compensation.what} failed", error)
            reason = getattr(error, "message", type(error).__name__)
            self.debris.append(
                f"{compensation.what} failed: {reason}; by hand: {compensation.by_hand}"
            )
