"""A child process that is read line by line and never outlives its reader."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bluegreen.ports import Line

_GRACE = 5.0  # seconds from SIGTERM, at which buildx cancels the build, to SIGKILL


@dataclass(frozen=True, slots=True)
class Ended:
    code: int
    timed_out: bool


def run(argv: Sequence[str], environment: Mapping[str, str], say: Line, timeout: float) -> Ended:
    """Run it in a session of its own and hand on each line of its output at once.

    It is stopped, with what it started, when `timeout` seconds have gone and when the
    reader is interrupted. Raises OSError where it cannot be started.
    """
    with subprocess.Popen(
        argv,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    ) as child:
        timed_out = threading.Event()

        def stop_late() -> None:
            timed_out.set()
            stop(child)

        alarm = threading.Timer(timeout, stop_late)
        alarm.daemon = True
        alarm.start()
        try:
            assert child.stdout is not None
            for line in child.stdout:
                say(line.rstrip("\n"))
            child.wait()
        finally:
            alarm.cancel()
            stop(child)
        return Ended(child.returncode, timed_out.is_set())


def stop(child: subprocess.Popen[str]) -> None:
    """Ask the whole group to end, and end it. Idempotent."""
    if _signal(child, signal.SIGTERM):
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(_GRACE)
        _signal(child, signal.SIGKILL)
        child.wait()


def _signal(child: subprocess.Popen[str], number: signal.Signals) -> bool:
    try:
        os.killpg(child.pid, number)
    except ProcessLookupError:
        return False
    return True
