"""Durations and sizes are read as people write them, and written as they were read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen.settings.units import (
    LONGEST,
    format_duration,
    format_size,
    parse_duration,
    parse_size,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        (0, 0.0),
        (0.0, 0.0),
        ("0s", 0.0),
        ("100ms", 0.1),
        ("1.5s", 1.5),
        ("10s", 10.0),
        ("15m", 900.0),
        ("1m30s", 90.0),
        ("1m 30s", 90.0),
        (" 2h ", 7200.0),
        ("1h0m1s500ms", 3601.5),
        ("7d", 604800.0),
    ],
)
def test_durations_as_people_write_them(text: object, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "s", "-1s", "10", 10, 1.5, True, None, "1s1m", "5 minutes", "1m30", "1,5s", "1e3s", "٣s"],
)
def test_what_is_no_duration_is_refused(text: object) -> None:
    """A bare number does not say whether it means seconds or minutes."""
    with pytest.raises(ValueError, match="a duration with its unit"):
        parse_duration(text)


def test_a_duration_beyond_a_year_is_refused() -> None:
    with pytest.raises(ValueError, match="365d"):
        parse_duration("9999h")


@given(st.floats(min_value=0, max_value=LONGEST))
def test_a_duration_survives_being_written_down(seconds: float) -> None:
    assert parse_duration(format_duration(seconds)) == seconds


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0s"), (0.1, "100ms"), (90.0, "1m30s"), (900.0, "15m"), (86400.0, "1d"), (1.5, "1.5s")],
)
def test_durations_are_written_as_people_would(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0", 0),
        (1024, 1024),
        ("1024", 1024),
        ("64k", 65536),
        ("512m", 512 << 20),
        ("512M", 512 << 20),
        ("512MiB", 512 << 20),
        ("512mb", 512 << 20),
        ("1.5g", 3 << 29),
        ("2 g", 2 << 30),
        ("1t", 1 << 40),
    ],
)
def test_sizes_as_people_write_them(text: object, count: int) -> None:
    assert parse_size(text) == count


@pytest.mark.parametrize("text", ["", "m", "-1", "1.5.5g", "2x", True, None, 1.5, "lots", "1 2k"])
def test_what_is_no_size_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="a size, such as"):
        parse_size(text)


@given(st.integers(min_value=0, max_value=1 << 60))
def test_a_size_survives_being_written_down(count: int) -> None:
    assert parse_size(format_size(count)) == count


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0"), (100, "100"), (65536, "64k"), (3 << 29, "1536m"), (2 << 30, "2g")]
)
def test_sizes_are_written_as_people_would(count: int, text: str) -> None:
    assert format_size(count) == text
