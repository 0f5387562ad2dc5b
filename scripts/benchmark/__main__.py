"""Runs the measurements one after the other; see `scripts/bench --help`."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmark import acts, command, present, switch, traffic
from benchmark.pairs import Result
from benchmark.place import Place, places

_OUT = Path(__file__).resolve().parents[2] / ".bench"


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much of each is enough: medians of pairs settle slowly, and time is bounded."""

    releases: int
    rollbacks: int
    lossy: int
    traffic: int
    seconds: int
    command: int
    switches: int
    sizes: tuple[int, ...]


_FULL = Effort(releases=7, rollbacks=6, lossy=20, traffic=7, seconds=3, command=15, switches=9,
               sizes=(1, 10, 100, 1000))  # fmt: skip
_QUICK = Effort(releases=1, rollbacks=1, lossy=1, traffic=1, seconds=1, command=3, switches=3,
                sizes=(1, 100))  # fmt: skip


def measurements(effort: Effort) -> dict[str, Callable[[Place], Iterator[Result]]]:
    return {
        "release": lambda place: acts.release(place, effort.releases),
        "rollback": lambda place: acts.rollback(place, effort.rollbacks),
        "loss": lambda place: acts.loss(place, effort.lossy),
        "traffic": lambda place: traffic.traffic(place, effort.traffic, effort.seconds),
        "command": lambda place: command.command(place, effort.command),
        "switch": lambda place: switch.switch(place, effort.switches, effort.sizes),
        "memory": command.memory,
    }


def main() -> None:
    asked = _asked()
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # what is made goes
    chosen = measurements(_QUICK if asked.quick else _FULL)
    if asked.only:
        chosen = {name: chosen[name] for name in asked.only}
    results: list[Result] = []
    engine = ""
    with places() as a_place:
        for name, measure in chosen.items():
            began = time.monotonic()
            # Each on an edge of its own: none is measured beside what another left running.
            with a_place() as place:
                engine = str(place.client.version()["Version"])
                for result in measure(place):
                    results.append(result)
                    sys.stderr.write("  ".join(present.cells(result)) + "\n")
            sys.stderr.write(f"    {name}: {time.monotonic() - began:.0f} s\n")
    about = present.machine(engine)
    document = {"machine": about, "rows": [result.facts() for result in results]}
    (_OUT / "bench.json").write_text(json.dumps(document, indent=1) + "\n")
    (_OUT / "bench.md").write_text(f"{present.markdown(results)}\n{about}\n")
    present.plot(results, _OUT / "bench.svg")
    if asked.json:
        sys.stdout.write(json.dumps(document) + "\n")
    else:
        present.print_table(results, about)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", add_help=False)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", action="append", choices=sorted(measurements(_QUICK)))
    return parser.parse_args()


if __name__ == "__main__":
    main()
