"""A body holds the revision, or the message says what it holds instead and why."""

from __future__ import annotations

import pytest

from bluegreen.model import Exchange
from bluegreen.proof import build_id

SHA = "3f2a9c1e8b7d6f5a4c3b2a190817263544536271"


@pytest.mark.parametrize(
    ("body", "revision"),
    [
        ('{"revision": "3f2a9c1"}', "3f2a9c1"),
        (f'{{"revision": "{SHA}"}}', "3f2a9c1"),
        ("3f2a9c1\n", SHA),
        ("3F2A9C1", "3f2a9c1"),
        ("3f2a9c1-dirty", "3f2a9c1"),
        ("3f2a9c1", "3f2a9c1-dirty"),
        ("v1.4.0-12-g3f2a9c1", "v1.4.0-12-g3f2a9c1"),
        ('{"version":"v1.4.0"}', "1.4.0"),
        ('{"version":"1.4.0"}', "1.4.0"),
        ("release 2026.07 is out.", "2026.07"),
        ("The version is 1.4.0.", "1.4.0"),
    ],
)
def test_held(body: str, revision: str) -> None:
    assert build_id.holds(body.encode(), revision)


@pytest.mark.parametrize(
    ("body", "revision"),
    [
        ('{"revision": "3f2a9c2"}', "3f2a9c1"),
        ("3f2a9c", "3f2a9c1"),
        ("11.4.0", "1.4.0"),
        ("1.4.0.1", "1.4.0"),
        ("1.4.0-rc1", "1.4.0"),
        ("x3f2a9c1", "3f2a9c1"),
        ("", "3f2a9c1"),
        ("anything", ""),
    ],
)
def test_not_held(body: str, revision: str) -> None:
    assert not build_id.holds(body.encode(), revision)


def answer(body: str = "", status: int = 200, media_type: str = "application/json") -> Exchange:
    return Exchange(
        via="preview",
        url="http://preview/version.json",
        host="a.test",
        status=status,
        media_type=media_type,
        body=body.encode(),
    )


@pytest.mark.parametrize(
    ("came", "says"),
    [
        (answer("bbbbbbb"), ""),
        (answer("aaaaaaa"), "holds the revision aaaaaaa of 20260301-120000-aaaa, not bbbbbbb"),
        (answer("ccccccc"), "does not hold the revision bbbbbbb but 'ccccccc'"),
        (answer("<!doctype html>", media_type="text/html"), "falls back to its index"),
        (answer(status=404), "gave status 404"),
        (answer(status=0), "no answer"),
        (answer(), "but 'nothing'"),
    ],
)
def test_what_is_wrong_is_said_with_its_cause(came: Exchange, says: str) -> None:
    found = build_id.wrong("/version.json", came, "bbbbbbb", {"aaaaaaa": "20260301-120000-aaaa"})

    assert says in found if says else found == ""
