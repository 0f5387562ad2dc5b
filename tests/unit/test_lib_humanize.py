"""Ages are never negative: a time that lies ahead is told as that."""

from __future__ import annotations

import pytest

from bluegreen.lib.humanize import show_past


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (7, "7 s old"),
        (7200, "2 h old"),
        (-2, "0 s old"),  # two clocks that differ by so much are taken for one
        (-3540, "59 min ahead of this host's clock"),
    ],
)
def test_how_long_ago(seconds: float, told: str) -> None:
    assert show_past(seconds, "old") == told
