"""The command on a host whose clock is set, also while it runs:

    python -m kit.faults.clocks FILE bluegreen release …   # FILE: by how many seconds it is behind

    clock = Clock(folder)
    clock.of(site.bluegreen)("release"); clock.set_back(3600)

Only the time of day is another: what counts seconds (the monotonic clock) goes on, as in a
kernel, and files have the times that the host gives them. (libfaketime would do the same to a
whole process, and Debian 12's breaks `clock_nanosleep`, which Python sleeps by.)
"""

from __future__ import annotations

import datetime
import runpy
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:  # the child must not import what takes its clock from here before it is set
    from kit.site.command import Bluegreen


class Clock:
    """The test's side of it."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self.set_back(0)

    def set_back(self, seconds: int) -> None:
        """So far behind this host's from now on; in one step, for it is read at any time."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(str(seconds))
        fresh.replace(self._file)

    def of(self, command: Bluegreen) -> Bluegreen:
        return command.through("kit.faults.clocks", str(self._file), *command.module[-1:])


def _set_this_process_by(file: Path) -> None:
    """Before anything is imported that takes `datetime` or `time.time` by name."""
    host = time.time

    def now() -> float:
        return host() - float(file.read_text())

    class Moment(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Self:
            return cls.fromtimestamp(now(), tz)

    time.time = now
    datetime.datetime = Moment  # type: ignore[misc]


if __name__ == "__main__":
    _set_this_process_by(Path(sys.argv[1]))
    del sys.argv[1]
    module = sys.argv.pop(1)
    runpy.run_module(module, run_name="__main__", alter_sys=True)
