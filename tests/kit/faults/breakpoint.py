"""The command, halted at one place until it is let go, while the world changes around it:

    with Halted(site.bluegreen, Place("verify"), "release", "--image", …) as command:
        ...                                      # it stands at the beginning of "verify"
    ran = command.wait()

    before("files.put_in_place")                 # another place: the first such act of a command

It is a real process: `python -m kit.faults.breakpoint FOLDER PLACE release --image …` makes
FOLDER/halted when it is there, and goes on when FOLDER/go appears.
"""

from __future__ import annotations

import functools
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from kit.faults.acts import Act

if TYPE_CHECKING:
    from kit.site.command import Bluegreen, Ran, Running

_HALTED, _GO = "halted", "go"
_PATIENCE = 120.0  # seconds; a command that nobody lets go ends as a defect
_POLL = 0.01


@dataclass(frozen=True, slots=True)
class Place:
    """The beginning of a step, or one of the acts in it (kit/faults/acts.py)."""

    step: str = ""  # "" = any
    when: str = ""  # before | after the act; "" = the step is told, and nothing of it is done
    act: str = ""  # engine.start
    turn: int = 1  # which of the acts of this name in the step

    @classmethod
    def parse(cls, text: str) -> Place:
        step, when, act, turn = text.split("/")
        return cls(step, when, act, int(turn))

    @property
    def argument(self) -> str:
        return f"{self.step}/{self.when}/{self.act}/{self.turn}"

    def __str__(self) -> str:
        turn = f" {self.turn}" if self.turn > 1 else ""
        return f"{self.step} {self.when} {self.act}{turn}".strip() if self.act else self.step


def before(act: str) -> Place:
    return Place(when="before", act=act)


def after(act: str) -> Place:
    return Place(when="after", act=act)


class Halted(AbstractContextManager["Halted"]):
    """Entered once the command stands at the place; left, it goes on."""

    def __init__(self, bluegreen: Bluegreen, place: Place, *argv: str) -> None:
        self._bluegreen = bluegreen
        self._place = place
        self._argv = argv
        self._folder = tempfile.TemporaryDirectory(prefix="bg-halted-")
        self._running: Running | None = None

    def __enter__(self) -> Self:
        self._running = self._child().start(*self._argv)
        deadline = time.monotonic() + _PATIENCE
        while not self._at(_HALTED).exists():
            if self._running.over or time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"it never came to {self._place}: {self.wait()}")
            time.sleep(_POLL)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.let_go()
        else:
            self.kill()

    def let_go(self) -> None:
        self._at(_GO).touch()

    def kill(self) -> None:
        """SIGKILL where it stands, as a lost host does."""
        self._command.kill()

    def wait(self) -> Ran:
        ran = self._command.wait()
        self._folder.cleanup()
        return ran

    def _child(self) -> Bluegreen:
        return self._bluegreen.through(
            "kit.faults.breakpoint", self._folder.name, self._place.argument
        )

    @property
    def _command(self) -> Running:
        assert self._running is not None, "not entered"
        return self._running

    def _at(self, name: str) -> Path:
        return Path(self._folder.name, name)


class _Halt:
    """The child's side: it waits at the place, once."""

    def __init__(self, folder: Path, place: Place) -> None:
        self._folder = folder
        self._place = place
        self._step = ""
        self._count = 0
        self._lock = threading.Lock()  # probes come from several threads

    def begin(self, step: str) -> None:
        self._step = step
        if step == self._place.step and not self._place.act:
            self._wait()

    def around(self, act: Act, call: Callable[..., Any]) -> Callable[..., Any]:
        if str(act) != self._place.act:
            return call

        @functools.wraps(call)
        def acting(*args: Any, **options: Any) -> Any:
            here = self._is_here()
            if here and self._place.when == "before":
                self._wait()
            answer = call(*args, **options)
            if here and self._place.when == "after":
                self._wait()
            return answer

        return acting

    def _is_here(self) -> bool:
        if self._place.step not in ("", self._step):
            return False
        with self._lock:
            self._count += 1
            return self._count == self._place.turn

    def _wait(self) -> None:
        (self._folder / _HALTED).touch()
        deadline = time.monotonic() + _PATIENCE
        while not (self._folder / _GO).exists():
            if time.monotonic() > deadline:
                raise TimeoutError(f"nobody let it go from {self._place}")
            time.sleep(_POLL)


def _run(folder: Path, place: Place) -> None:
    from bluegreen.cli.app import main
    from bluegreen.cli.report import Progress
    from kit.faults.killing import put_around

    halt = _Halt(folder, place)
    put_around(halt)
    tell = Progress.step

    def step(progress: Progress, name: str) -> None:
        tell(progress, name)
        halt.begin(name)

    Progress.step = step  # type: ignore[method-assign, assignment]
    main()


if __name__ == "__main__":
    where, what = sys.argv[1:3]
    del sys.argv[1:3]
    _run(Path(where), Place.parse(what))
