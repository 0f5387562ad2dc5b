"""Results → one table (for a terminal and for the README) and one plot."""

from __future__ import annotations

import os
import platform
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmark.pairs import Result, Row

_COLUMNS = ("what", "bluegreen", "beside it", "ratio, median (min–max)", "to reach")


def cells(result: Result) -> tuple[str, ...]:
    if not isinstance(result, Row):
        wanted = "" if result.at_most is None else f"≤ {result.at_most:g}{_mark(result)}"
        return result.what, result.text, "", "", wanted
    ratios = result.ratios
    return (
        result.what + (f" ({result.note})" if result.note else ""),
        shown(statistics.median(result.ours), result.unit),
        f"{result.beside}: {shown(statistics.median(result.theirs), result.unit)}",
        f"{result.ratio:.2f} ({min(ratios):.2f}–{max(ratios):.2f}), {len(ratios)} pairs",
        _wanted(result),
    )


def _wanted(row: Row) -> str:
    if row.at_most is not None:
        return f"≤ {row.at_most:g}{_mark(row)}"
    return "" if row.at_least is None else f"≥ {row.at_least:g}{_mark(row)}"


def _mark(result: Result) -> str:
    return {True: " ✓", False: " ✗", None: ""}[result.reached]


def shown(value: float, unit: str) -> str:
    if unit == "s":
        return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"
    if unit == "/s":
        return f"{value:,.0f}"
    return f"{value:.1f} {unit}"


def table(results: Sequence[Result]) -> Table:
    made = Table(*_COLUMNS, box=None, header_style="dim", padding=(0, 2, 0, 0))
    for result in results:
        style = {True: None, False: "yellow", None: None}[result.reached]
        made.add_row(*cells(result), style=style)
    return made


def markdown(results: Sequence[Result]) -> str:
    lines = [f"| {' | '.join(_COLUMNS)} |", "|---|--:|--:|--:|---|"]
    lines += [f"| {' | '.join(cells(result))} |" for result in results]
    return "\n".join(lines) + "\n"


def machine(engine: str) -> str:
    model = "unknown CPU"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = os.getloadavg()[1]
    return (
        f"{os.cpu_count()} × {model}, {memory:.0f} GB, Linux {platform.release()},"
        f" Docker engine {engine}, Python {platform.python_version()},"
        f" load average of the last 5 minutes {load:.1f}"
    )


def plot(results: Sequence[Result], path: Path) -> bool:
    """Every ratio of every pair, and its median. False where there is no plotter."""
    try:
        import matplotlib as mpl
    except ImportError:
        return False
    mpl.use("svg")
    from matplotlib import pyplot as plt

    rows = [result for result in results if isinstance(result, Row)]
    if not rows:
        return False
    figure, axes = plt.subplots(figsize=(10, 0.34 * len(rows) + 1.2), layout="constrained")
    for place, row in enumerate(reversed(rows)):
        axes.plot(row.ratios, [place] * len(row.ratios), ".", color="#9ca3af", markersize=5)
        axes.plot(row.ratio, place, "D", color="#1d4ed8", markersize=6)
        wanted = row.at_most if row.at_most is not None else row.at_least
        if wanted is not None:
            axes.plot([wanted] * 2, [place - 0.4, place + 0.4], color="#dc2626", linewidth=1.5)
    axes.set_xscale("log")
    axes.axvline(1, color="black", linewidth=0.6)
    axes.set_yticks(
        range(len(rows)), [f"{row.what} / {row.beside}" for row in reversed(rows)], fontsize=8
    )
    axes.set_xlabel("bluegreen / beside it: each pair, its median (blue), to reach (red)")
    axes.grid(axis="x", which="both", alpha=0.25)
    figure.savefig(path)
    return True


def print_table(results: Sequence[Result], about: str) -> None:
    console = Console(soft_wrap=True, highlight=False, width=None if sys.stdout.isatty() else 200)
    console.print(table(results))
    console.print(f"\n{about}")
