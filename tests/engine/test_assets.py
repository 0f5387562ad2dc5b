"""Old tabs keep their files: the asset store, behind a real Caddy, with real releases."""

from __future__ import annotations

import gzip
import json
import stat
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

import docker
import pytest

from bluegreen.assets import CLASSES
from kit.load.clients import connect
from kit.site import images
from kit.site.command import Ran
from kit.site.host import Host, Site

_INDEX = "<!doctype html><title>{version}</title>\n"
#: A frontend as many are served: every unknown path is the index, assets with headers of note.
_SPA = """\
{
	admin off
	auto_https off
	persist_config off
}
:80 {
	root * /srv/www
	@pages not path /assets/*
	header @pages Cache-Control no-cache
	@assets path /assets/*
	header @assets {
		Cache-Control "max-age=31536000, immutable"
		Access-Control-Allow-Origin *
		Content-Security-Policy "default-src 'self'"
		Cross-Origin-Resource-Policy same-site
		X-Content-Type-Options nosniff
		Vary Origin
	}
	%s
	try_files {path} /index.html
	file_server {
		precompressed br gzip
	}
}
"""
_KEPT = (
    "cache-control",
    "access-control-allow-origin",
    "content-security-policy",
    "content-type",
    "cross-origin-resource-policy",
    "x-content-type-options",
)


@dataclass(frozen=True, slots=True)
class Came:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def kept(self) -> dict[str, str]:
        return {name: self.headers.get(name, "") for name in _KEPT}

    @property
    def is_miss(self) -> bool:
        """A 404 that nobody may cache, and no page."""
        return (
            self.status == 404
            and self.headers["cache-control"] == "no-store"
            and self.headers["content-type"].startswith("text/plain")
        )


def ask(host: Host, site: Site, path: str, method: str = "GET", **headers: str) -> Came:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    with closing(connect(urlsplit(host.url), site.hostname)) as connection:
        connection.request(method, quote(path), headers={"Host": site.hostname, **sent})
        response = connection.getresponse()
        body = response.read()
        named: dict[str, str] = {}
        for name, value in response.getheaders():
            name = name.lower()
            named[name] = f"{named[name]}, {value}" if name in named else value
        return Came(response.status, named, body)


def write(site: Site, version: str, assets: Mapping[str, bytes], more: str = "") -> None:
    """The next version: its page and exactly these assets; `more` are lines of its Caddyfile."""
    folder = site.project.folder
    site.write(version)
    for path in (folder / "dist").rglob("*"):
        if path.is_file():
            path.unlink()
    scripts = [path for path in assets if path.endswith(".js")][:1]
    page = _INDEX.format(version=version)
    page += "".join(f'<script type="module" src="/{path}"></script>\n' for path in scripts)
    for path, data in {"index.html": page.encode(), **assets}.items():
        target = folder / "dist" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    (folder / "Caddyfile").write_text(_SPA % more)
    (folder / "Dockerfile").write_text(
        f"FROM {images.caddy()}\nCOPY Caddyfile /etc/caddy/Caddyfile\nCOPY dist/ /srv/www/\n"
    )


def release(site: Site, version: str, assets: Mapping[str, bytes], more: str = "") -> Ran:
    write(site, version, assets, more)
    return site.bluegreen("release", expect=0)


def store(host: Host, site: Site) -> Path:
    return host.state_dir / "store" / site.name


def stored(host: Host, site: Site) -> set[str]:
    """Every path that the store can serve."""
    found = set()
    for number in range(CLASSES):
        root = store(host, site) / f"{number:02d}" / "files"
        found |= {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    return found


ONE = {"assets/lazy-11111111.js": b"export const page = 1\n", "assets/a-1.css": b"a{}\n"}
TWO = {"assets/lazy-22222222.js": b"export const page = 2\n", "assets/a-1.css": b"a{}\n"}
THREE = {"assets/lazy-33333333.js": b"export const page = 3\n"}
LAZY = "/assets/lazy-11111111.js"


@pytest.mark.parametrize("order", ["live", "store"])
@pytest.mark.parametrize("switch", ["pointer", "reload"])
def test_old_tabs_keep_their_chunks_with_the_headers_that_live_sent(
    client: docker.DockerClient, order: str, switch: str
) -> None:
    """Two releases on, and after going back: the same bytes, type, cache, CORS and CSP."""
    host = Host(client, switch=switch)
    try:
        host.up()
        site = host.site(config={"assets": {"order": order}})
        release(site, "one", ONE)
        first = ask(host, site, LAZY)
        assert first.body == ONE[LAZY[1:]]
        release(site, "two", TWO)
        assert ask(host, site, LAZY).body == first.body
        release(site, "three", THREE)
        again = ask(host, site, LAZY)
        assert (again.status, again.body) == (200, first.body)
        assert again.kept() == first.kept()
        assert {"origin"} <= {part.strip().lower() for part in again.headers["vary"].split(",")}
        assert "x-bluegreen-absent" not in again.headers
        site.bluegreen("rollback", expect=0)
        for path, body in {**ONE, **TWO, **THREE}.items():
            assert ask(host, site, f"/{path}").body == body, path
        assert ask(host, site, "/").body.startswith(_INDEX.format(version="two").encode())
    finally:
        host.remove()


# --- what a browser may ask of a file of an old release ----------------------


@pytest.fixture(scope="module")
def old_tab(shared_host: Host) -> Iterator[Site]:
    """A site two releases on; its second file has precompressed twins."""
    site = shared_host.site()
    text = b"export const text = 1\n" * 200
    plain = {"assets/lazy-11111111.js": b"export const page = 1\n" * 50, "assets/t-1.js": text}
    twins = {"assets/t-1.js.gz": gzip.compress(text, mtime=0), "assets/t-1.js.br": _brotli(text)}
    release(site, "one", {**plain, **twins})
    release(site, "two", TWO)
    yield site


def _brotli(data: bytes) -> bytes:
    import brotli

    compressed: bytes = brotli.compress(data)
    return compressed


def test_head_says_what_get_would(shared_host: Host, old_tab: Site) -> None:
    got, head = (ask(shared_host, old_tab, LAZY, method) for method in ("GET", "HEAD"))
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == str(len(got.body))
    assert head.kept() == got.kept()


def test_a_range_is_a_part_of_the_right_file(shared_host: Host, old_tab: Site) -> None:
    """Also one that lies behind the end of the index, which live would call out of range."""
    whole = ask(shared_host, old_tab, LAZY).body
    for first, last in ((0, 9), (len(whole) - 10, len(whole) - 1)):
        part = ask(shared_host, old_tab, LAZY, Range=f"bytes={first}-{last}")
        assert (part.status, part.body) == (206, whole[first : last + 1])
        assert part.headers["content-range"] == f"bytes {first}-{last}/{len(whole)}"
    assert ask(shared_host, old_tab, LAZY, Range=f"bytes={len(whole)}-").status == 416
    several = ask(shared_host, old_tab, LAZY, Range="bytes=0-1,4-5")
    assert (several.status, several.body) == (200, whole)


def test_conditions_are_judged_by_the_right_file(shared_host: Host, old_tab: Site) -> None:
    """The index of an application is unmodified since, and is not what was asked for."""
    came = ask(shared_host, old_tab, LAZY)
    same = ask(shared_host, old_tab, LAZY, If_None_Match=came.headers["etag"])
    assert (same.status, same.body) == (304, b"")
    other = ask(shared_host, old_tab, LAZY, If_None_Match='"another"')
    assert (other.status, other.body) == (200, came.body)
    later = "Fri, 01 Jan 2100 00:00:00 GMT"
    assert ask(shared_host, old_tab, LAZY, If_Modified_Since=later).body == came.body
    assert ask(shared_host, old_tab, "/assets/none-1.js", If_Modified_Since=later).is_miss
    live = ask(shared_host, old_tab, "/assets/lazy-22222222.js")
    tag = live.headers["etag"]
    assert ask(shared_host, old_tab, "/assets/lazy-22222222.js", If_None_Match=tag).status == 304


def test_precompressed_twins_are_used_and_never_sent_alone(
    shared_host: Host, old_tab: Site
) -> None:
    plain = ask(shared_host, old_tab, "/assets/t-1.js", Accept_Encoding="identity")
    for encoding, data in (
        ("gzip", gzip.compress(plain.body, mtime=0)),
        ("br", _brotli(plain.body)),
    ):
        came = ask(shared_host, old_tab, "/assets/t-1.js", Accept_Encoding=encoding)
        assert came.headers["content-encoding"] == encoding
        assert came.body == data
        assert came.kept() == plain.kept()
        assert "accept-encoding" in came.headers["vary"].lower()
    assert "content-encoding" not in plain.headers
    assert ask(shared_host, old_tab, "/assets/t-1.js.gz").is_miss


def test_a_page_never_leaves_the_edge_as_an_asset(shared_host: Host, old_tab: Site) -> None:
    """Live answers every unknown path with its index and status 200; for an asset that is a
    miss, however it is asked for."""
    for headers in (
        {},
        {"Range": "bytes=0-9"},
        {"Range": "bytes=0-1,4-5"},
        {"Accept_Encoding": "gzip"},
    ):
        for path in ("/assets/none-1.js", "/assets/deep/none.css", "/ASSETS/none.js"):
            assert ask(shared_host, old_tab, path, **headers).is_miss, (path, headers)
    beyond = ask(shared_host, old_tab, "/assets/none-1.js", Range="bytes=100000-")
    assert beyond.status == 416 and "html" not in beyond.headers["content-type"]
    head = ask(shared_host, old_tab, "/assets/none-1.js", "HEAD")
    assert head.is_miss and head.body == b""


def test_pages_and_other_methods_are_live_s_alone(shared_host: Host, old_tab: Site) -> None:
    """An application may have pages below /assets/; and a POST is not looked at."""
    page = _INDEX.format(version="two").encode()
    for path in ("/", "/any/page", "/assets/", "/assets/42", "/assets/page.html", "/app.js"):
        came = ask(shared_host, old_tab, path)
        assert (came.status, came.body.startswith(page)) == (200, True), path
    assert ask(shared_host, old_tab, "/missing", "POST").status == 405
    assert ask(shared_host, old_tab, LAZY, "POST").status == 405


def test_the_edge_reads_the_store_and_cannot_write_it(shared_host: Host, old_tab: Site) -> None:
    mounts = shared_host.edge_container().attrs["Mounts"]
    (mount,) = [one for one in mounts if one["Destination"] == "/run/bluegreen/store"]
    assert mount["RW"] is False
    for path in store(shared_host, old_tab).rglob("*/files/**/*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o755 if path.is_dir() else 0o644), path


# --- what is not stored ------------------------------------------------------


def test_a_seventeenth_kind_of_headers_is_served_live_only_and_said(shared_host: Host) -> None:
    site = shared_host.site()
    assets = {f"assets/k{n}.js": b"export {}\n//%d\n" % n for n in range(CLASSES + 1)}
    more = "\n".join(f"header /assets/k{n}.js X-Robots-Tag kind-{n}" for n in range(CLASSES + 1))
    ran = release(site, "one", assets, more)
    (warning,) = [w for w in ran.document["warnings"] if "17th kind" in w]
    (left_out,) = set(assets) - stored(shared_host, site)
    assert left_out in warning
    release(site, "two", TWO)
    for n, path in enumerate(assets):
        came = ask(shared_host, site, f"/{path}")
        if path == left_out:
            assert came.is_miss
        else:
            assert (came.body, came.headers["x-robots-tag"]) == (assets[path], f"kind-{n}")


@pytest.mark.parametrize("order", ["live", "store"])
def test_a_path_that_changes_its_bytes_is_left_to_live_and_said_once(
    shared_host: Host, order: str
) -> None:
    site = shared_host.site(config={"assets": {"order": order}})
    path = "assets/settings.js"
    said = []
    for version in ("one", "two", "three"):
        ran = release(site, version, {**ONE, path: b"export default '%s'\n" % version.encode()})
        said.append(sum(path in warning for warning in ran.document["warnings"]))
        assert version.encode() in ask(shared_host, site, f"/{path}").body
    assert said == [0, 1, 0]
    assert path not in stored(shared_host, site)
    assert LAZY[1:] in stored(shared_host, site)


def test_what_must_be_asked_for_anew_is_never_stored(shared_host: Host) -> None:
    site = shared_host.site()
    fixed = ("sw.js", "version.json", "app.webmanifest", "index.html", "page.html")
    release(site, "one", {**ONE, **{f"assets/{name}": b"{}" for name in fixed}})
    assert stored(shared_host, site) == set(ONE)


def test_a_file_that_the_container_serves_otherwise_is_not_stored(shared_host: Host) -> None:
    """Other bytes than the image's, a wrong type, an error: old tabs must not be given those."""
    site = shared_host.site()
    assets = {f"assets/{name}.js": b"export {}\n//" + name.encode() for name in ("a", "b", "c")}
    more = """
        header /assets/a.js >Content-Type text/javascript
        respond /assets/a.js "export const other = 1"
        header /assets/b.js >Content-Type text/plain
        respond /assets/c.js 500
    """
    write(site, "one", {**ONE, **assets}, more)
    ran = site.bluegreen("release", expect=0)
    text = " ".join(ran.document["warnings"])
    assert "other bytes" in text and "text/plain" in text and "status 500" in text
    assert stored(shared_host, site) == set(ONE)


def test_a_site_without_asset_paths_has_no_store(shared_host: Host) -> None:
    site = shared_host.site(config={"assets": {"paths": []}})
    ran = site.bluegreen("release", expect=0)
    assert "keep" not in [step["name"] for step in ran.document["steps"]]
    config = json.loads((shared_host.state_dir / "config" / "caddy.json").read_bytes())
    public = config["apps"]["http"]["servers"]["public"]
    assert f"store.{site.name}" not in public.get("named_routes", {})
    (route,) = [one for one in public["routes"] if one.get("@id") == f"site.{site.name}"]
    assert [handler["handler"] for handler in route["handle"]] == ["reverse_proxy"]
    assert not store(shared_host, site).exists()
    assert not ask(shared_host, site, "/assets/none.js").is_miss  # live's own


_ODD = ("a b.js", "[slug]-1.js", "q?x#y.js", "50%25.js", "ü-ñ.js", "..js", "{file.x}.js", "a+b.js")


def test_hostile_names_write_nothing_outside_the_store(shared_host: Host) -> None:
    """Odd names are served again byte for byte; what climbs, points out or cannot be said in
    UTF-8 is left to live."""
    site = shared_host.site()
    odd = {f"assets/{name}": b"export {}\n//" + name.encode() for name in _ODD}
    write(site, "one", {**ONE, **odd, "shared/real.js": b"export const real = 1\n"})
    dist = site.project.folder / "dist" / "assets"
    (dist / "out.js").symlink_to("/etc/passwd")
    (dist / "up.js").symlink_to("../../../etc/passwd")
    (dist / "inside.js").symlink_to("../shared/real.js")
    (dist / "back\\slash.js").write_bytes(b"export {}\n")
    before = _outside(shared_host)
    site.bluegreen("release", expect=0)
    assert _outside(shared_host) <= before | {
        f"{kind}/{site.name}{end}"
        for kind, end in (
            ("sites", ""),
            ("sites", "/live"),
            ("routes", ".json"),
            ("locks", ".lock"),
        )
    }
    assert stored(shared_host, site) == {*ONE, *odd, "assets/inside.js"}
    live = {path: ask(shared_host, site, f"/{path}").status for path in odd}
    release(site, "two", TWO)
    for path, data in odd.items():
        came = ask(shared_host, site, f"/{path}")
        assert (came.status, came.body) == (200, data), (path, live[path])
    assert ask(shared_host, site, "/assets/inside.js").body == b"export const real = 1\n"
    for path in ("/assets/out.js", "/assets/up.js", "/assets/../releases/x.json"):
        assert b"root:" not in ask(shared_host, site, path).body


def _outside(host: Host) -> set[str]:
    """What lies in the state folder outside of the store; its databases come and go."""
    found = (path.relative_to(host.state_dir) for path in host.state_dir.rglob("*"))
    names = {str(path) for path in found if path.parts[0] not in ("store", "data", "log")}
    return {name for name in names if "ledger.db" not in name and ".tmp-" not in name}


# --- when live cannot answer -------------------------------------------------


def test_assets_are_answered_while_live_is_down(host: Host) -> None:
    """Whole and with status 200, whatever the conditions: Caddy's error routes get those wrong.
    Pages say what they would without the store."""
    site = host.site(config={"edge": {"try_duration": "300ms"}})
    host.edge["try_duration"] = "300ms"
    host.up()
    release(site, "one", ONE)
    sent = ask(host, site, LAZY)
    (container,) = site.containers()
    container.stop(timeout=1)
    for headers in ({}, {"Range": "bytes=0-3"}, {"If_None_Match": sent.headers["etag"]}):
        came = ask(host, site, LAZY, **headers)
        assert (came.status, came.body) == (200, sent.body), headers
        assert came.kept() == sent.kept()
    assert ask(host, site, "/").status == 502
    unknown = ask(host, site, "/assets/none.js")
    assert (unknown.status, unknown.headers["cache-control"]) == (502, "no-store")
    assert ask(host, site, "/", "POST").status == 502


def test_assets_are_answered_while_no_release_is_live(shared_host: Host) -> None:
    site = shared_host.site()
    release(site, "one", ONE)
    pointer = shared_host.state_dir / "sites" / site.name / "live"
    named = pointer.read_text()
    try:
        pointer.write_text("unix//run/bluegreen/sock/idle.sock")
        assert ask(shared_host, site, LAZY).body == ONE[LAZY[1:]]
        assert ask(shared_host, site, "/").status == 503
        unknown = ask(shared_host, site, "/assets/none.js")
        assert (unknown.status, unknown.headers["retry-after"]) == (503, "5")
    finally:
        pointer.write_text(named)


# --- over time ---------------------------------------------------------------


def test_old_files_are_collected_and_those_of_live_and_the_one_before_stay(
    shared_host: Host,
) -> None:
    site = shared_host.site(config={"assets": {"keep_releases": 1, "keep_days": 0}})
    release(site, "one", ONE)
    release(site, "two", TWO)
    assert stored(shared_host, site) == {*ONE, *TWO}
    ran = release(site, "three", THREE)
    assert stored(shared_host, site) == {*TWO, *THREE}
    assert ran.step("prune")["detail"]["assets"]["files"] == 1
    assert ask(shared_host, site, LAZY).is_miss
    # What a dead run left: a half written file, and a whole one that no release needs.
    half = store(shared_host, site) / "tmp" / "0123"
    half.parent.mkdir(exist_ok=True)
    half.write_bytes(b"half")
    loose = store(shared_host, site) / "00" / "files" / "assets" / "loose.js"
    loose.write_bytes(b"loose")
    planned = site.bluegreen("prune", "--dry-run", expect=0).document
    assert planned["assets"] == {"files": 1, "bytes": 5}
    assert any("1 old assets" in line for line in planned["plan"])
    assert loose.exists()
    site.bluegreen("prune", expect=0)
    assert not half.exists() and not loose.exists()
    facts = site.bluegreen("status", expect=0).document["store"]
    assert (facts["files"], facts["releases"]) == (len({*TWO, *THREE}), 2)
    assert facts["bytes"] == sum(map(len, {**TWO, **THREE}.values()))
    assert "2 releases" in site.bluegreen("status", as_json=False, expect=0).stdout


def test_a_candidate_that_is_taken_back_leaves_nothing_for_long(shared_host: Host) -> None:
    """It fails after its files were kept; live's answers are what they were, and the next
    release collects."""
    site = shared_host.site(config={"assets": {"order": "store"}})
    release(site, "one", ONE)
    before = ask(shared_host, site, "/assets/a-1.css")
    gone = {"assets/gone-1.js": b"export {}\n", "assets/a-1.css": ONE["assets/a-1.css"]}
    only_preview = """
        header /assets/* >Cache-Control "max-age=60"
        @public not header X-Forwarded-For 127.0.0.1
        respond @public 500
    """
    write(site, "two", gone, only_preview)
    site.bluegreen("release", expect=5)
    assert ask(shared_host, site, "/assets/a-1.css").kept() == before.kept()
    assert len(list((store(shared_host, site) / "releases").iterdir())) == 1
    release(site, "three", THREE)
    assert stored(shared_host, site) == {*ONE, *THREE}


def test_the_headers_of_live_win_once_it_is_live(shared_host: Host) -> None:
    """A file that stays the same and is now sent with another cache time: nothing of live's
    headers is lost, also where the store answers first."""
    site = shared_host.site(config={"assets": {"order": "store"}})
    release(site, "one", ONE)
    release(site, "two", ONE, 'header /assets/a-1.css >Cache-Control "max-age=60"')
    assert ask(shared_host, site, "/assets/a-1.css").headers["cache-control"] == "max-age=60"
    assert "immutable" in ask(shared_host, site, LAZY).headers["cache-control"]


def test_changed_asset_settings_cost_one_load(shared_host: Host) -> None:
    site = shared_host.site()
    release(site, "one", ONE)
    site.write("two", config={"assets": {"paths": ["/assets/*.css"]}})
    ran = site.bluegreen("release", expect=0)
    assert "route" in [step["name"] for step in ran.document["steps"]]
    ran = site.bluegreen("release", expect=0)
    assert "route" not in [step["name"] for step in ran.document["steps"]]
