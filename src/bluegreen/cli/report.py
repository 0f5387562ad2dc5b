"""The only printer: progress to stderr while it happens, the result to stdout at the end."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TextIO

from bluegreen.model import Result

if TYPE_CHECKING:
    from rich.console import Console

_MARKS = {"ok": "✓", "failed": "✗", "interrupted": "✗", "skipped": "-"}
_STYLES = {"ok": "green", "failed": "red", "interrupted": "yellow", "skipped": "dim"}


class Progress:
    """One line a step, with its time: plain in CI, with a spinner on a terminal."""

    def __init__(self, stream: TextIO, *, quiet: bool, verbose: bool) -> None:
        self._stream = stream
        self._console = _console(stream)
        self._quiet = quiet
        self._verbose = verbose
        self._step = ""
        self._spinner = self._console.status("") if self._console is not None else None

    def step(self, name: str) -> None:
        self._step = name
        if self._verbose:
            self._print(f"» {name}", "dim")
        if self._spinner is not None and not self._quiet:
            self._spinner.update(f" {name}")
            self._spinner.start()

    def line(self, text: str) -> None:
        """A build's lines are shown as they come; of other steps the last one, by the spinner."""
        if self._quiet:
            return
        if self._verbose or self._step == "build":
            self._print(f"    | {text}", "dim")
        elif self._spinner is not None:
            self._spinner.update(f" {self._step}: {text}")

    def done(self, name: str, status: str, seconds: float, text: str) -> None:
        if self._spinner is not None:
            self._spinner.stop()
        if self._quiet:
            return
        mark = _MARKS.get(status, " ")
        self._print(f"{mark} {name:<10} {seconds:7.2f} s  {text or status}", _STYLES.get(status))
        self._step = ""

    def note(self, text: str) -> None:
        if not self._quiet:
            self._print(f"  {text}", "dim")

    def warn(self, text: str) -> None:
        self._print(f"! {text}", "yellow")

    def stop(self) -> None:
        if self._spinner is not None:
            self._spinner.stop()

    def _print(self, text: str, style: str | None) -> None:
        if self._console is not None:
            self._console.print(text, style=style)
            return
        self._stream.write(text + "\n")
        self._stream.flush()


def _console(stream: TextIO) -> Console | None:
    """Colours and a spinner on a terminal alone: CI does not wait for what draws them."""
    if not (stream.isatty() or os.environ.get("FORCE_COLOR")):
        return None
    from rich.console import Console

    return Console(file=stream, highlight=False, soft_wrap=True, markup=False)


def document(result: Result) -> dict[str, Any]:
    """The one JSON document of a command; its keys are promises to scripts."""
    release = None
    if result.release is not None:
        release = asdict(result.release)
        del release["site"]
    error = None
    if result.error is not None:
        error = {name: value for name, value in asdict(result.error).items() if value != ()}
    return {
        "schema": 1,
        "command": result.command,
        "outcome": str(result.outcome),
        "site": result.site,
        "release": release,
        "live": asdict(result.live) if result.live else None,
        "replaced": asdict(result.replaced) if result.replaced else None,
        "steps": [asdict(step) for step in result.steps],
        "seconds": round(result.seconds, 3),
        "warnings": list(result.warnings),
        "debris": list(result.debris),
        "error": error,
        **result.detail,
    }


def show(result: Result, *, as_json: bool, quiet: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(document(result), default=str) + "\n")
        return
    if result.error is not None and not result.detail.get("findings"):
        _show_error(result)
    elif result.error is not None or not quiet:
        _BODIES.get(result.command, _show_acted)(result)
    for debris in result.debris:
        _say(f"left behind: {debris}", sys.stderr)


def _show_error(result: Result) -> None:
    error = result.error
    if error is None:
        return
    _say(f"error: {error.message}", sys.stderr)
    for problem in error.problems:
        _say(f"  - {problem}", sys.stderr)
    for line in _told_evidence(error.evidence):
        _say(f"    | {line}", sys.stderr)
    if result.live_known:
        _say(_live_sentence(result), sys.stderr)
    elif upstream := result.detail.get("upstream"):
        _say(f"stored as live: {upstream}", sys.stderr)
    if error.hint:
        _say(f"next: {error.hint}", sys.stderr)


def _told_evidence(evidence: Mapping[str, Any], most: int = 12) -> list[str]:
    """The last lines of the build or of the container, whichever failed."""
    return [str(line) for line in evidence.get("log", ())][-most:]


def _live_sentence(result: Result) -> str:
    if result.live is None:
        return "live: no release; the edge answers 503 with Retry-After"
    slot = f" ({result.live.slot})" if result.live.slot else ""
    return f"live: {result.live.id}{slot}"


def _show_acted(result: Result) -> None:
    if result.outcome == "planned":
        for line in result.detail.get("plan", ()):
            _say(f"- {line}")
        _say("planned only: nothing was changed")
        return
    seconds = f"{result.seconds:.1f} s"
    if result.release is not None and result.live is not None:
        replaced = f" in place of {result.replaced.id}" if result.replaced else ""
        _say(
            f"{result.outcome.replace('_', ' ')}: {result.live.id} ({result.live.slot}) is live"
            f"{replaced}, after {seconds}"
        )
        if result.replaced:
            _say("go back: bluegreen rollback")
        return
    _say(f"{result.outcome} after {seconds}")


def _show_status(result: Result) -> None:
    from bluegreen.cli import tables

    tables.status(result)


def _show_verify(result: Result) -> None:
    """One line, also of what was found: it is read by a monitor."""
    error = result.error
    _say(f"failed: {error.message}; next: {error.hint}" if error else str(result.detail["text"]))


def _show_edge(result: Result) -> None:
    from bluegreen.cli import tables

    tables.edge(result)


def _show_history(result: Result) -> None:
    from bluegreen.cli import tables

    tables.history(result)


def _show_logs(result: Result) -> None:
    from bluegreen.cli import tables

    tables.logs(result)


_ACTS = frozenset({"release", "rollback", "prune"})
_BODIES: dict[str, Callable[[Result], None]] = {
    "status": _show_status,
    "verify": _show_verify,
    "history": _show_history,
    "logs": _show_logs,
    "edge up": _show_edge,
    "edge down": _show_edge,
    "edge status": _show_edge,
}


def _say(text: str, stream: TextIO | None = None) -> None:
    (stream or sys.stdout).write(text + "\n")
