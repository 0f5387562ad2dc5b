"""What is proven beyond the bytes, and what is told of a release at any time after."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

import docker
import httpx
import pytest

from bluegreen.state.folder import State
from kit.cdn import Cdn
from kit.site.command import Ran
from kit.site.host import Host, Site
from kit.site.project_edit import FILES, ProjectEdit

QUICK = {"gate": {"passes": 1, "timeout": "5s"}, "container": {"stop_grace": "1s"}}


@pytest.fixture(scope="module")
def module_host(client: docker.DockerClient) -> Iterator[Host]:
    host = Host(client)
    try:
        host.up()
        yield host
    finally:
        host.remove()


def site_of(host: Host, **sections: Mapping[str, Any]) -> Site:
    config = {**QUICK, **sections}
    return host.site("one", files=FILES, config=config)


def draft_of(site: Site, version: str, **sections: Mapping[str, Any]) -> ProjectEdit:
    site.write(version, files=FILES, config=sections)
    return ProjectEdit(site.project.folder, site.name)


def commit(site: Site, message: str) -> str:
    """The site's folder as a git checkout; the commit's short name."""
    folder = str(site.project.folder)
    git = ("git", "-C", folder, "-c", "user.name=test", "-c", "user.email=t@example.test")
    subprocess.run((*git, "init", "--quiet"), check=True)
    subprocess.run((*git, "add", "--all"), check=True)
    subprocess.run((*git, "commit", "--quiet", "--allow-empty", "-m", message), check=True)
    asked = subprocess.run(
        (*git, "rev-parse", "--short=7", "HEAD"), check=True, capture_output=True, text=True
    )
    return asked.stdout.strip()


def told(ran: Ran) -> str:
    return f"{ran.error['message']} {ran.error['hint']}"


def warned(ran: Ran, *texts: str) -> bool:
    return any(all(text in said for text in texts) for said in ran.document["warnings"])


# --- unchanged --------------------------------------------------------------


def test_unchanged_is_released_afresh_and_said(module_host: Host) -> None:
    site = site_of(module_host)
    site.bluegreen("release", expect=0)
    before = site.live()
    ran = site.bluegreen("release", expect=0)
    assert ran.outcome == "released"
    assert warned(ran, "the same content, settings and routing", "released afresh")
    assert site.live() != before


def test_unchanged_is_skipped_after_users_were_seen_to_get_it(module_host: Host) -> None:
    site = site_of(module_host, freshness={"unchanged": "skip"})
    site.bluegreen("release", expect=0)
    before, images_before = site.live(), site.images()
    ran = site.bluegreen("release", expect=0)
    assert ran.outcome == "unchanged"
    assert [step["name"] for step in ran.document["steps"]][-2:] == ["inspect", "verify"]
    assert site.live() == before
    assert site.images() == images_before
    assert len(site.containers()) == 1
    newest = site.bluegreen("history", expect=0).document["releases"][0]
    assert (newest["outcome"], newest["was_live"]) == ("unchanged", False)


def test_unchanged_can_be_a_failure(module_host: Host) -> None:
    site = site_of(module_host, freshness={"unchanged": "fail"})
    site.bluegreen("release", expect=0)
    before = site.live()
    ran = site.bluegreen("release", expect=4)
    assert "nothing changed" in ran.error["message"]
    assert "freshness.unchanged" in ran.error["hint"]
    assert (site.live(), len(site.images())) == (before, 1)


@pytest.mark.parametrize(
    ("section", "before", "after"),
    [
        ("container", {"env": {"API": "a"}}, {"env": {"API": "b"}}),
        ("container", {"memory": "64m"}, {"memory": "96m"}),
        ("container", {"env_file": ["site.env"]}, {"env_file": ["site.env"]}),
        ("container", {"secrets": ["id=t,src=token"]}, {"secrets": ["id=t,src=token"]}),
        ("container", {"tmpfs": ["/var/a"]}, {"tmpfs": ["/var/b"]}),
        ("hosts", ["a"], ["a", "b"]),
    ],
    ids=["env", "limits", "env file's content", "secret's content", "mounts", "routing"],
)
def test_another_spec_with_the_same_bytes_is_a_change(
    module_host: Host, section: str, before: Any, after: Any
) -> None:
    site = site_of(module_host, freshness={"unchanged": "skip"})

    def write(value: Any, content: str) -> None:
        if section == "hosts":
            value = [f"{name}.{site.name}.test" for name in value]
        draft_of(site, "one", **{section: value})
        (site.project.folder / "site.env").write_text(f"A={content}\n")
        (site.project.folder / "token").write_text(content)

    write(before, "first-secret")
    site.bluegreen("release", expect=0)
    assert site.bluegreen("release", expect=0).outcome == "unchanged"
    write(after, "second-secret")
    assert site.bluegreen("release", expect=0).outcome == "released"


def test_a_live_container_that_does_not_serve_it_is_replaced_though_nothing_changed(
    module_host: Host,
) -> None:
    """Skipping would leave users with what somebody did to the container."""
    site = site_of(module_host, freshness={"unchanged": "skip"})
    site.bluegreen("release", expect=0)
    site.containers()[0].exec_run(["sh", "-c", "echo other >/srv/www/index.html"])
    ran = site.bluegreen("release", expect=0)
    assert ran.outcome == "released"
    assert warned(ran, "yet users do not get it")
    assert module_host.get(site).version == "one"


# --- build id ---------------------------------------------------------------


def test_the_build_id_is_compared_on_the_candidate_and_at_the_edge(module_host: Host) -> None:
    site = site_of(module_host, freshness={"build_id": "/version.json"})
    ran = site.bluegreen("release", "--revision", "one", expect=0)
    proof = site.bluegreen("status", "--proof", expect=0).document["proof"]
    assert proof["candidate"]["build_id"] == proof["edge"]["build_id"] == "/version.json"
    draft_of(site, "two")
    wrong = site.bluegreen("release", "--revision", "three").expect(4)
    assert "/version.json does not hold the revision three" in wrong.error["message"]
    assert ran.document["live"]["id"] in site.live()


def test_a_build_id_without_a_revision_is_wrong_usage(module_host: Host) -> None:
    site = site_of(module_host, freshness={"build_id": "/version.json"})
    ran = site.bluegreen("release").expect(2)
    assert "--revision" in ran.error["hint"]


# --- rewritten --------------------------------------------------------------

START = (
    "RUN printf '%s\\n' '#!/bin/sh'"
    ' \'sed -i "s/lang=\\"en\\"/data-api=\\"$API\\"/" /srv/www/index.html\' \'exec "$@"\' >/start'
    " && chmod 755 /start"
)


def templated(site: Site, version: str, **sections: Mapping[str, Any]) -> ProjectEdit:
    edit = draft_of(site, version, **sections)
    serve = 'CMD ["/bin/caddy", "run", "--config", "/etc/caddy/Caddyfile"]'
    edit.more(START, 'ENTRYPOINT ["/start"]', serve)
    return edit


def test_a_file_that_the_container_writes_must_be_named(module_host: Host) -> None:
    site = site_of(module_host, container={"env": {"API": "x"}, "stop_grace": "1s"})
    templated(site, "one")
    ran = site.bluegreen("release").expect(4)
    assert 'freshness.rewritten = ["index.html"]' in told(ran)


def test_a_named_one_is_proven_by_what_it_names(module_host: Host) -> None:
    freshness = {"rewritten": ["index.html"], "build_id": "/version.json"}
    config = {"container": {"env": {"API": "x"}, "stop_grace": "1s"}, "freshness": freshness}
    site = site_of(module_host, **config)
    templated(site, "one")
    site.bluegreen("release", "--revision", "one", expect=0)
    assert b'data-api="x"' in module_host.get(site).body
    proof = site.bluegreen("status", "--proof", expect=0).document["proof"]
    scripts = [url for url in proof["edge"]["files"] if url.endswith(".js")]
    assert scripts
    assert proof["edge"]["files"]["/"] == proof["candidate"]["files"]["/"]
    site.bluegreen("verify", expect=0)

    edit = templated(site, "two")
    edit.more("RUN sed -i 's|exec|rm /srv/www/assets/app-*.js; exec|' /start")
    ran = site.bluegreen("release", "--revision", "two").expect(4)
    assert "/assets/app-" in ran.error["message"]
    assert "404" in ran.error["message"]


# --- server-rendered --------------------------------------------------------


def rendered(site: Site, version: str) -> ProjectEdit:
    """Nothing in the image is known to be served: the page comes from a template."""
    edit = draft_of(site, version)
    page = edit.read("index.html").replace("</head>", "<!-- {{now}} --></head>")
    edit.put("index.html", page)
    edit.serve("templates")
    return edit


def test_a_rendered_page_is_proven_by_every_file_that_it_names(module_host: Host) -> None:
    site = site_of(module_host, freshness={"web_root": ""})
    rendered(site, "one")
    site.bluegreen("release", expect=0)
    proof = site.bluegreen("status", "--proof", expect=0).document["proof"]
    assert proof["edge"]["page"] == "/"
    assert any(url.startswith("/assets/app-") for url in proof["edge"]["files"])
    site.bluegreen("verify", expect=0)

    edit = rendered(site, "two")
    edit.drop(edit.find("assets/app-*.js"))
    ran = site.bluegreen("release").expect(4)
    assert "/ names /assets/app-" in ran.error["message"]
    assert "status 404" in ran.error["message"]
    assert module_host.get(site).version == "one"


def test_a_rendered_site_is_unchanged_by_its_image(module_host: Host) -> None:
    site = site_of(module_host, freshness={"web_root": "", "unchanged": "skip"})
    rendered(site, "one")
    site.bluegreen("release", expect=0)
    assert site.bluegreen("release", expect=0).outcome == "unchanged"


# --- a missing asset --------------------------------------------------------

SPA = "try_files {path} /index.html"


def test_a_page_in_place_of_a_missing_asset_is_said_where_the_edge_repairs_it(
    module_host: Host,
) -> None:
    site = site_of(module_host)
    draft_of(site, "one").serve(SPA)
    ran = site.bluegreen("release", expect=0)
    assert warned(ran, "/assets/", "is answered with a page", "404 in its place")


def test_and_rejected_where_no_store_stands_behind(module_host: Host) -> None:
    site = site_of(module_host, assets={"paths": []})
    draft_of(site, "one").serve(SPA)
    ran = site.bluegreen("release").expect(4)
    assert "is answered with a page" in ran.error["message"]
    assert "assets.paths" in ran.error["hint"]


# --- times ------------------------------------------------------------------

HOUR = 3600.0


def old_without_a_cause(site: Site, version: str, hours: float = 2) -> None:
    """A page that the build makes and dates back itself: no cache, no context's file."""
    edit = draft_of(site, version)
    edit.more(
        f"ARG AGAIN={time.time_ns()}",
        f"RUN echo '<!-- {version} '$AGAIN' -->' >>/srv/www/index.html"
        f" && touch -d @{int(time.time() - hours * HOUR)} /srv/www/index.html",
    )


@pytest.mark.parametrize(("mode", "code", "said"), [("warn", 0, True), ("off", 0, False)])
def test_an_old_page_that_nothing_explains_is_said(
    module_host: Host, mode: str, code: int, said: bool
) -> None:
    site = site_of(module_host, freshness={"last_modified": mode})
    old_without_a_cause(site, "one")
    ran = site.bluegreen("release", "--no-cache", expect=code)
    assert warned(ran, "index.html", "older than the build") is said, ran


def test_it_can_be_a_failure(module_host: Host) -> None:
    site = site_of(module_host, freshness={"last_modified": "fail"})
    old_without_a_cause(site, "one")
    ran = site.bluegreen("release", "--no-cache").expect(4)
    assert "older than the build" in ran.error["message"]
    assert [step["name"] for step in ran.document["steps"]][-1] == "inspect"


@pytest.mark.parametrize("when", [0.0, 1.0, 315532800.0, -3 * HOUR, 3 * HOUR])
def test_a_time_with_a_cause_passes_even_where_it_could_be_a_failure(
    module_host: Host, when: float
) -> None:
    """Zeroed, the context's own, and of a clock that is ahead."""
    site = site_of(module_host, freshness={"last_modified": "fail"})
    moment = when if 0 <= when < HOUR or when > 1e6 else time.time() + when
    draft_of(site, "one").date(moment)
    assert site.bluegreen("release", expect=0).document["warnings"] == []


def test_a_touched_file_and_its_cached_layer_pass(module_host: Host) -> None:
    site = site_of(module_host, freshness={"last_modified": "fail"})
    draft_of(site, "one").date(time.time() - HOUR)
    site.bluegreen("release", expect=0)
    edit = ProjectEdit(site.project.folder, site.name)
    os.utime(edit.dist / "index.html")
    ran = site.bluegreen("release", expect=0)
    assert warned(ran, "released afresh")
    assert not warned(ran, "older than the build")


def test_a_new_revision_with_the_old_bytes_is_said(module_host: Host) -> None:
    """The frontend was changed, and not built again before its image."""
    site = site_of(module_host)
    first = commit(site, "first")
    site.bluegreen("release", expect=0)
    (site.project.folder / "src.ts").write_text("changed")
    (site.project.folder / ".dockerignore").write_text("src.ts\n.git\n")
    second = commit(site, "second")
    ran = site.bluegreen("release", expect=0)
    assert warned(ran, f"from {first} to {second}", "every byte is the live release's")


def test_a_new_revision_that_changed_nothing_below_the_context_is_no_alarm(
    module_host: Host,
) -> None:
    site = site_of(module_host, freshness={"last_modified": "fail"})
    commit(site, "first")
    site.bluegreen("release", expect=0)
    commit(site, "of another part of the repository")
    ran = site.bluegreen("release", expect=0)
    assert not warned(ran, "every byte")


def test_two_pages_with_one_validator_are_found(module_host: Host) -> None:
    """Fixed times and the same size: browsers that hold the old page would keep it."""
    etag = 'header / ETag "\\"one-for-all\\""'
    site = site_of(module_host)
    draft_of(site, "one").serve(etag)
    site.bluegreen("release", expect=0)
    draft_of(site, "two").serve(etag)
    ran = site.bluegreen("release", expect=0)
    found = warned(ran, "304", "browsers keep the old page")
    assert found == (_validates(module_host, site) == 304)


def _validates(host: Host, site: Site) -> int:
    """What the server makes of the shared ETag: some file servers look at their own alone."""
    headers = {"Host": site.hostname, "If-None-Match": '"one-for-all"'}
    return httpx.get(host.url, headers=headers, trust_env=False).status_code


# --- verify -----------------------------------------------------------------


@pytest.fixture
def proven(module_host: Host) -> Site:
    site = site_of(module_host)
    site.bluegreen("release", "--revision", "one", expect=0)
    return site


def test_verify_is_one_line_and_one_document(proven: Site) -> None:
    ran = proven.bluegreen("verify", expect=0)
    assert ran.outcome == "verified"
    assert ran.document["against"] == "the image"
    assert set(ran.document["checked"]) == {"origin", "edge"}
    assert ran.document["checked"]["edge"]["compared"] > 5
    people = proven.bluegreen("verify", as_json=False).expect(0)
    assert people.stdout.count("\n") == 1
    assert "verified" in people.stdout
    assert proven.bluegreen("verify", "-q", as_json=False).expect(0).stdout == ""
    assert len(proven.containers()) == 1


def test_verify_without_the_image_goes_by_the_ledgers_digests(proven: Site) -> None:
    """Its tag is gone; the container still runs."""
    for tag in proven.images():
        proven.host.client.images.remove(tag, force=True)
    ran = proven.bluegreen("verify", expect=0)
    assert ran.document["against"] == "the ledger's digests"
    assert ran.document["checked"]["edge"]["compared"] > 5


def test_verify_takes_no_lock(proven: Site) -> None:
    draft_of(proven, "two", gate={"path": "/never", "timeout": "4s"})
    running = proven.bluegreen.start("release")
    running.wait_for("boot")
    proven.bluegreen("verify", expect=0)
    assert not running.over
    running.wait().expect(4)


def test_verify_tells_a_stale_container(proven: Site) -> None:
    """The sticky one of the story: its files are not those of its image."""
    proven.containers()[0].exec_run(["sh", "-c", "echo other >/srv/www/index.html"])
    ran = proven.bluegreen("verify").expect(1)
    assert ran.outcome == "failed"
    assert {found["where"] for found in ran.document["findings"]} == {"origin"}
    assert "other bytes" in ran.error["message"]
    assert "bluegreen release" in ran.error["hint"]
    people = proven.bluegreen("verify", as_json=False).expect(1)
    assert people.stdout.count("\n") == 1
    assert people.stdout.startswith("failed: ")


def test_verify_tells_a_container_that_is_gone(proven: Site) -> None:
    proven.containers()[0].stop(timeout=1)
    ran = proven.bluegreen("verify").expect(1)
    assert "origin" in {found["where"] for found in ran.document["findings"]}
    assert "exited" in ran.error["message"]


def test_verify_tells_that_nothing_is_live(module_host: Host) -> None:
    site = site_of(module_host)
    ran = site.bluegreen("verify").expect(1)
    assert "no release is live" in ran.error["message"]


def test_verify_tells_a_stale_cdn_by_its_headers(proven: Site) -> None:
    with Cdn(proven.host.url, proven.hostname, kept={"/"}) as cdn:
        proven.bluegreen("verify", "--url", cdn.url, expect=0)
        draft_of(proven, "two")
        proven.bluegreen("release", "--revision", "two", expect=0)
        ran = proven.bluegreen("verify", "--url", cdn.url).expect(1)
        assert {found["where"] for found in ran.document["findings"]} == {"cdn"}
        assert "x-cache: HIT" in ran.error["message"]
        assert "age: " in ran.error["message"]
        assert "purge" in ran.error["hint"]
        cdn.purge()
        fresh = proven.bluegreen("verify", "--url", cdn.url, expect=0)
        assert set(fresh.document["checked"]) == {"origin", "edge", "cdn"}


def test_verify_tells_a_url_that_is_none(proven: Site) -> None:
    ran = proven.bluegreen("verify", "--url", "www.example.com").expect(2)
    assert "https://www.example.com" in ran.error["hint"]


def test_verify_tells_an_address_that_nobody_answers(proven: Site) -> None:
    ran = proven.bluegreen("verify", "--url", "http://127.0.0.1:9").expect(1)
    assert {found["where"] for found in ran.document["findings"]} == {"cdn"}
    assert "no answer" in ran.error["message"]


def test_verify_tells_a_stale_edge(proven: Site) -> None:
    """Somebody's route by the admin API, behind bluegreen's back."""
    page = {
        "handler": "static_response",
        "body": "<!doctype html>last week's",
        "headers": {"Content-Type": ["text/html"]},
    }
    route = {"match": [{"host": [proven.hostname]}], "handle": [page], "terminal": True}
    socket = str(State(proven.host.state_dir).admin_socket)
    with httpx.Client(transport=httpx.HTTPTransport(uds=socket), base_url="http://caddy") as caddy:
        caddy.put("/config/apps/http/servers/public/routes/0", json=route).raise_for_status()
    ran = proven.bluegreen("verify").expect(1)
    assert {found["where"] for found in ran.document["findings"]} == {"edge"}
    assert "edge stale: /: other bytes" in ran.error["message"]
    assert "bluegreen edge status" in ran.error["hint"]


# --- status --proof, and the ledger -----------------------------------------


def test_the_chain_of_evidence_is_shown(proven: Site) -> None:
    proof = proven.bluegreen("status", "--proof", expect=0).document["proof"]
    image, candidate, edge = proof["image"], proof["candidate"], proof["edge"]
    assert image["image_id"].startswith("sha256:")
    assert image["files"] == FILES
    assert (candidate["against"], edge["against"]) == ("image", "candidate")
    assert image["at"] < candidate["at"] < edge["at"]
    assert edge["files"]["/"]["sha256"] == image["index"]["sha256"]
    assert edge["files"] == candidate["files"]
    people = proven.bluegreen("status", "--proof", as_json=False).expect(0)
    for text in ("image", "candidate", "edge", edge["files"]["/"]["sha256"][:12]):
        assert text in people.stdout
    assert "proof" not in proven.bluegreen("status", expect=0).document


def test_a_ledger_of_the_first_schema_is_brought_forward_by_the_next_command(
    proven: Site,
) -> None:
    with closing(sqlite3.connect(State(proven.host.state_dir).ledger)) as database:
        database.execute("alter table release drop column proof")
        database.execute("pragma user_version = 1")
        database.commit()
    people = proven.bluegreen("status", "--proof", as_json=False).expect(0)
    assert "no proof is kept of this release" in people.stdout
    proven.bluegreen("verify", expect=0)
    draft_of(proven, "two")
    proven.bluegreen("release", "--revision", "two", expect=0)
    assert proven.bluegreen("status", "--proof", expect=0).document["proof"]["edge"]


# --- the cache time of what names the rest ----------------------------------


def test_a_cache_time_of_the_page_is_said(module_host: Host) -> None:
    site = site_of(module_host)
    draft_of(site, "one").serve("header / Cache-Control max-age=3600")
    ran = site.bluegreen("release", expect=0)
    assert warned(ran, "/ (Cache-Control: max-age=3600)", "no-cache")
