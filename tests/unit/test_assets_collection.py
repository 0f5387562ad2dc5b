"""Whose files stay in the store, and whose go."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from bluegreen.assets import Stay, to_keep

_NOW = datetime(2026, 3, 31, tzinfo=UTC)


def _stay(day: int, files: Mapping[str, int] | None = None) -> Stay:
    """A release of this day in March, of one file of its own and of 10 bytes."""
    return Stay(f"202603{day:02d}-000000-aaaa", files or {f"/a/{day}.js": 10})


def _days(kept: frozenset[str]) -> list[int]:
    return sorted(int(identity[6:8]) for identity in kept)


def _kept(
    *stays: Stay,
    needed: tuple[int, ...] = (),
    keep_releases: int = 1,
    keep_days: int = 0,
    max_size: int = 1 << 30,
) -> list[int]:
    """`stays` in the order in which they went live."""
    return _days(
        to_keep(
            stays[::-1],
            frozenset(_stay(day).id for day in needed),
            keep_releases=keep_releases,
            keep_days=keep_days,
            max_size=max_size,
            now=_NOW,
        )
    )


_ALL = [_stay(day) for day in (1, 10, 20, 28, 30)]


@pytest.mark.parametrize(
    ("releases", "days", "expected"),
    [
        (1, 0, [30]),
        (3, 0, [20, 28, 30]),
        (9, 0, [1, 10, 20, 28, 30]),
        (1, 1, [28, 30]),  # that of the 28th was live until the 30th
        (1, 3, [20, 28, 30]),
        (1, 12, [10, 20, 28, 30]),
        (4, 3, [10, 20, 28, 30]),  # whichever keeps more
        (2, 365, [1, 10, 20, 28, 30]),
    ],
)
def test_the_union_of_releases_and_days(releases: int, days: int, expected: list[int]) -> None:
    """A release's days begin when it is no longer live: until then tabs were opened."""
    assert _kept(*_ALL, keep_releases=releases, keep_days=days) == expected


def test_what_came_later_is_newer_though_the_clock_was_set_back_between() -> None:
    stays = [_stay(day) for day in (10, 11, 2, 3, 4)]
    assert _kept(*stays, keep_releases=3) == [2, 3, 4]
    assert _kept(*stays, keep_releases=4) == [2, 3, 4, 11]


def test_a_release_that_the_clock_puts_ahead_is_as_old_as_what_came_after_it() -> None:
    """A clock that was a year ahead, and was set right: nothing stays for a year by that."""
    ahead = Stay("20270330-000000-aaaa", {"/a/ahead.js": 10})
    stays = [_stay(1), ahead, _stay(2), _stay(29), _stay(30)]
    assert _kept(*stays, keep_days=7) == [2, 29, 30]


def test_live_and_the_one_before_stay_however_old_they_are() -> None:
    assert _kept(*_ALL, needed=(1, 10)) == [1, 10, 30]


def test_the_oldest_go_where_space_is_short_and_never_what_is_needed() -> None:
    assert _kept(*_ALL, keep_releases=9, max_size=30) == [20, 28, 30]
    assert _kept(*_ALL, keep_releases=9, needed=(1, 30), max_size=30) == [1, 28, 30]
    assert _kept(*_ALL, keep_releases=9, needed=(1, 30), max_size=5) == [1, 30]


def test_a_file_of_several_releases_takes_its_space_once() -> None:
    shared = {"/a/vendor.js": 90}
    stays = [_stay(day, {**shared, f"/a/{day}.js": 1}) for day in (1, 2, 3)]
    assert _kept(*stays, keep_releases=9, max_size=93) == [1, 2, 3]
    assert _kept(*stays, keep_releases=9, max_size=92) == [2, 3]


def test_going_to_and_fro_does_not_push_out_the_others() -> None:
    """Each rollback is a release of its own, with files that are known."""
    stays = [_stay(1), *(_stay(day, {f"/a/{day % 2}.js": 10}) for day in range(2, 12))]
    assert 1 in _kept(*stays, keep_releases=3)


def test_an_empty_store_keeps_nothing() -> None:
    assert _kept() == []
