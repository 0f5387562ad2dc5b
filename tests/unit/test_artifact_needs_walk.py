"""What a page needs, along names that are certain, and what of it is not there."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bluegreen.artifact.needs import html, page, walk
from bluegreen.artifact.needs.importmap import ImportMap, read
from bluegreen.artifact.needs.script import of_script
from bluegreen.artifact.needs.style import of_style
from bluegreen.artifact.needs.walk import Needs, Root


def root(files: dict[str, str]) -> Root:
    """As the image's web root is read: scripts and stylesheets looked into."""
    scan = {".js": of_script, ".css": of_style}
    named = {
        path: found
        for path, text in files.items()
        for suffix, look in scan.items()
        if path.endswith(suffix) and (found := look(text.encode()))
    }
    kept = {path: text.encode() for path, text in files.items() if not path.endswith(".js")}
    return Root(files=files.keys(), kept=kept, named=named)


def needs(files: dict[str, str], index: str = "index.html") -> Needs:
    return walk.of_index(root(files), index, frozenset({"shop.example"}))


def urls(found: Needs) -> list[str]:
    return [need.url for need in found.present]


def missing(found: Needs) -> set[str]:
    return {need.chain for need in found.missing}


MODULE = '<script type="module" src="/assets/app.js"></script>'


def test_chunks_are_followed_to_their_end_and_each_is_told_by_its_chain() -> None:
    found = needs(
        {
            "index.html": MODULE,
            "assets/app.js": 'import"./vendor.js";import("./lazy.js");import("/assets/gone.js")',
            "assets/vendor.js": 'import"./app.js"',
            "assets/lazy.js": 'import"./deep.js";export*from"./gone-too.js"',
            "assets/deep.js": "",
            "assets/unused.js": 'import"./nobody-asks.js"',
        }
    )
    assert urls(found) == [f"/assets/{name}.js" for name in ("app", "vendor", "lazy", "deep")]
    assert missing(found) == {
        "index.html → assets/app.js → assets/gone.js",
        "index.html → assets/app.js → assets/lazy.js → assets/gone-too.js",
    }


def test_a_stylesheet_needs_what_it_imports_and_what_it_paints_with() -> None:
    found = needs(
        {
            "index.html": '<link rel="stylesheet" href="css/a.css"><link rel="icon" href="i.svg">',
            "css/a.css": '@import "b.css";@import url("gone.css");a{b:url(../img/a.png)}',
            "css/b.css": "a{b:url(#part);c:url(data:image/png;base64,AA);d:url(//cdn.example/x)}",
            "img/a.png": "",
        }
    )
    assert urls(found) == ["/css/a.css", "/css/b.css", "/img/a.png"]
    assert missing(found) == {
        "index.html → css/a.css → css/gone.css",
        "index.html → i.svg",
    }


def test_a_web_manifest_needs_its_icons() -> None:
    manifest = {"icons": [{"src": "icon-1.png"}, {"src": "/gone.png"}, {"no": 1}, "x"]}
    found = needs(
        {
            "index.html": '<link rel="manifest" href="/pwa/site.webmanifest">',
            "pwa/site.webmanifest": json.dumps(manifest),
            "pwa/icon-1.png": "",
        }
    )
    assert urls(found) == ["/pwa/site.webmanifest", "/pwa/icon-1.png"]
    assert missing(found) == {"index.html → pwa/site.webmanifest → gone.png"}


@pytest.mark.parametrize(
    "page",
    [
        '<script type="application/json" src="/gone.js"></script>',
        '<script type="text/template"><script src="/gone.js"></script>',
        "<template><script src=/gone.js></script></template>",
        '<!-- <script src="/gone.js"></script> -->',
        '<noscript><link rel="stylesheet" href="/gone.css"></noscript>',
        '<link rel="alternate stylesheet" href="/gone.css">',
        '<link rel="preconnect" href="/gone"><link rel="canonical" href="/gone">',
        '<script src="https://cdn.example/gone.js"></script>',
        '<script src="data:text/javascript,1"></script><script src=""></script>',
        '<script type="module">import x from "bare";import(`./${x}.js`)</script>',
        '<script>import x from "./not-a-module.js"</script>',
        '<script type="module">import("./extensionless")</script>',
        "<title><script src=/gone.js></script></title>",
        "<textarea><script src=/gone.js></script></textarea>",
    ],
)
def test_what_no_browser_would_fetch_is_not_missing(page: str) -> None:
    found = needs({"index.html": page})
    assert not found.missing
    assert not found.present


def test_inline_modules_and_classic_scripts_are_looked_into() -> None:
    found = needs(
        {
            "index.html": '<script type="module">import "./a.js"</script>'
            '<script>import("./b.js")</script><script src="classic.js"></script>',
            "a.js": "",
            "b.js": "",
            "classic.js": 'import("./c.js"); import "./text-of-a-classic-script.js"',
            "c.js": "",
        }
    )
    assert set(urls(found)) == {"/a.js", "/b.js", "/c.js", "/classic.js"}
    assert not found.missing


def test_a_script_that_is_preloaded_and_then_a_module_is_looked_into_as_a_module() -> None:
    found = needs(
        {
            "index.html": '<link rel="preload" as="script" href="/assets/app.js">' + MODULE,
            "assets/app.js": 'import "./gone.js"',
        }
    )
    assert missing(found) == {"index.html → assets/app.js → assets/gone.js"}


def test_an_import_map_makes_addresses_of_names() -> None:
    imports = {"vue": "/lib/vue.js", "lib/": "./lib/", "cdn": "https://cdn.example/x.js"}
    scopes = {"/old/": {"vue": "/lib/vue2.js"}}
    text = json.dumps({"imports": imports, "scopes": scopes})
    found = needs(
        {
            "index.html": f'<script type="importmap">{text}</script>'
            '<script type="module" src="app.js"></script>',
            "app.js": 'import "vue";import "lib/deep/a.js";import "cdn";import "unknown";'
            'import "./old/b.js"',
            "lib/vue.js": "",
            "lib/deep/a.js": "",
            "old/b.js": 'import "vue"',
        }
    )
    assert set(urls(found)) == {"/app.js", "/lib/vue.js", "/lib/deep/a.js", "/old/b.js"}
    assert missing(found) == {"index.html → its import map → lib/vue2.js"}


def test_an_entry_of_an_import_map_must_be_there_though_nobody_imports_it() -> None:
    text = '<script type="importmap">{"imports":{"x":"/gone.js"}}</script>'
    assert missing(needs({"index.html": text})) == {"index.html → its import map → gone.js"}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"imports":[]}', '{"scopes":1}', "[" * 100_000])
def test_an_import_map_that_is_none_is_left_out(text: str) -> None:
    assert read([text], "http://page.invalid/") == ImportMap()


# --- where it is served ----------------------------------------------------------


@pytest.mark.parametrize(
    ("page", "prefix"),
    [
        ('<script src="/app/a.js"></script><link rel="stylesheet" href="/app/css/b.css">', "/app/"),
        ('<script src="/x/y/a.js"></script>', "/x/y/"),
        ('<base href="/app/"><script src="a.js"></script>', "/app/"),
        ('<script src="/app/a.js"></script><script src="css/b.css"></script>', "/app/"),
        ('<script src="https://shop.example/app/a.js"></script>', "/app/"),
        ('<script src="/a.js"></script>', ""),
        ('<script src="a.js"></script>', ""),
        ('<script src="/app/a.js"></script><script src="/a.js"></script>', ""),  # some are there
        ('<script src="/app/a.js"></script><script src="/app/gone.js"></script>', ""),
        ('<script src="/one/a.js"></script><script src="/two/a.js"></script>', ""),
        ("", ""),
    ],
)
def test_a_base_path_is_known_where_all_files_say_so(page: str, prefix: str) -> None:
    found = needs({"index.html": page, "a.js": "", "css/b.css": ""})
    assert found.prefix == prefix
    assert found.page_url == (prefix or "/")
    if prefix:
        assert not found.missing
        assert f"made to be served below {prefix}" in found.notes[0]


def test_urls_stay_as_the_page_has_them_and_files_lose_the_base_path() -> None:
    found = needs(
        {
            "index.html": '<script type="module" src="/app/assets/a.js"></script>'
            '<link rel="icon" href="/app/i.svg"><link rel="stylesheet" href="/app/s.css">',
            "assets/a.js": 'import("./b.js");import("/app/assets/c.js")',
            "assets/b.js": "",
            "assets/c.js": "",
            "i.svg": "",
            "s.css": "a{b:url(/app/i.svg)}",
        }
    )
    assert {need.url: need.path for need in found.present} == {
        "/app/assets/a.js": "assets/a.js",
        "/app/assets/b.js": "assets/b.js",
        "/app/assets/c.js": "assets/c.js",
        "/app/i.svg": "i.svg",
        "/app/s.css": "s.css",
    }


def test_names_are_decoded_for_the_file_and_kept_for_the_request() -> None:
    found = needs({"index.html": '<script src="/a%20b.js?v=1"></script>', "a b.js": ""})
    assert [(need.url, need.path) for need in found.present] == [("/a%20b.js", "a b.js")]


def test_an_index_in_a_folder_is_served_as_that_folder() -> None:
    found = needs({"de/index.html": '<script src="a.js"></script>', "de/a.js": ""}, "de/index.html")
    assert found.page_url == "/de/"
    assert urls(found) == ["/de/a.js"]


# --- Vite's manifest -------------------------------------------------------------

VITE = {
    "src/main.js": {
        "file": "assets/app.js",
        "isEntry": True,
        "css": ["assets/app.css"],
        "assets": ["assets/gone.png"],
        "dynamicImports": ["src/Lazy.vue"],
    },
    "src/Lazy.vue": {"file": "assets/lazy.js", "css": ["assets/lazy.css"]},
}


@pytest.mark.parametrize("path", [".vite/manifest.json", "manifest.json"])
def test_vites_own_manifest_names_all_that_it_built(path: str) -> None:
    files = {"index.html": MODULE, "assets/app.js": "", "assets/app.css": ""}
    found = needs({**files, path: json.dumps(VITE)})
    assert urls(found) == ["/assets/app.js", "/assets/app.css"]
    assert missing(found) == {
        f"index.html → {path} → assets/lazy.js",
        f"index.html → {path} → assets/lazy.css",
        f"index.html → {path} → assets/gone.png",
    }


def test_a_manifest_of_another_build_is_not_believed() -> None:
    page = '<script type="module" src="/assets/new.js"></script>'
    found = needs(
        {"index.html": page, "assets/new.js": "", ".vite/manifest.json": json.dumps(VITE)}
    )
    assert not found.missing
    assert "another build" in found.notes[0]


@pytest.mark.parametrize(
    "text", ["{}", "[]", "null", "{", '{"a":1}', '{"name":"app","icons":[]}', "[" * 100_000]
)
def test_a_manifest_that_is_not_vites_is_left_alone(text: str) -> None:
    files = {"index.html": MODULE, "assets/app.js": "", "manifest.json": text}
    assert not needs(files).missing


# --- pages that are none ---------------------------------------------------------


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "evil",
    [b"<div>", b"<x></p>", b"<!--", b"<script>", b"<", b"<a b=", b"<table><td>", b"\xff\x00"],
)
def test_a_page_that_is_made_to_be_slow_is_given_up(
    evil: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The parser's time grows with the square of the first two."""
    monkeypatch.setattr(html, "_TIMEOUT", 3.0)
    found = page.read(evil * ((2 << 20) // len(evil)), "/")
    assert not found.links
    if evil in (b"<div>", b"<x></p>"):
        assert not found.readable


def test_a_large_page_is_read_like_a_small_one() -> None:
    small = b'<base href="/b/"><script src="a.js"></script><script>import("./c.js")</script>'
    large = small + b"<p>text</p>" * 10_000
    assert page.read(large, "/") == page.read(small, "/")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_no_bytes_make_a_page_fail(source: bytes) -> None:
    page.read(source, "/", frozenset({"shop.example"}))
    page.read(b'<script type="importmap">' + source + b"</script><script src=a.js>", "/")


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60), st.text(max_size=20))
def test_no_name_makes_it_fail(name: str, base: str) -> None:
    attribute = name.replace("&", "&amp;").replace('"', "&quot;")
    text = f'<base href="{base}"><script type="module" src="{attribute}"></script>'
    needs({"index.html": text})
    needs({"index.html": MODULE, "assets/app.js": f"import {json.dumps(name)}"})
