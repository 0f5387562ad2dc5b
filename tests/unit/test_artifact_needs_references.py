"""What a page names: local files that it cannot do without, and nothing else."""

from __future__ import annotations

import pytest

from bluegreen.artifact.needs import references

VITE = b"""<!doctype html><html><head>
<link rel="icon" href="/favicon.svg">
<script type="module" crossorigin src="/assets/index-4f2a.js"></script>
<link rel="modulepreload" href="/assets/vendor-11.js">
<link rel="stylesheet" crossorigin href="/assets/index-9c.css">
</head><body><script>inline()</script></body></html>"""


def test_a_vite_page_names_its_icon_its_entry_its_preload_and_its_style() -> None:
    assert references.of_page(VITE, "/") == (
        "/favicon.svg",
        "/assets/index-4f2a.js",
        "/assets/vendor-11.js",
        "/assets/index-9c.css",
    )


@pytest.mark.parametrize(
    ("html", "url", "named"),
    [
        (b'<script src="a.js"></script>', "/", ("/a.js",)),
        (b'<script src="a.js"></script>', "/app/", ("/app/a.js",)),
        (b'<base href="/b/"><script src="a.js"></script>', "/", ("/b/a.js",)),
        (b'<script src="../a.js?v=1#x"></script>', "/app/", ("/a.js",)),
        (b'<script src="https://cdn.example/a.js"></script>', "/", ()),
        (b'<script src="//cdn.example/a.js"></script>', "/", ()),
        (b'<script src="data:text/javascript,1"></script>', "/", ()),
        (b'<LINK REL="preload stylesheet" HREF="/a.css">', "/", ("/a.css",)),
        (b'<link rel="alternate" href="/feed.xml">', "/", ()),
        (b'<script src="/a%20b.js"></script>', "/", ("/a%20b.js",)),
        (b"<script src='/a.js'></script><script src='/a.js'></script>", "/", ("/a.js",)),
        (b'<script src="http://[bad/a.js"></script>', "/", ()),
        (b"\xff\xfe not html at all <<<>", "/", ()),
        (b"", "/", ()),
    ],
)
def test_addresses_are_resolved_as_a_browser_does(
    html: bytes, url: str, named: tuple[str, ...]
) -> None:
    assert references.of_page(html, url) == named


def test_an_absolute_address_of_the_sites_own_host_is_local() -> None:
    html = b'<script src="https://shop.example/a.js"></script>'
    assert references.of_page(html, "/", frozenset({"shop.example"})) == ("/a.js",)
