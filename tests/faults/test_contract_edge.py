"""What a release relies on of the edge: with a fake Caddy as with the real one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest

from bluegreen.edge import RunningEdge, SiteEdge
from bluegreen.errors import EdgeError
from bluegreen.model import IDLE, Upstream
from bluegreen.settings import Settings
from kit.engine.edges import place_of
from kit.fakes.world import HOSTNAME, World

NOBODY = Upstream("bg-web-20260301-120000-aaaa", 80)


@dataclass
class Bench:
    """An edge without a site, and two containers on its network."""

    running: RunningEdge
    settings: Settings
    one: Upstream
    two: Upstream
    restart: Callable[[], None]

    @property
    def site(self) -> SiteEdge:
        return self.running.site(self.settings)

    def public(self) -> tuple[int, bytes]:
        came = self.site.public("/", timeout=10.0, keep_body=True)
        return came.status, came.body


@pytest.fixture(params=["pointer", "reload"])
def switch(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["fake", "real"])
def bench(request: pytest.FixtureRequest, folder: Path, switch: str) -> Iterator[Bench]:
    if request.param == "fake":
        world = World(folder, switch=switch)
        for name in ("one", "two"):
            world.add_answering(name)
        yield Bench(
            world.running(),
            world.settings,
            Upstream("one", 80),
            Upstream("two", 80),
            world.restart_edge,
        )
        return
    client: docker.DockerClient = request.getfixturevalue("client")
    with place_of(client) as place:
        place.up(switch=switch)
        one, two = place.backend("one"), place.backend("two")

        def restart() -> None:
            place.restart()
            place.up(switch=switch)  # it waits until it serves

        settings = place.settings(hosts=(HOSTNAME,), switch=switch)
        yield Bench(place.running(switch=switch), settings, one, two, restart)


def test_a_site_is_registered_once(bench: Bench) -> None:
    """Without it nobody has the host; with it no release is live; again costs no load."""
    assert bench.public()[0] == 404
    assert bench.running.needs_load(bench.settings)
    assert bench.running.register(bench.settings) is True
    assert bench.running.register(bench.settings) is False
    assert bench.running.needs_load(bench.settings) == ""
    assert bench.running.unsettled(bench.settings) == ""
    assert bench.public()[0] == 503
    assert bench.site.live() is None
    bench.running.check(bench.settings.site)


def test_a_switch_goes_to_and_fro_and_to_nobody(bench: Bench) -> None:
    bench.running.register(bench.settings)
    edge = bench.site
    before: Upstream | None = None
    for to, answer in ((bench.one, b"one"), (bench.two, b"two"), (bench.one, b"one")):
        edge.prepare(to, before)
        edge.switch(to)
        edge.switch(to)  # idempotent
        edge.tidy()
        assert edge.live() == to
        assert bench.public() == (200, answer)
        before = to
    edge.switch(None)
    assert edge.live() is None
    assert bench.public()[0] == 503


def test_a_switch_outlives_a_restart_of_the_edge(bench: Bench) -> None:
    bench.running.register(bench.settings)
    bench.site.switch(bench.two)
    bench.restart()
    assert bench.public() == (200, b"two")
    assert bench.running.unsettled(bench.settings) == ""


def test_a_container_that_is_not_there_is_a_502(bench: Bench) -> None:
    bench.running.register(bench.settings)
    bench.site.switch(NOBODY)
    assert bench.public()[0] == 502
    assert bench.site.preview(NOBODY, "/", timeout=10.0).status == 502


def test_the_preview_asks_one_container_and_leaves_users_where_they_are(bench: Bench) -> None:
    bench.running.register(bench.settings)
    bench.site.switch(bench.one)
    came = bench.site.preview(bench.two, "/", timeout=10.0, keep_body=True)
    assert (came.status, came.body) == (200, b"two")
    assert bench.public() == (200, b"one")
    assert bench.site.in_flight(bench.two) == 0


def test_what_was_loaded_and_not_stored_is_settled_without_a_load(bench: Bench) -> None:
    """A process that dies between the two: a restart of the edge would lose the site."""
    state = bench.running.state
    before = state.caddy_json.read_bytes()
    bench.running.register(bench.settings)
    state.caddy_json.write_bytes(before)
    bench.running.registry.route_path(bench.settings.site).unlink()
    assert bench.running.unsettled(bench.settings)
    running = bench.running.admin.config()
    bench.running.settle(bench.settings)
    bench.running.settle(bench.settings)
    assert bench.running.unsettled(bench.settings) == ""
    assert bench.running.admin.config() == running
    bench.restart()
    assert bench.public()[0] == 503


def test_a_foreign_configuration_is_not_settled(bench: Bench) -> None:
    """What somebody loaded by hand is not stored as ours; a registration puts it right."""
    empty = bench.running.admin.config()
    bench.running.register(bench.settings)
    stored = bench.running.state.caddy_json.read_bytes()
    empty["apps"]["http"]["servers"]["public"]["routes"] = []
    bench.running.admin.load(empty)
    bench.running.settle(bench.settings)
    assert bench.running.state.caddy_json.read_bytes() == stored
    with pytest.raises(EdgeError, match="does not route"):
        bench.running.check(bench.settings.site)
    bench.running.check(bench.settings.site, routed=False)
    assert bench.running.register(bench.settings) is True
    assert bench.public()[0] == 503


def test_a_configuration_that_is_refused_changes_nothing(bench: Bench) -> None:
    running = bench.running.admin.config()
    with pytest.raises(EdgeError, match="refused"):
        bench.running.admin.load({"admin": running["admin"], "apps": {"nonsense": {}}})
    assert bench.running.admin.config() == running


def test_a_pointer_that_is_missing_is_no_release(bench: Bench, switch: str) -> None:
    bench.running.register(bench.settings)
    if switch == "pointer":
        bench.running.state.pointer(bench.settings.site).unlink()
    assert bench.site.live() is None
    bench.running.registry.ensure_pointer(bench.settings.site)
    pointer = bench.running.state.pointer(bench.settings.site)
    assert pointer.read_text() == IDLE
