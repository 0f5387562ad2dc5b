"""An old time has a cause; only one without a cause is suspicious."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bluegreen.proof import age
from bluegreen.proof.age import Making

NOW = 1_790_000_000.0
BUILD = NOW - 30
DAY = 86400.0


def making(**facts: Any) -> Making:
    return replace(Making(started=BUILD), **facts)


@pytest.mark.parametrize(
    ("modified", "made", "cause"),
    [
        pytest.param(BUILD + 10, making(), "built", id="by the build"),
        pytest.param(BUILD - 2, making(), "built", id="a clock that is two seconds behind"),
        pytest.param(NOW + 3600, making(), "clock", id="from the future"),
        pytest.param(0.0, making(), "zeroed", id="zero"),
        pytest.param(1.0, making(), "zeroed", id="one, as Nix has it"),
        pytest.param(315532800.0, making(), "zeroed", id="1980, as zip has it"),
        pytest.param(315532800.0 - 7200, making(), "zeroed", id="1980 in another zone"),
        pytest.param(499162500.0, making(), "zeroed", id="1985, as npm packs"),
        pytest.param(600_000_000.0, making(), "zeroed", id="some other fixed time"),
        pytest.param(
            NOW - DAY,
            making(source_date_epoch=NOW - DAY),
            "source-date-epoch",
            id="SOURCE_DATE_EPOCH",
        ),
        pytest.param(NOW - DAY, making(commit_time=NOW - DAY), "commit-time", id="the commit's"),
        pytest.param(
            NOW - DAY,
            making(context_index=NOW - DAY, context_path="dist/index.html"),
            "context",
            id="the context's own file is as old",
        ),
        pytest.param(
            NOW - DAY,
            making(context_index=NOW - 60, context_path="dist/index.html"),
            "cached",
            id="touched in the context, the layer kept",
        ),
        pytest.param(NOW - DAY, making(cached=True), "cached", id="a cached layer"),
        pytest.param(
            NOW - DAY, making(started=None, given="shop:1"), "given", id="an image was given"
        ),
        pytest.param(
            NOW - DAY,
            making(started=None, given="shop:1", given_created=NOW - 2 * DAY),
            "clock",
            id="newer than its image",
        ),
    ],
)
def test_a_time_with_a_cause_is_no_alarm(modified: float, made: Making, cause: str) -> None:
    found = age.of_index(modified, made, NOW)

    assert (found.cause, found.suspicious) == (cause, False), found


def test_an_old_page_that_nothing_explains_is_suspicious() -> None:
    found = age.of_index(NOW - DAY, making(), NOW)

    assert found.suspicious
    assert "older than the build" in found.told


@pytest.mark.parametrize(
    ("live", "revision", "made", "cause", "told"),
    [
        ("aaaaaaa", "bbbbbbb", making(cached=True), "did-nothing", "--no-cache"),
        ("aaaaaaa", "bbbbbbb", making(), "did-nothing", "built again before its image"),
        ("aaaaaaa", "bbbbbbb", making(given="shop:1", started=None), "did-nothing", "shop:1"),
        ("aaaaaaa", "bbbbbbb", making(same_sources=True), "no-change", "no change below"),
    ],
)
def test_another_revision_with_the_same_bytes(
    live: str, revision: str, made: Making, cause: str, told: str
) -> None:
    found = age.of_no_change(live, revision, made)

    assert found is not None
    assert (found.cause, found.suspicious) == (cause, cause == "did-nothing")
    assert told in found.told


@pytest.mark.parametrize(
    ("live", "revision"), [("aaaaaaa", "aaaaaaa"), ("none", "bbbbbbb"), ("aaaaaaa", "none")]
)
def test_the_same_revision_or_none_says_nothing(live: str, revision: str) -> None:
    assert age.of_no_change(live, revision, making()) is None


@pytest.mark.parametrize(
    ("served", "modified", "cause", "suspicious"),
    [
        ("Wed, 01 Jul 2026 10:00:00 GMT", 1782900000.4, "image", False),
        ("Wed, 01 Jul 2026 10:00:00 GMT", 1782900000.0 - DAY, "server", False),
        ("Wed, 01 Jul 2026 10:00:00 GMT", 1782900000.0 + DAY, "older", True),
        ("Tue, 01 Jan 1980 00:00:00 GMT", 1782900000.0, "zeroed", False),
        ("Wed, 01 Jan 2099 00:00:00 GMT", 1782900000.0, "clock", False),
        ("yesterday", 1782900000.0, "unreadable", True),
    ],
)
def test_last_modified_as_it_is_served(
    served: str, modified: float, cause: str, suspicious: bool
) -> None:
    found = age.of_served(served, modified, making(), NOW)

    assert found is not None
    assert (found.cause, found.suspicious) == (cause, suspicious), found


def test_no_last_modified_is_no_fault() -> None:
    assert age.of_served("", BUILD, making(), NOW) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:01:00.123456789Z", 60.0),
        ("1970-01-01T01:01:00+01:00", 60.0),
        ("0001-01-01T00:00:00Z", -62135596800.0),
        ("", None),
        ("soon", None),
    ],
)
def test_times_as_the_engine_writes_them(text: str, seconds: float | None) -> None:
    assert age.engine_time(text) == seconds


@pytest.mark.parametrize(
    ("args", "environ", "epoch"),
    [
        ({"SOURCE_DATE_EPOCH": "12"}, {"SOURCE_DATE_EPOCH": "34"}, 12.0),
        ({}, {"SOURCE_DATE_EPOCH": "34"}, 34.0),
        ({}, {"SOURCE_DATE_EPOCH": "now"}, None),
        ({}, {}, None),
    ],
)
def test_the_argument_goes_over_the_environment(
    args: dict[str, str], environ: dict[str, str], epoch: float | None
) -> None:
    assert age.epoch_of(args, environ) == epoch
