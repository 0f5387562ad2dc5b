"""What goes wrong on the host, between the live container and the edge, and behind a CDN.

Nothing is released here when it goes wrong: `bluegreen verify` must see it, and say where.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

import docker
import httpx
import pytest
from docker.models.containers import Container

from bluegreen.lib import poll
from bluegreen.state.folder import State
from kit.cdn import Cdn, Change, Reply
from kit.site import projects
from kit.site.command import Ran
from kit.site.host import Host, Site
from kit.site.project_edit import FILES

QUICK = {"gate": {"passes": 1}, "container": {"stop_grace": "1s"}}


@pytest.fixture(scope="module")
def module_host(client: docker.DockerClient) -> Iterator[Host]:
    host = Host(client)
    try:
        host.up()
        yield host
    finally:
        host.remove()


@pytest.fixture
def live(module_host: Host) -> Site:
    """v2 is live, and the image of v1 is still there."""
    site = module_host.site("v1", files=FILES, config=QUICK)
    site.bluegreen("release", "--revision", "v1", expect=0)
    site.write("v2", files=FILES)
    site.bluegreen("release", "--revision", "v2", expect=0)
    site.bluegreen("verify", expect=0)
    return site


@contextmanager
def old_container(site: Site, alias: str = "") -> Iterator[Container]:
    """A container of v1's image on the edge's network, as a run by hand leaves it."""
    client, host = site.host.client, site.host
    (image,) = (tag for tag in site.images() if "-v1-" in tag)
    container = client.containers.create(image, name=f"old-{site.name}")
    try:
        network = client.networks.get(host.name)
        network.connect(container, aliases=[alias] if alias else None)
        container.start()
        yield container
    finally:
        container.remove(force=True)


def await_version(site: Site, version: str) -> None:
    """Connections that the edge kept to a container that left the network answer no more."""
    for _ in poll.ticks(30, 0.1):
        with suppress(httpx.TimeoutException):
            came = httpx.get(site.host.url, headers={"Host": site.hostname}, timeout=1)
            if projects.version_of(came.content) == version:
                return
    raise AssertionError(f"users never got {version}")


def findings(ran: Ran) -> str:
    """What verify says to people, whole."""
    assert ran.code == 1, ran
    told = " · ".join(f"{one['where']}: {one['what']}" for one in ran.document["findings"])
    return f"{ran.error['message']} · {told} · {ran.error['hint']}"


def tells(ran: Ran, *texts: str) -> None:
    told = findings(ran)
    for text in texts:
        assert text in told, f"{text!r} is not in: {told}"


# --- the story: Compose keeps the old container, and the script says success -----------


@pytest.fixture
def shop(module_host: Host) -> Iterator[Site]:
    """A site whose team has a Compose file beside bluegreen.toml."""
    site = module_host.site("v1", files=FILES, config=QUICK)
    compose_file(site)
    try:
        yield site
    finally:
        compose(site, "down", "--timeout", "1", "--rmi", "local", "--volumes")
        for image in module_host.client.images.list(name=f"{site.name}-web"):
            for tag in image.tags:
                module_host.client.images.remove(tag)


def compose_file(site: Site) -> None:
    """The tag is the build's; who starts it without one gets the service's own."""
    service = {
        "build": ".",
        "image": f"{site.name}-web:${{TAG:-stable}}",
        "networks": ["edge"],
    }
    edge = {"external": True, "name": site.host.name}
    (site.project.folder / "compose.yaml").write_text(
        json.dumps({"name": site.name, "services": {"web": service}, "networks": {"edge": edge}})
    )


def composed(site: Site) -> Container:
    """The one container of the site's Compose service."""
    label = f"com.docker.compose.project={site.name}"
    (container,) = site.host.client.containers.list(filters={"label": label})
    return container


def compose(site: Site, *argv: str, **env: str) -> str:
    done = subprocess.run(
        ["docker", "compose", *argv],
        cwd=site.project.folder,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_the_container_that_compose_kept_is_seen_and_replaced(shop: Site) -> None:
    """`docker compose build` and `up -d` both succeed, and users get last week's files."""
    host = shop.host
    compose(shop, "build")
    compose(shop, "up", "-d")
    first = composed(shop)
    shop.write("v2", files=FILES)
    shop.bluegreen("release", "--revision", "v2", expect=0)

    # The old script, once more: a build under a new tag, and a service that has not changed.
    shop.write("v3", files=FILES)
    compose(shop, "build", TAG="v3")
    said = compose(shop, "up", "-d")
    pointer(shop, f"{first.name}:80")
    assert "Running" in said
    kept = composed(shop)
    assert kept.id == first.id
    assert host.get(shop).version == "v1"

    tells(shop.bluegreen("verify"), str(first.name), "is live")
    amiss = shop.bluegreen("status", expect=0).document["amiss"]
    assert any(str(first.name) in trouble for trouble in amiss)

    ran = shop.bluegreen("release", "--revision", "v3", expect=0)
    assert host.get(shop).version == "v3"
    assert ran.document["live"]["id"] in shop.live()
    shop.bluegreen("verify", expect=0)
    first.reload()
    assert first.status == "running", "it is not bluegreen's to remove"
    assert any("bluegreen did not make it" in said for said in ran.document["warnings"])


def test_the_container_that_compose_kept_under_the_name_of_live_is_seen(shop: Site) -> None:
    """Both answer to one name on the network; the fresh one is then stopped as the spare one."""
    compose(shop, "build")
    compose(shop, "up", "-d")
    shop.write("v2", files=FILES)
    shop.bluegreen("release", "--revision", "v2", expect=0)
    (fresh,) = shop.containers()
    old = composed(shop)
    network = shop.host.client.networks.get(shop.host.name)
    network.disconnect(old)
    network.connect(old, aliases=[str(fresh.name)])
    network.disconnect(fresh)
    await_version(shop, "v1")
    tells(shop.bluegreen("verify"), "/: other bytes than the image's index.html", "origin")


# --- candidate → edge --------------------------------------------------------------


def pointer(site: Site, dial: str) -> None:
    """As a person puts it back by hand."""
    State(site.host.state_dir).pointer(site.name).write_text(f"{dial}\n")


def test_a_pointer_put_back_by_hand_is_seen(live: Site) -> None:
    with old_container(live) as old:
        pointer(live, f"{old.name}:80")
        assert live.host.get(live).version == "v1"
        tells(live.bluegreen("verify"), f"{old.name} is live, and the ledger does not know it")


def test_another_container_that_answers_to_lives_name_is_seen(live: Site) -> None:
    (container,) = live.containers()
    with old_container(live, alias=str(container.name)):
        live.host.client.networks.get(live.host.name).disconnect(container)
        await_version(live, "v1")
        tells(live.bluegreen("verify"), "origin stale", "other bytes", "bluegreen release")


def test_files_changed_in_the_live_container_are_seen(live: Site) -> None:
    """A fix by hand, that the next start of the container forgets."""
    (container,) = live.containers()
    code, told = container.exec_run(["sed", "-i", "s/v2/v2-fixed/g", "/srv/www/index.html"])
    assert code == 0, told
    tells(live.bluegreen("verify"), "origin stale", "/: other bytes than the image's index.html")


def test_an_asset_lost_in_the_live_container_is_seen(live: Site) -> None:
    """The store has it still, and so users do not notice; the container is not whole."""
    (container,) = live.containers()
    container.exec_run(["sh", "-c", "rm /srv/www/assets/app-*.js"])
    tells(live.bluegreen("verify"), "origin stale", "assets/app-", "status 404")


def test_a_live_container_that_is_stopped_is_seen(live: Site) -> None:
    (container,) = live.containers()
    container.stop(timeout=1)
    tells(live.bluegreen("verify"), "origin", "is exited with exit code")


def test_an_edge_whose_configuration_someone_replaced_is_seen_and_healed(live: Site) -> None:
    """A static upstream in place of the pointer: every later switch would be without effect."""
    with old_container(live) as old:
        load_with_static_upstream(live, f"{old.name}:80")
        live.host.wait_until_it_answers()
        assert live.host.get(live).version == "v1"
        tells(live.bluegreen("verify"), "edge stale", "/: other bytes than the image's index.html")
        amiss = live.bluegreen("status", expect=0).document["amiss"]
        assert any("bluegreen edge up" in trouble for trouble in amiss), amiss
        live.write("v3", files=FILES)
        live.bluegreen("release", "--revision", "v3", expect=0)
        assert live.host.get(live).version == "v3"
        live.bluegreen("verify", expect=0)


def test_a_route_before_the_sites_own_is_seen(live: Site) -> None:
    """Someone's maintenance page, for ever."""
    page = {
        "handler": "static_response",
        "body": "back soon",
        "headers": {"Content-Type": ["text/html"]},
    }
    route = {"match": [{"host": [live.hostname]}], "handle": [page], "terminal": True}
    with admin(live.host) as caddy:
        caddy.put("/config/apps/http/servers/public/routes/0", json=route).raise_for_status()
    tells(live.bluegreen("verify"), "edge stale", "/", "9 bytes")


def load_with_static_upstream(site: Site, dial: str) -> None:
    with admin(site.host) as caddy:
        text = caddy.get("/config/").text
        changed = re.sub(rf"\{{file\.[^}}]*/{site.name}/live\}}", dial, text)
        assert changed != text
        headers = {"Content-Type": "application/json"}
        caddy.post("/load", content=changed, headers=headers).raise_for_status()


def admin(host: Host) -> httpx.Client:
    transport = httpx.HTTPTransport(uds=str(State(host.state_dir).admin_socket))
    return httpx.Client(transport=transport, base_url="http://caddy", timeout=30)


# --- edge → CDN ------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Case:
    name: str
    change: Change
    says: tuple[str, ...]


def only(pattern: str, change: Callable[[Reply], Reply]) -> Change:
    wanted = re.compile(pattern)
    return lambda path, reply: change(reply) if wanted.fullmatch(path) else reply


def _headers(reply: Reply, **values: str) -> Reply:
    return replace(reply, headers={**reply.headers, **values})


def _minified(reply: Reply) -> Reply:
    return replace(reply, body=re.sub(rb">\s+<", b"><", reply.body))


def _injected(reply: Reply) -> Reply:
    return replace(reply, body=reply.body.replace(b"</body>", b"<script>1</script></body>"))


def _page(_: Reply) -> Reply:
    return Reply(200, {"content-type": "text/html"}, b"<!doctype html><title>oops</title>")


def _cut(reply: Reply) -> Reply:
    return replace(reply, body=reply.body[: len(reply.body) // 2])


def _cut_off(reply: Reply) -> Reply:
    """It says how long it would have been."""
    cut = _headers(reply, **{"content-length": str(len(reply.body)), "connection": "close"})
    return replace(cut, body=reply.body[: len(reply.body) // 2])


def _untyped(reply: Reply) -> Reply:
    return replace(reply, headers={"content-type": "application/octet-stream"})


def _login(_: Reply) -> Reply:
    return Reply(302, {"location": "https://login.example.test/"}, b"")


def _down(_: Reply) -> Reply:
    return Reply(503, {"content-type": "text/html"}, b"origin unreachable")


SCRIPT = r"/assets/app-\w+\.js"
CDN = (
    Case(name="minifies the page", change=only("/", _minified), says=("/: other bytes",)),
    Case(name="adds a script to the page", change=only("/", _injected), says=("/: other bytes",)),
    Case(
        name="a page in place of a script",
        change=only(SCRIPT, _page),
        says=("assets/app-", "type text/html", "text/javascript expected"),
    ),
    Case(name="a script cut short", change=only(SCRIPT, _cut), says=("assets/app-", "other bytes")),
    Case(
        name="a script whose connection ends too early",
        change=only(SCRIPT, _cut_off),
        says=("assets/app-", "no answer"),
    ),
    Case(
        name="the types are gone",
        change=only(r"/assets/.*\.css", _untyped),
        says=(".css", "application/octet-stream", "text/css expected"),
    ),
    Case(name="a login before everything", change=only(".*", _login), says=("302", "login")),
    Case(name="it cannot reach the edge", change=only(".*", _down), says=("/: status 503",)),
)


@pytest.fixture(scope="module")
def shown(module_host: Host) -> Site:
    """A site that the tests behind a CDN only look at."""
    site = module_host.site("v1", files=FILES, config=QUICK)
    site.bluegreen("release", "--revision", "v1", expect=0)
    return site


@pytest.mark.parametrize("case", CDN, ids=lambda case: case.name)
def test_what_a_cdn_does_to_the_files_is_seen_and_blamed_on_it(case: Case, shown: Site) -> None:
    with Cdn(shown.host.url, shown.hostname, change=case.change) as cdn:
        ran = shown.bluegreen("verify", "--url", cdn.url)
    tells(ran, "cdn stale", *case.says)
    assert {one["where"] for one in ran.document["findings"]} == {"cdn"}


def test_a_cdn_that_leads_to_another_site_is_seen(shown: Site) -> None:
    with Cdn(shown.host.url, "other.test") as cdn:
        tells(shown.bluegreen("verify", "--url", cdn.url), "cdn stale", "/: status 404")


def test_a_cdn_that_keeps_the_old_page_is_seen(module_host: Host) -> None:
    site = module_host.site("v1", files=FILES, config=QUICK)
    site.bluegreen("release", "--revision", "v1", expect=0)
    with Cdn(module_host.url, site.hostname, kept={"/"}) as cdn:
        assert projects.version_of(cdn.get("/").body) == "v1"
        site.write("v2", files=FILES)
        site.bluegreen("release", "--revision", "v2", expect=0)
        ran = site.bluegreen("verify", "--url", cdn.url)
    tells(ran, "cdn stale", "/: other bytes", "x-cache: HIT", "purge these paths")
    site.bluegreen("verify", expect=0)


def test_a_cdn_that_keeps_the_old_build_id_is_seen(module_host: Host) -> None:
    config: dict[str, Any] = {**QUICK, "freshness": {"build_id": "/version.json"}}
    site = module_host.site("v1", files=FILES, config=config)
    site.bluegreen("release", "--revision", "v1", expect=0)
    with Cdn(module_host.url, site.hostname, kept={"/version.json"}) as cdn:
        cdn.get("/version.json")
        site.write("v2", files=FILES)
        site.bluegreen("release", "--revision", "v2", expect=0)
        ran = site.bluegreen("verify", "--url", cdn.url)
    tells(ran, "cdn stale", "/version.json holds the revision v1", "not v2")


def test_a_cdn_that_hands_on_what_it_gets_is_no_finding(shown: Site) -> None:
    with Cdn(shown.host.url, shown.hostname) as cdn:
        shown.bluegreen("verify", "--url", cdn.url, expect=0)
