"""Sound builds that look odd: each goes live, and nothing is said of it."""

from __future__ import annotations

import gzip
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import docker
import pytest

from kit.site.host import Host, Site
from kit.site.project_edit import FILES, ProjectEdit
from kit.site.projects import Behaviour

Arrange = Callable[[ProjectEdit], None]
_EPOCH = 1_700_000_000  # seconds; long before these tests


@dataclass(frozen=True, kw_only=True)
class Sound:
    name: str
    arrange: Arrange
    config: dict[str, Any] = field(default_factory=dict)
    behaviour: Behaviour = Behaviour.STATIC
    path: str = "/"  # where its page is


def _zeroed_times(edit: ProjectEdit) -> None:
    edit.date(0)


def _source_date_epoch(edit: ProjectEdit) -> None:
    edit.date(_EPOCH)
    edit.more("ARG SOURCE_DATE_EPOCH")


def _built_long_before(edit: ProjectEdit) -> None:
    """By a job of its own: this one only makes the image."""
    edit.date(time.time() - 86400)


def _below_a_base_path(edit: ProjectEdit) -> None:
    """The files lie below app/, as they are served."""
    edit.swap("index.html", '"/assets/', '"/app/assets/')
    edit.swap(edit.find("assets/app-*.js"), '"/assets/', '"/app/assets/')
    whole = edit.folder / "whole"
    edit.dist.rename(whole)
    edit.dist.mkdir()
    whole.rename(edit.dist / "app")


def _behind_a_stripped_base_path(edit: ProjectEdit) -> None:
    """Vite's `base: "/app/"`, and a server that takes the prefix off."""
    edit.swap("index.html", '"/assets/', '"/app/assets/')
    edit.swap(edit.find("assets/app-*.js"), '"/assets/', '"/app/assets/')
    edit.serve("uri strip_prefix /app")


def _base_element(edit: ProjectEdit) -> None:
    edit.swap("index.html", '"/assets/', '"')
    edit.swap("index.html", "<head>", '<head><base href="/assets/">')


def _import_map(edit: ProjectEdit) -> None:
    edit.put("assets/vue-1a2b3c4d.js", "export const h = () => 0;\n")
    imports = '{"imports": {"vue": "/assets/vue-1a2b3c4d.js", "lib/": "/assets/lib/"}}'
    edit.swap("index.html", "<head>", f'<head><script type="importmap">{imports}</script>')
    script = edit.find("assets/app-*.js")
    edit.put(script, 'import { h } from "vue";\n' + edit.read(script))


def _progressive_web_app(edit: ProjectEdit) -> None:
    edit.put("sw.js", 'self.addEventListener("fetch", () => {});\n')
    edit.put("icon-192.png", b"\x89PNG\r\n\x1a\n")
    edit.put(
        "manifest.webmanifest",
        '{"name": "app", "start_url": "/", "icons": [{"src": "icon-192.png", "sizes": "192x192"}]}',
    )
    edit.into_head('<link rel="manifest" href="/manifest.webmanifest">')
    edit.into_head('<script>navigator.serviceWorker?.register("/sw.js")</script>')


def _precompressed(edit: ProjectEdit) -> None:
    for path in ("index.html", edit.find("assets/app-*.js"), edit.find("assets/app-*.css")):
        edit.put(f"{path}.gz", gzip.compress((edit.dist / path).read_bytes()))
    edit.serve(precompressed=True)


def _linked_assets(edit: ProjectEdit) -> None:
    """`assets` is a link to this build's folder, as some deploy tools leave it."""
    (edit.dist / "assets").rename(edit.dist / "build-42")
    (edit.dist / "assets").symlink_to("build-42")


def _templated_at_start(edit: ProjectEdit) -> None:
    edit.into_head('<script>window.API = "@API@";</script>')
    edit.more(
        'CMD ["sh", "-c", "sed -i s,@API@,https://api.test, /srv/www/index.html;'
        ' exec caddy run --config /etc/caddy/Caddyfile --adapter caddyfile"]'
    )


def _inline_only(edit: ProjectEdit) -> None:
    edit.put(
        "index.html",
        "<!doctype html><title>one file</title><style>p{color:red}</style>"
        "<p>site-version:v2-next</p><script>document.title += '!'</script>\n",
    )


def _addresses_of_all_kinds(edit: ProjectEdit) -> None:
    """Of other hosts, in data, in fragments, in comments: nothing of it is a file of ours."""
    style = edit.find("assets/app-*.css")
    edit.put(
        style,
        "@import url(https://fonts.example.test/inter.css);\n"
        "/* @import './old.css'; url(/assets/gone.png) */\n"
        ".a{background:url(data:image/gif;base64,R0lGODlhAQABAAAAACw=)}\n"
        ".b{clip-path:url(#cut);fill:url('#paint')}\n"
        '.c::before{content:"url(/assets/not-a-file.png)"}\n' + edit.read(style),
    )
    script = edit.find("assets/app-*.js")
    edit.put(
        script,
        '// import("./old.js")\n/* import "./older.js" */\n'
        "const said = 'import(\"./only-said.js\")';\n"
        "const made = (name) => import(`./${name}.js`);\n"
        'const later = (name) => import("./page-" + name);\n' + edit.read(script),
    )
    edit.into_head(
        '<!-- <script src="/assets/gone.js"></script> -->\n'
        '<script src="https://cdn.example.test/analytics.js" async></script>\n'
        '<link rel="preconnect" href="https://api.example.test">\n'
        '<link rel="canonical" href="/page-that-is-no-file">\n'
        '<script type="application/json">{"src": "/assets/gone.json"}</script>\n'
        '<template><script src="/assets/in-a-template.js"></script></template>\n'
        '<script type="text/template"><link rel="stylesheet" href="/assets/gone.css"></script>'
    )


def _queries_and_spaces(edit: ProjectEdit) -> None:
    edit.put("assets/Über uns-1a2b3c4d.js", "export {};\n")
    edit.into_head('<script type="module" src="/assets/%C3%9Cber%20uns-1a2b3c4d.js?v=3"></script>')
    edit.swap("index.html", '.css"', '.css?v=3#x"')


def _index_in_a_folder(edit: ProjectEdit) -> None:
    """With relative addresses, and nothing at the top."""
    edit.swap("index.html", '"/assets/', '"../assets/')
    edit.put("shop/index.html", edit.read("index.html"))
    edit.drop("index.html")


def _falls_back_for_pages_only(edit: ProjectEdit) -> None:
    edit.serve("@page {", "not path /assets/*", "not file", "}", "rewrite @page /index.html")


SOUND = (
    Sound(name="zeroed times", arrange=_zeroed_times),
    Sound(
        name="SOURCE_DATE_EPOCH",
        arrange=_source_date_epoch,
        config={"build": {"args": {"SOURCE_DATE_EPOCH": str(_EPOCH)}}},
    ),
    Sound(name="dist was built a day before its image", arrange=_built_long_before),
    Sound(
        name="files below a base path",
        arrange=_below_a_base_path,
        config={
            "gate": {"path": "/app/"},
            "freshness": {"index": "app/index.html"},
            "assets": {"paths": ["/app/assets/*"]},
        },
        path="/app/",
    ),
    Sound(
        name="a base path that the server takes off",
        arrange=_behind_a_stripped_base_path,
        config={"gate": {"path": "/app/"}, "assets": {"paths": ["/app/assets/*"]}},
        path="/app/",
    ),
    Sound(name="a base element", arrange=_base_element),
    Sound(name="an import map", arrange=_import_map),
    Sound(name="a progressive web app", arrange=_progressive_web_app),
    Sound(name="precompressed twins", arrange=_precompressed),
    Sound(name="assets behind a link", arrange=_linked_assets),
    Sound(
        name="an index that is written at start",
        arrange=_templated_at_start,
        config={"freshness": {"rewritten": ["index.html"], "build_id": "/version.json"}},
    ),
    Sound(name="one page without any file", arrange=_inline_only),
    Sound(name="addresses that are no files", arrange=_addresses_of_all_kinds),
    Sound(name="queries, fragments and encoded names", arrange=_queries_and_spaces),
    Sound(
        name="an index in a folder",
        arrange=_index_in_a_folder,
        config={"gate": {"path": "/shop/"}, "freshness": {"index": "shop/index.html"}},
        path="/shop/",
    ),
    Sound(name="a fallback for pages only", arrange=_falls_back_for_pages_only),
    Sound(
        name="rendered by its server",
        arrange=lambda edit: edit.more("ENV WEB_ROOT=/srv/www"),
        config={"freshness": {"web_root": "", "build_id": "/version.json"}},
        behaviour=Behaviour.STREAMS,
    ),
)


@pytest.fixture(scope="module")
def module_host(client: docker.DockerClient) -> Iterator[Host]:
    host = Host(client)
    try:
        host.up()
        yield host
    finally:
        host.remove()


def written(site: Site, version: str, case: Sound) -> None:
    for path in sorted(site.project.folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    site.write(version, files=FILES, behaviour=case.behaviour, config=case.config)
    case.arrange(ProjectEdit(site.project.folder, site.name))


@pytest.mark.parametrize("case", SOUND, ids=lambda case: case.name)
def test_it_goes_live_without_a_word(case: Sound, module_host: Host) -> None:
    """As a first release and as a second one: only then there is something to compare with."""
    site = module_host.site("v1", files=FILES, config={"gate": {"passes": 1}})
    # Not of one length: BuildKit tells files with fixed times by their size.
    for version in ("v1", "v2-next"):
        written(site, version, case)
        ran = site.bluegreen("release", "--revision", version, expect=0)
        assert ran.document["warnings"] == []
    assert module_host.get(site, case.path).version == "v2-next"
    site.bluegreen("verify", expect=0)


def test_cached_layers_and_no_change_are_no_alarm(module_host: Host) -> None:
    """Only a note of the Dockerfile changed: every layer is cached, every byte is live's."""
    site = module_host.site("v1", files=FILES, config={"gate": {"passes": 1}})
    site.bluegreen("release", "--revision", "v1", expect=0)
    ProjectEdit(site.project.folder, site.name).more("# a note")
    ran = site.bluegreen("release", "--revision", "v1", expect=0)
    assert len(ran.document["warnings"]) == 1
    assert "the same content" in ran.document["warnings"][0]


def test_a_build_without_a_change_may_end_as_unchanged(module_host: Host) -> None:
    config = {"gate": {"passes": 1}, "freshness": {"unchanged": "skip"}}
    site = module_host.site("v1", files=FILES, config=config)
    site.bluegreen("release", "--revision", "v1", expect=0)
    (before,) = site.containers()
    ran = site.bluegreen("release", "--revision", "v1", expect=0)
    assert ran.outcome == "unchanged"
    assert ran.document["warnings"] == []
    (after,) = site.containers()
    assert after.id == before.id


def test_a_commit_that_touches_nothing_of_the_site_is_no_alarm(module_host: Host) -> None:
    """A new revision with live's very bytes: git knows that nothing below the context changed."""
    site = module_host.site("v1", files=FILES, config={"gate": {"passes": 1}})
    folder = site.project.folder
    (folder / "site").mkdir()
    for name in ("dist", "Dockerfile"):
        (folder / name).rename(folder / "site" / name)
    text = site.project.config.read_text()
    site.project.config.write_text(text + '\n[build]\ncontext = "site"\n')
    git(site, "init", "--quiet")
    for note in ("one", "two"):
        (folder / "NOTES").write_text(note)
        git(site, "add", ".")
        git(site, "commit", "--quiet", "--message", note)
        ran = site.bluegreen("release", expect=0)
    assert not any("did nothing" in said or "yet every byte" in said for said in warnings(ran))


def warnings(ran: Any) -> list[str]:
    return list(ran.document["warnings"])


def git(site: Site, *argv: str) -> None:
    who = {
        f"GIT_{role}_{key}": "t@example.test"
        for role in ("AUTHOR", "COMMITTER")
        for key in ("NAME", "EMAIL")
    }
    subprocess.run(
        ["git", "-c", "init.defaultBranch=main", *argv],
        cwd=site.project.folder,
        env={**os.environ, **who},
        check=True,
    )
