"""A wrong file is the fault of the first on its way that has it wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from bluegreen.proof.blame import HINTS, Place, Wrong, blame


def old(path: str = "/", sha256: str = "old", caches: str = "") -> Wrong:
    return Wrong(path=path, what=f"{path}: other bytes", sha256=sha256, caches=caches)


@pytest.mark.parametrize(
    ("seen", "places"),
    [
        ({Place.ORIGIN: [], Place.EDGE: [], Place.CDN: []}, []),
        ({Place.ORIGIN: [old()], Place.EDGE: [old()], Place.CDN: [old()]}, ["origin"]),
        ({Place.ORIGIN: [], Place.EDGE: [old()], Place.CDN: [old()]}, ["edge"]),
        ({Place.ORIGIN: [], Place.EDGE: [], Place.CDN: [old()]}, ["cdn"]),
        ({Place.ORIGIN: [old()], Place.EDGE: [], Place.CDN: []}, ["origin"]),
        ({Place.ORIGIN: [old()], Place.CDN: [old(sha256="older")]}, ["origin", "cdn"]),
        ({Place.ORIGIN: [old("/a")], Place.EDGE: [old("/a"), old("/b")]}, ["origin", "edge"]),
    ],
)
def test_each_path_is_told_once_where_it_went_wrong(
    seen: Mapping[Place, Sequence[Wrong]], places: list[str]
) -> None:
    assert [str(one.place) for one in blame(seen)] == places


def test_the_headers_of_a_cache_are_in_the_finding() -> None:
    (found,) = blame({Place.CDN: [old(caches="age: 3600, x-cache: HIT")]})

    assert str(found) == "cdn stale: /: other bytes (age: 3600, x-cache: HIT)"


def test_every_place_has_its_hint() -> None:
    assert set(HINTS) == set(Place)
