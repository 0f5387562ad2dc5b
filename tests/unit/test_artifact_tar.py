"""A stream that is remembered while it passes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bluegreen.artifact.tar import remembering

CHUNKS = [b"abc", b"", b"defg"]


@pytest.mark.parametrize(("most", "kept"), [(7, CHUNKS), (100, CHUNKS), (6, []), (0, [])])
def test_all_of_a_small_stream_is_kept_and_nothing_of_a_large_one(
    most: int, kept: list[bytes]
) -> None:
    remembered: list[bytes] = []
    assert list(remembering(iter(CHUNKS), remembered, most)) == CHUNKS
    assert remembered == kept


def test_the_source_is_closed_by_whoever_stops_reading() -> None:
    closed = []

    def source() -> Iterator[bytes]:
        try:
            yield from CHUNKS
        finally:
            closed.append(True)

    chunks = remembering(source(), [], 100)
    next(chunks)
    chunks.close()  # type: ignore[attr-defined]
    assert closed
