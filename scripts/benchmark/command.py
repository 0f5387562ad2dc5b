"""What the command itself takes: to say its version, to look, and in memory."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from benchmark.pairs import Result, Row, Single, alternate
from benchmark.place import COMMAND, Place, environment, run
from kit.site.host import Site

_MEMORY = 80.0  # MB, to stay under


def command(place: Place, pairs: int) -> Iterator[Result]:
    bare = _timed(sys.executable, "-c", "import argparse")
    for option in ("--version", "--help"):
        row = Row(group="command", what=option, beside="import argparse", unit="s", at_most=1.5)
        yield alternate(pairs, row, _timed(str(COMMAND), option), bare)
    site = _released(place)
    for verb in ("status", "history"):
        row = Row(group="command", what=verb, beside="docker ps", unit="s")
        yield alternate(pairs, row, partial(_looked, place, site, verb), _timed("docker", "ps"))


def _looked(place: Place, site: Site, verb: str) -> float:
    return place.bluegreen(site, verb).seconds


def memory(place: Place) -> Iterator[Result]:
    """The most that the command holds at once, of a release and of a look."""
    site = _released(place)
    image = place.built(site, "b")[0]
    for argv in (("release", "--image", image), ("rollback",), ("status",)):
        peak = _peak(site.project.folder, *argv)
        yield Single(
            group="memory",
            what=f"peak memory of {argv[0]}",
            value=peak,
            text=f"{peak:.0f} MB",
            at_most=_MEMORY,
        )


def _released(place: Place) -> Site:
    site = place.site()
    place.bluegreen(site, "release", "--image", place.built(site, "a")[0])
    return site


def _timed(*argv: str) -> Callable[[], float]:
    return lambda: run(*argv)


def _peak(folder: Path, *argv: str) -> float:
    """VmHWM in MB, read while it runs: `ru_maxrss` also counts the parent that forked it."""
    most = 0
    with subprocess.Popen(
        [COMMAND, *argv, "--json"],
        cwd=folder,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        status = Path(f"/proc/{process.pid}/status")
        while process.poll() is None:
            for line in status.read_text().splitlines():
                if line.startswith("VmHWM:"):
                    most = max(most, int(line.split()[1]))
            time.sleep(0.005)
    if process.returncode:
        raise RuntimeError(f"bluegreen {' '.join(argv)}: exit code {process.returncode}")
    return most / 1024
