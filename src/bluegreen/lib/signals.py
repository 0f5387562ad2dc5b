"""Ctrl-C and SIGTERM become `Interrupted`, raised in the main thread, except while held off."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from bluegreen.errors import Interrupted

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Hold:
    depth = 0
    pending = False


def leave_at_once() -> None:
    """While nothing has begun there is nothing to undo. (Left alone, a SIGTERM would end the
    process without an exit code, and Ctrl-C with that of a defect.)"""
    for number in _SIGNALS:
        signal.signal(number, lambda *_: os._exit(Interrupted.exit_code))


def install() -> None:
    """Called once, by the command line; in a library or a test nothing is installed."""
    for number in _SIGNALS:
        signal.signal(number, _on_signal)


def _on_signal(number: int, _: FrameType | None) -> None:
    if _Hold.depth:
        _Hold.pending = True
        return
    raise Interrupted(signal.Signals(number).name)


@contextmanager
def held_off() -> Iterator[None]:
    """What runs inside is not interrupted; a signal that came meanwhile is raised after it."""
    _Hold.depth += 1
    try:
        yield
    finally:
        _Hold.depth -= 1
    if _Hold.pending and not _Hold.depth:
        _Hold.pending = False
        raise Interrupted("interrupted")
