"""Which headers let an answer be kept past the next release, and which caches show themselves."""

from __future__ import annotations

import pytest

from bluegreen.artifact import media_types
from bluegreen.proof import cache_headers

DATE = "Wed, 01 Jul 2026 10:00:00 GMT"
LATER = "Wed, 01 Jul 2026 11:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "kept"),
    [
        ({}, ""),
        ({"cache-control": "no-cache"}, ""),
        ({"cache-control": "no-store, max-age=60"}, ""),
        ({"cache-control": "max-age=0, must-revalidate"}, ""),
        ({"cache-control": "public, max-age=0, s-maxage=0"}, ""),
        ({"cache-control": "max-age=60"}, "Cache-Control: max-age=60"),
        ({"cache-control": "max-age=0, s-maxage=60"}, "Cache-Control: max-age=0, s-maxage=60"),
        ({"cache-control": "public, immutable"}, "Cache-Control: public, immutable"),
        ({"cache-control": "Max-Age=60"}, "Cache-Control: Max-Age=60"),
        ({"expires": LATER, "date": DATE}, f"Expires: {LATER}"),
        ({"expires": DATE, "date": DATE}, ""),
        ({"expires": "0", "date": DATE}, ""),
        ({"expires": LATER, "date": DATE, "cache-control": "max-age=0"}, ""),
        ({"expires": LATER, "date": DATE, "cache-control": "no-cache"}, ""),
    ],
)
def test_the_header_that_lets_it_be_kept_is_named(headers: dict[str, str], kept: str) -> None:
    assert cache_headers.kept_by(headers) == kept


@pytest.mark.parametrize(
    ("path", "never"),
    [
        ("sw.js", True),
        ("app/service-worker.js", True),
        ("site.webmanifest", True),
        ("manifest.json", True),
        ("version.json", True),
        ("assets/app-1234.js", False),
        ("data.json", False),
    ],
)
def test_files_of_fixed_names_are_never_kept(path: str, never: bool) -> None:
    assert media_types.is_never_kept(path) is never


def test_one_warning_names_every_path() -> None:
    said = cache_headers.warning([("/", "Cache-Control: max-age=60"), ("/sw.js", "Expires: later")])

    assert "/ (Cache-Control: max-age=60), /sw.js (Expires: later)" in said
    assert cache_headers.warning([]) == ""


def test_caches_on_the_way_are_told_by_their_headers() -> None:
    headers = {"age": "12", "x-cache": "HIT", "content-type": "text/html"}

    assert cache_headers.told_by_caches(headers) == "age: 12, x-cache: HIT"
    assert cache_headers.told_by_caches({}) == ""
