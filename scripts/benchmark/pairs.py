"""Measured in pairs, A B A B: a noisy machine is as noisy for both of a pair."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True, kw_only=True)
class Row:
    """One comparison. `ours` and `theirs` hold the two values of each pair."""

    group: str  # what --only names
    what: str
    beside: str
    unit: str
    ours: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)
    at_most: float | None = None  # to reach: the median ratio
    at_least: float | None = None
    note: str = ""

    @property
    def ratios(self) -> list[float]:
        return [mine / other for mine, other in zip(self.ours, self.theirs, strict=True)]

    @property
    def ratio(self) -> float:
        return statistics.median(self.ratios)

    @property
    def reached(self) -> bool | None:
        """None where there is nothing to reach."""
        if self.at_most is not None:
            return self.ratio <= self.at_most
        return None if self.at_least is None else self.ratio >= self.at_least

    def facts(self) -> dict[str, Any]:
        return {
            "group": self.group,
            "what": self.what,
            "beside": self.beside,
            "unit": self.unit,
            "pairs": len(self.ours),
            "ours": self.ours,
            "theirs": self.theirs,
            "ours_median": statistics.median(self.ours),
            "theirs_median": statistics.median(self.theirs),
            "ratio_median": self.ratio,
            "ratio_min": min(self.ratios),
            "ratio_max": max(self.ratios),
            "at_most": self.at_most,
            "at_least": self.at_least,
            "reached": self.reached,
            "note": self.note,
        }


@dataclass(slots=True, kw_only=True)
class Single:
    """A figure that stands for itself: a count, or a limit."""

    group: str
    what: str
    value: float
    text: str
    at_most: float | None = None

    @property
    def reached(self) -> bool | None:
        return None if self.at_most is None else self.value <= self.at_most

    def facts(self) -> dict[str, Any]:
        return {
            "group": self.group,
            "what": self.what,
            "value": self.value,
            "text": self.text,
            "at_most": self.at_most,
            "reached": self.reached,
        }


Result = Row | Single


def alternate(times: int, row: Row, ours: Callable[[], float], theirs: Callable[[], float]) -> Row:
    """Fill `row` with `times` pairs. A first pair warms up and is not counted."""
    for number in range(times + 1):
        mine, other = ours(), theirs()
        if number:
            row.ours.append(mine)
            row.theirs.append(other)
    return row
