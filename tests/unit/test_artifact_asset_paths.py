"""Which paths are assets, which may be stored, and that no name leads out of the store."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen.artifact.asset_paths import check_pattern, is_asset, is_safe, is_storable, twin_of


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("/assets/*", "/assets/a.js", True),
        ("/assets/*", "/assets/deep/er/a.js", True),
        ("/assets/*", "/ASSETS/A.JS", True),  # as Caddy's matcher does it
        ("/assets/*", "/assets/", False),
        ("/assets/*", "/assets/42", False),  # a page of an application
        ("/assets/*", "/assets/page.html", False),
        ("/assets/*", "/assets/PAGE.HTM", False),
        ("/assets/*", "/other/assets/a.js", False),
        ("/static/*.js", "/static/a.js", True),
        ("/static/*.js", "/static/deep/a.js", False),
        ("/static/*.js", "/static/a.css", False),
        ("/a/*/b/*", "/a/x/b/c.js", True),
        ("/a/*/b/*", "/a/x/y/b/c.js", False),
        ("/app-*.js", "/app-1.js", True),
        ("/x.y/*", "/xzy/a.js", False),
    ],
)
def test_patterns_match_as_caddys_do(pattern: str, path: str, expected: bool) -> None:
    assert is_asset(path, [pattern]) is expected


def test_no_pattern_matches_nothing() -> None:
    assert not is_asset("/assets/a.js", [])


@pytest.mark.parametrize("pattern", ["/assets/*", "/_next/static/*", "/app-*.js", "/a/*/b.css"])
def test_what_a_pattern_may_be(pattern: str) -> None:
    assert check_pattern(pattern) == pattern


@pytest.mark.parametrize(
    "pattern",
    [
        *("", "*", "/", "/*", "/*.*", "assets/*", "/a/**", "/a//b", "/a/../b"),
        *("/a/[x]", "/{file.x}/*", "/a%2f*", "/a b/*", "/a?/*", "/a\\b/*", "/a\n/*"),
    ],
)
def test_what_a_pattern_may_not_be(pattern: str) -> None:
    """Not the whole site either: every page would be taken for an asset."""
    with pytest.raises(ValueError, match="path pattern"):
        check_pattern(pattern)


@pytest.mark.parametrize(
    "name", ["sw.js", "service-worker.js", "version.json", "app.webmanifest", "manifest.json"]
)
def test_files_that_must_be_asked_for_anew_are_minded_and_not_stored(name: str) -> None:
    assert is_asset(f"/assets/{name}", ["/assets/*"])
    assert not is_storable(f"/assets/{name}", ["/assets/*"])
    assert not is_storable(f"/assets/{name.upper()}", ["/assets/*"])


@pytest.mark.parametrize(
    "path",
    [
        *("a.js", "/../a.js", "/a/../b.js", "/a//b.js", "/./a.js", "/a\\b.js", "/a\nb.js"),
        *("/a\0.js", "/\udcff.js", f"/{'x' * 256}.js", "/x" * 600, "/\u202ea.js", "/a/", ""),
    ],
)
def test_what_is_not_safe(path: str) -> None:
    assert not is_safe(path)


@given(st.text() | st.lists(st.sampled_from(["..", ".", "", "a", "/", "\\", "\0"])).map("/".join))
def test_a_safe_path_stays_below_its_folder(path: str) -> None:
    """Whatever an image calls its files."""
    root = Path("/store/site/00/files")
    if is_safe(path):
        target = root / path.lstrip("/")
        assert target.resolve().is_relative_to(root) and target != root
        assert f"/{target.relative_to(root)}" == path  # and is found again under its name


def test_twins() -> None:
    assert [twin_of(f"a.js{ending}") for ending in (".br", ".gz", ".zst", ".map")] == [
        "a.js",
        "a.js",
        "a.js",
        "",
    ]
