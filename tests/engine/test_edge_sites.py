"""Sites on a real edge: routing, registering, both switches, and what a broken host shows."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator

import docker
import pytest

from bluegreen import probe
from bluegreen.edge import SiteEdge
from bluegreen.errors import ConfigError, EdgeError
from bluegreen.model import IDLE, Upstream
from kit.engine.edges import Place, place_of

_ECHO = {
    "admin": {"disabled": True},
    "apps": {
        "http": {
            "servers": {
                "s": {
                    "listen": [":80"],
                    "automatic_https": {"disable": True},
                    "routes": [
                        {
                            "handle": [
                                {
                                    "handler": "static_response",
                                    "body": "host={http.request.host}"
                                    " proto={http.request.header.X-Forwarded-Proto}"
                                    " forwarded={http.request.header.X-Forwarded-Host}"
                                    " dial={http.request.header.Bluegreen-Dial}",
                                }
                            ]
                        }
                    ],
                }
            }
        }
    },
}


@pytest.fixture
def place(client: docker.DockerClient) -> Iterator[Place]:
    with place_of(client) as place:
        yield place


def _site(place: Place, name: str = "web", *hosts: str, **edge: str) -> SiteEdge:
    settings = place.settings(name, hosts, **edge)
    running = place.running(**edge)
    running.register(settings)
    return running.site(settings)


def _public(edge: SiteEdge) -> str:
    answer = edge.public("/", timeout=10)
    return answer.head if answer.status == 200 else str(answer.status)


# --- routing ----------------------------------------------------------------


def test_before_the_first_release_the_edge_says_503_with_retry_after_at_once(
    place: Place,
) -> None:
    """Not a wait for `try_duration`, and not a 502."""
    place.up()
    edge = _site(place)
    answer = edge.public("/", timeout=5)
    assert answer.status == 503 and answer.seconds < 1
    with probe.Client(f"http://127.0.0.1:{place.port}", via="public") as raw:
        assert raw.ask("/any/path", host="any.test", timeout=5).status == 503
    [route] = place.running().admin.config()["apps"]["http"]["servers"]["idle"]["routes"]
    assert route["handle"][0]["headers"]["Retry-After"] == ["5"]


def test_two_sites_share_one_edge_by_host(place: Place) -> None:
    """Each host gets its own release; an unknown host gets neither; the site without hosts
    takes the rest."""
    place.up()
    one, two = _site(place, "one", "one.test"), _site(place, "two", "two.test", "*.two.test")
    one.switch(place.backend("first"))
    two.switch(place.backend("second"))
    with probe.Client(f"http://127.0.0.1:{place.port}", via="public") as raw:
        hosts = ("one.test", "two.test", "a.two.test", "three.test")
        assert [raw.ask("/", host=host, timeout=5).head for host in hosts] == [
            "first",
            "second",
            "second",
            "No site here has this host name.\n",
        ]
        _site(place, "all").switch(place.backend("third"))
        assert [raw.ask("/", host=host, timeout=5).head for host in hosts] == [
            "first",
            "second",
            "second",
            "third",
        ]


def test_a_host_belongs_to_one_site(place: Place) -> None:
    """Two sites for a host, or two for all the rest, are a mistake that names the other."""
    place.up()
    _site(place, "one", "a.test", "b.test")
    _site(place, "rest")
    before = place.running().admin.config()
    with pytest.raises(ConfigError) as same_host:
        _site(place, "two", "b.test", "c.test")
    with pytest.raises(ConfigError) as no_hosts:
        _site(place, "two")
    assert same_host.value.problems == ("hosts: b.test belongs to site one on this edge",)
    assert "site rest on this edge" in no_hosts.value.problems[0]
    assert place.running().admin.config() == before
    assert sorted(place.running().routes()) == ["one", "rest"]


def test_a_known_site_never_costs_a_load(place: Place) -> None:
    """`plan` is told before; new hosts are told too."""
    place.up()
    running, settings = place.running(), place.settings(hosts=("a.test",))
    assert running.needs_load(settings) == "site web is new on this edge"
    assert running.register(settings) is True
    assert running.needs_load(settings) == ""
    assert running.register(settings) is False
    moved = place.settings(hosts=("b.test",))
    assert "hosts of site web changed" in running.needs_load(moved)
    assert running.register(moved) is True


def test_users_and_the_preview_cause_the_same_request(place: Place) -> None:
    """Host, X-Forwarded-Proto and -Host are equal; what tells the preview where to go is gone."""
    place.up()
    edge = _site(place, "web", "www.test")
    upstream = place.backend("", _ECHO)
    edge.switch(upstream)
    expected = "host=www.test proto=http forwarded=www.test dial="
    assert edge.public("/", timeout=5).head == expected
    assert edge.preview(upstream, "/", timeout=5).head == expected


# --- what a dead run left ---------------------------------------------------


def test_a_crash_between_load_and_persist_is_healed_by_the_next_command(place: Place) -> None:
    """What Caddy runs and disk lacks is written, without another load; a restart keeps it."""
    place.up()
    edge, settings = place.running(), place.settings()
    edge.register(settings)
    config = edge.admin.config()
    old = place.state.caddy_json.read_bytes()
    (place.state.routes / "web.json").unlink()
    place.state.caddy_json.write_bytes(json.dumps({"half": "written"}).encode())
    assert edge.register(settings) is False
    assert place.state.caddy_json.read_bytes() == old
    place.restart()
    assert _eventually(lambda: edge.admin.config() == config)


def test_a_configuration_that_caddy_refuses_is_not_persisted(place: Place) -> None:
    """The old one keeps serving, and is what a restart brings."""
    place.up()
    running = place.running()
    edge = _site(place)
    broken = running.admin.config()
    broken["apps"]["http"]["servers"]["public"]["routes"][0]["handle"][0]["handler"] = "nonsense"
    with pytest.raises(EdgeError, match="nonsense"):
        running.admin.load(broken)
    assert edge.public("/", timeout=5).status == 503
    assert b"nonsense" not in place.state.caddy_json.read_bytes()


# --- the switches -----------------------------------------------------------


@pytest.mark.parametrize("kind", ["pointer", "reload"])
def test_a_switch_there_and_back_survives_restarts(place: Place, kind: str) -> None:
    """Live is what the switch says, before and after the edge's container starts anew."""
    place.up(switch=kind)
    edge = _site(place)
    assert edge.switch_kind == kind
    one, two = place.backend("one"), place.backend("two")
    edge.prepare(one, None)
    edge.switch(one)
    for new, old, body in ((two, one, "two"), (one, two, "one")):
        edge.prepare(new, old)
        edge.switch(new)
        edge.switch(new)  # idempotent
        assert (edge.live(), _public(edge)) == (new, body)
        place.restart()
        assert _eventually(lambda body=body: _public(edge) == body)  # type: ignore[misc]
        assert edge.live() == new
    edge.switch(None)
    assert (edge.live(), _public(edge)) == (None, "503")
    place.restart()
    assert _eventually(lambda: _public(edge) == "503")


@pytest.mark.parametrize("kind", ["pointer", "reload"])
def test_both_ways_are_durable_before_the_switch(place: Place, kind: str) -> None:
    """After `prepare`, no switch needs to write a file: each is a rename of one that waits."""
    place.up(switch=kind)
    edge = _site(place)
    one, two = place.backend("one"), place.backend("two")
    edge.switch(one)
    edge.prepare(two, one)
    waiting = _staged(place)
    edge.switch(two)
    edge.switch(one)
    assert len(waiting) >= 2
    assert _staged(place) == []
    edge.prepare(two, one)
    edge.prepare(two, one)
    assert len(_staged(place)) == len(waiting)  # what an earlier run left is gone


def test_a_switch_by_reload_is_not_undone_by_a_neighbours_load(place: Place) -> None:
    """Also when the process died between the PATCH and its persisting."""
    place.up(switch="reload")
    edge = _site(place, "web", "web.test")
    upstream = place.backend("hello")
    routes = place.state.routes / "web.json"
    before = routes.read_bytes(), place.state.caddy_json.read_bytes()
    edge.switch(upstream)
    routes.write_bytes(before[0])
    place.state.caddy_json.write_bytes(before[1])
    _site(place, "neighbour", "neighbour.test")
    assert _public(edge) == "hello"
    assert json.loads(routes.read_bytes())["dial"] == str(upstream)


def test_a_patch_on_what_has_changed_meanwhile_is_its_own_outcome(place: Place) -> None:
    """412 is not an error: the caller reads again and decides."""
    place.up(switch="reload")
    _site(place)
    admin = place.running().admin
    _, tag = admin.tagged("/id/proxy.web/upstreams")
    assert admin.patch(tag, [{"dial": "one:80"}]) is True
    assert admin.patch(tag, [{"dial": "two:80"}]) is False
    assert admin.tagged("/id/proxy.web/upstreams")[0] == [{"dial": "one:80"}]


def test_sites_move_from_one_switch_to_the_other_without_going_dark(place: Place) -> None:
    """`edge up` is where; the container stays, live stays, in both directions."""
    place.up()
    edge = _site(place)
    upstream = place.backend("hello")
    edge.switch(upstream)
    before = place.inspect()["Id"]
    for kind in ("reload", "pointer"):
        place.up(switch=kind)
        edge = place.running().site(place.settings())
        assert (edge.switch_kind, edge.live(), _public(edge)) == (kind, upstream, "hello")
        place.restart()
        assert _eventually(lambda: _public(edge) == "hello")  # noqa: B023
    assert place.inspect()["Id"] == before


@pytest.mark.parametrize("kind", ["pointer", "reload"])
def test_requests_in_flight_are_counted_across_the_switch(place: Place, kind: str) -> None:
    """The old container's stay counted until they are done: a drain relies on it."""
    place.up(switch=kind)
    edge = _site(place)
    slow, release = _slow_backend(place)
    edge.switch(slow)
    answers: list[int] = []
    asked = threading.Thread(
        target=lambda: answers.append(edge.public("/", timeout=30).status), daemon=True
    )
    asked.start()
    assert _eventually(lambda: edge.in_flight(slow) == 1)
    edge.switch(place.backend("new"))
    assert _public(edge) == "new"
    assert edge.in_flight(slow) == 1
    release()
    asked.join(20)
    assert answers == [200]
    assert _eventually(lambda: edge.in_flight(slow) == 0)


# --- what is amiss ----------------------------------------------------------


def test_a_stopped_container_is_502_with_its_reason(place: Place) -> None:
    """After `try_duration`; the preview says at once why."""
    place.up(try_duration="500ms")
    edge = _site(place)
    upstream = place.backend("hello")
    edge.switch(upstream)
    place.engine.stop(upstream.container, 1)
    assert _public(edge) == "502"
    answer = edge.preview(upstream, "/", timeout=5)
    assert answer.status == 502
    assert "no such host" in answer.error


def test_a_replaced_mount_shows_before_anything_moves(place: Place) -> None:
    """The edge goes on reading the folder that it was given; the host's is another now."""
    place.up()
    _site(place)
    running = place.running()
    running.check("web")
    place.state.sites.rename(place.root / "moved")
    place.state.sites.mkdir(mode=0o755)
    (place.state.sites / "web").mkdir(mode=0o755)
    place.state.pointer("web").write_text(IDLE)
    with pytest.raises(EdgeError) as caught:
        running.check("web")
    assert str(place.state.sites) in caught.value.message
    assert "--recreate" in caught.value.hint
    edge = running.site(place.settings())
    with pytest.raises(EdgeError, match="the edge reads"):
        edge.switch(Upstream("anybody", 80))
    with pytest.raises(EdgeError, match=r"its mount was replaced|does not see") as caught:
        place.up()
    assert caught.value.hint == "bluegreen edge up --recreate"
    place.up(recreate=True)
    place.running().check("web")


def test_a_site_that_the_edge_does_not_serve_shows(place: Place) -> None:
    """Registered on disk, and lost from Caddy: `check` says so, `register` puts it back."""
    place.up()
    running = place.running()
    without = running.admin.config()
    _site(place)
    running.admin.load(without)
    with pytest.raises(EdgeError, match="does not route site web"):
        running.check("web")
    assert running.register(place.settings()) is True
    running.check("web")


def test_a_pointer_that_names_nothing_sensible_is_not_taken_for_no_release(place: Place) -> None:
    """A release would replace what it did not understand."""
    place.up()
    edge = _site(place)
    place.state.pointer("web").write_text("what is this")
    with pytest.raises(EdgeError, match="names no container"):
        edge.live()


# --- helpers ----------------------------------------------------------------


def _eventually(claim: Callable[[], bool], patience: float = 20.0) -> bool:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        try:
            if claim():
                return True
        except EdgeError:
            pass
        time.sleep(0.05)
    return False


def _staged(place: Place) -> list[str]:
    return sorted(str(path) for path in place.root.rglob(".tmp-*"))


def _slow_backend(place: Place) -> tuple[Upstream, Callable[[], object]]:
    """A release whose every request waits until the returned function is called."""
    folder = place.root.parent / "gate"
    folder.mkdir()
    config = {
        "admin": {"disabled": True},
        "apps": {
            "http": {
                "servers": {
                    "waits": {
                        "listen": [":80"],
                        "automatic_https": {"disable": True},
                        "routes": [
                            {
                                "handle": [
                                    {
                                        "handler": "reverse_proxy",
                                        "upstreams": [{"dial": "{file./config/open}"}],
                                        "load_balancing": {
                                            "try_duration": "60s",
                                            "try_interval": "50ms",
                                        },
                                    }
                                ]
                            }
                        ],
                    },
                    "answers": {
                        "listen": ["127.0.0.1:81"],
                        "automatic_https": {"disable": True},
                        "routes": [{"handle": [{"handler": "static_response", "body": "late"}]}],
                    },
                }
            }
        },
    }
    upstream = place.backend("", config)
    opened = place.root.parent / upstream.container / "open"
    return upstream, lambda: opened.write_text("127.0.0.1:81")
