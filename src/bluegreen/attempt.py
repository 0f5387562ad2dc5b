"""An attempt keeps the books of one command: steps, times, warnings, debris, evidence.

It turns what a recipe raises into the command's result, and the ledger's row into its
last word, so that a recipe only says what is done.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from bluegreen.errors import BluegreenError, Interrupted, Rejected, TakenBack
from bluegreen.lib import log
from bluegreen.model import ErrorFacts, LiveRelease, Outcome, Release, Result, StepRecord
from bluegreen.site import Host
from bluegreen.state import lock as locks
from bluegreen.undo import Undo


@dataclass(slots=True)
class Note:
    """What a step has to say when it is done: a line for people, facts for machines."""

    text: str = ""
    detail: dict[str, Any] = field(default_factory=dict)
    status: str = "ok"
    failed: bool = False  # and the command went on


class Attempt:
    def __init__(self, host: Host, command: str, live: Callable[[], LiveRelease | None]) -> None:
        self._host = host
        self._command = command
        log.debug(f"{command} of {host.site}")
        self._live = live
        self._started = time.monotonic()
        self._recorded = False
        self._undo: Undo | None = None
        self._lock: locks.Held | None = None
        self._step = ""
        self.release: Release | None = None
        self.replaced: LiveRelease | None = None
        self.outcome = Outcome.FAILED
        self.switched = False
        self.steps: list[StepRecord] = []
        self.warnings: list[str] = []
        self.debris: list[str] = []
        self.detail: dict[str, Any] = {}
        self._error: ErrorFacts | None = None

    # --- while it runs ------------------------------------------------------

    def holds(self, lock: locks.Held) -> None:
        """From here on, whoever waits for the site is told the step."""
        self._lock = lock

    def record(self, release: Release, **facts: Any) -> None:
        """Open the ledger's row; steps that are done already are written to it."""
        self._host.ledger.begin(release, **facts)
        self.release = release
        self._recorded = True
        for step in self.steps:
            self._host.ledger.step(release.id, step)

    @contextmanager
    def step(self, name: str, note: Note | None = None) -> Iterator[Note]:
        note = note or Note()
        began = time.monotonic()
        outer, self._step = self._step, name
        self._announce(name)
        try:
            yield note
        except BaseException as error:
            status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
            self._done(name, status, time.monotonic() - began, note, quiet=True)
            raise
        finally:
            self._step = outer
        self._done(name, note.status, time.monotonic() - began, note)
        if outer:  # one step may lie within another, which goes on
            self._announce(outer)

    def _announce(self, step: str) -> None:
        self._host.say.step(step)
        if self._lock is not None:
            self._lock.update(step=step)

    @contextmanager
    def forward(self, name: str, by_hand: str) -> Iterator[Note]:
        """A step after the point of no return: its failure is debris, not the release's end."""
        note = Note()
        try:
            with self.step(name, note):
                yield note
        except TakenBack:  # what is left behind then is the new release
            raise
        except BluegreenError as error:
            note.failed = True
            self.debris.append(f"{name}: {error.message}; by hand: {by_hand}")

    @contextmanager
    def advisory(self) -> Iterator[None]:
        """The ledger after the point of no return: it is advice, its failure a warning."""
        try:
            yield
        except BluegreenError as error:
            self.warn(error.message)

    def debris_of(self, undo: Undo) -> None:
        """What `undo` cannot put right is debris too."""
        self._undo = undo

    def warn(self, text: str) -> None:
        if text in self.warnings:  # a full disk would be told at each step
            return
        self.warnings.append(text)
        self._host.say.warn(text)

    # --- how it ends --------------------------------------------------------

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if self._undo is not None:
            self.debris += self._undo.debris
        if error is None:
            self._close_row({})
            return True
        if isinstance(error, BluegreenError):
            self.outcome = _outcome_of(error)
            code = error.exit_code
            evidence = error.evidence
            message, hint = error.message, error.hint
            problems = tuple(getattr(error, "problems", ()))
        elif isinstance(error, Interrupted):
            self.outcome, code, evidence, problems = Outcome.INTERRUPTED, 130, {}, ()
            message = f"interrupted in {self.steps[-1].name}" if self.steps else "interrupted"
            hint = "bluegreen status" if self.switched else "run the same command again"
        else:
            self._close_row({}, fault=f"{type(error).__name__}")
            return False
        self._error = ErrorFacts(
            code=code, message=message, hint=hint, problems=problems, evidence=evidence
        )
        self._close_row(evidence)
        return True

    @property
    def result(self) -> Result:
        error = self._error
        live, live_known = self._what_is_live()
        code = error.code if error else 9 if self.debris else 0
        return Result(
            command=self._command,
            outcome=self.outcome,
            site=self._host.site,
            exit_code=code,
            release=self.release,
            live=live,
            live_known=live_known,
            replaced=self.replaced,
            steps=tuple(self.steps),
            seconds=time.monotonic() - self._started,
            warnings=tuple(self.warnings),
            debris=tuple(self.debris),
            error=error,
            detail=self.detail,
        )

    def _what_is_live(self) -> tuple[LiveRelease | None, bool]:
        try:
            return self._live(), True
        except BluegreenError:
            return None, False

    def _done(
        self, name: str, status: str, seconds: float, note: Note, *, quiet: bool = False
    ) -> None:
        step = StepRecord(name=name, status=status, seconds=round(seconds, 4), detail=note.detail)
        self.steps.append(step)
        log.debug(f"{name}: {status} after {seconds:.2f} s: {note.text}")
        self._host.say.done(name, status, seconds, note.text)
        if not (self._recorded and self.release):
            return
        try:
            self._host.ledger.step(self.release.id, step)
        except BluegreenError as error:
            if not (quiet or self.switched):
                raise
            self.warn(error.message)

    def _close_row(self, evidence: dict[str, Any], fault: str = "") -> None:
        if not (self._recorded and self.release):
            return
        facts = {"code": 1, "message": f"a defect of bluegreen ({fault})"} if fault else {}
        if self._error:
            facts = {
                "code": self._error.code,
                "message": self._error.message,
                "hint": self._error.hint,
            }
        try:
            self._host.ledger.finish(self.release.id, self.outcome, error=facts, evidence=evidence)
        except BluegreenError as error:
            log.warning(f"the ledger's last word is missing: {error.message}")
            self.warn(error.message)


def _outcome_of(error: BluegreenError) -> Outcome:
    if isinstance(error, Rejected):
        return Outcome.REJECTED
    if isinstance(error, TakenBack):
        return Outcome.TAKEN_BACK
    return Outcome.FAILED
