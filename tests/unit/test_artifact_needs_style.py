"""Stylesheets: `@import` and `url()`, as a browser would fetch them."""

from __future__ import annotations

import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bluegreen.artifact.needs.style import of_style


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ('@import "a.css";', [("@import", "a.css")]),
        ("@import url(a.css) screen;", [("@import", "a.css")]),
        ("@IMPORT url( 'a.css' );", [("@import", "a.css")]),
        ('@charset "utf-8";@import"a.css";', [("@import", "a.css")]),
        ('a{}@import "late.css";', []),  # it does not count after a rule
        ("a{background:url(b.png)}", [("url()", "b.png")]),
        ('a{src:url("b.woff2")format("woff2")}', [("url()", "b.woff2")]),
        ("a{b:url( 'c d.png' )}", [("url()", "c d.png")]),
        ("a{b:URL(c.png)}", [("url()", "c.png")]),
        ("a{b:url(c.png)}/* url(d.png) */", [("url()", "c.png")]),
        ("a{content:'url(c.png)'}", []),
        ('a{content:"it\\"s url(c.png)"}', []),
        ("a{b:url()}", []),
        ("a{b:url(var(--c))}", []),
        ("a{b:curl(c.png)}", []),
        ("a{b:url(c\\.png)}", []),
        ("a{b:url(c'd.png)}", []),
        ("@namespace svg url(http://www.w3.org/2000/svg);", []),
        ("/* no end url(c.png)", []),
        ("a{b:'no end url(c.png)", []),
        ("a{b:url(c.png", []),
        ("", []),
    ],
)
def test_names_are_found(source: str, named: list[tuple[str, str]]) -> None:
    assert [tuple(one) for one in of_style(source.encode())] == named


@pytest.mark.parametrize(
    "evil",
    [
        *(b"/*", b"/**", b"/* *", b"'", b"'\\", b"\\'", b"url(", b"url( ", b"url('", b"url(a"),
        *(b"@import", b"@import ", b"@import url(", b"@namespace", b"@namespace ", b"a{", b" "),
        b"'\\a\\a'",
    ],
)
def test_time_is_linear(evil: bytes) -> None:
    """A quarter of a megabyte of anything; its square would take minutes."""
    source = evil * ((1 << 18) // len(evil))
    began = time.process_time()
    of_style(source)
    assert time.process_time() - began < 10


def test_a_string_of_escapes_takes_little_memory() -> None:
    source = b"import 'x';'" + b"\\x41" * (1 << 19) + b"'"
    tracemalloc.start()
    of_style(source)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 16 << 20


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_make_it_fail(source: bytes) -> None:
    of_style(source)
