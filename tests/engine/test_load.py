"""No lost request: releases and rollbacks under saturating clients that never retry.

Two sites share one edge; one of them is released again and again, both are under load.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

import pytest

from bluegreen.state.folder import State
from kit.load.clients import LoadReport, NoRetryClient, trusting
from kit.load.http2 import Http2Client
from kit.load.streams import EventStream, SlowDownload, WebSocketSession
from kit.load.wrk import Wrk
from kit.site.host import Host, Site
from kit.site.projects import Behaviour

RETAIN = 3
SETTINGS: dict[str, Any] = {"retain": {"images": RETAIN}, "drain": {"timeout": "20s"}}


class Load(Protocol):
    def report(self) -> LoadReport: ...


Make = Callable[[Host, Site], AbstractContextManager[Any]]


def wrk(host: Host, site: Site) -> AbstractContextManager[Any]:
    return Wrk(f"{host.url}/", host=site.hostname, connections=32, limit=580)


def new_connections(host: Host, site: Site) -> AbstractContextManager[Any]:
    return NoRetryClient(host.url, host=site.hostname, threads=4, limit=580, keep_alive=False)


def http2(host: Host, site: Site) -> AbstractContextManager[Any]:
    authority = State(host.state_dir).data / "caddy/pki/authorities/local/root.crt"
    context = trusting(authority)
    context.set_alpn_protocols(["h2"])
    return Http2Client(host.url, host=site.hostname, threads=4, limit=580, context=context)


def release_and_roll_back(
    site: Site, served: Callable[[], str], releases: int, rollbacks: int
) -> None:
    """Each release has other bytes; after each act the right ones are served."""
    pause = max(1, releases // (rollbacks + 1))
    done = 0
    for number in range(1, releases + 1):
        site.write(f"v{number}")
        site.bluegreen("release", expect=0)
        assert served() == f"v{number}"
        if number % pause == 0 and done < rollbacks:
            site.bluegreen("rollback", expect=0)
            assert served() == f"v{number - 1}"
            done += 1
    assert done == rollbacks


def assert_nothing_is_left_over(site: Site) -> None:
    assert len(site.containers()) == 1
    assert len(site.images()) <= RETAIN + 1


@pytest.mark.parametrize(
    ("load", "releases", "rollbacks"),
    [(wrk, 20, 5), (new_connections, 20, 5)],
    ids=["keep-alive", "new connections"],
)
@pytest.mark.timeout(600)
def test_two_sites_lose_nothing_over_releases_and_rollbacks(
    host: Host, load: Make, releases: int, rollbacks: int
) -> None:
    site = host.site("v0", config=SETTINGS)
    neighbour = host.site("n1", config=SETTINGS)
    site.bluegreen("release", expect=0)
    neighbour.bluegreen("release", expect=0)
    with load(host, site) as mine, load(host, neighbour) as other:
        release_and_roll_back(site, lambda: host.get(site).version, releases, rollbacks)
        reports = [mine.report(), other.report()]
    for report in reports:
        report.assert_nothing_lost(at_least=1000)
    assert host.get(neighbour).version == "n1"
    assert_nothing_is_left_over(site)
    assert_nothing_is_left_over(neighbour)


@pytest.mark.timeout(600)
def test_http2_over_tls_loses_nothing(bare_host: Host) -> None:
    bare_host.edge["tls"] = "internal"
    bare_host.up()
    site = bare_host.site("v0", config=SETTINGS)
    site.bluegreen("release", expect=0)
    authority = State(bare_host.state_dir).data / "caddy/pki/authorities/local/root.crt"
    with http2(bare_host, site) as client:
        release_and_roll_back(
            site,
            lambda: bare_host.get(site, context=trusting(authority)).version,
            8,
            2,
        )
        report = client.report()
    report.assert_nothing_lost(at_least=500)
    assert_nothing_is_left_over(site)


def test_a_download_a_stream_and_a_websocket_live_across_releases(host: Host) -> None:
    """Held open across a switch each: none is cut before the drain's deadline."""
    site = host.site("v0", behaviour=Behaviour.STREAMS, config=SETTINGS)
    site.bluegreen("release", expect=0)
    for number in range(1, 4):
        site.write(f"v{number}", behaviour=Behaviour.STREAMS)
        address = {"host": site.hostname}
        with (
            SlowDownload(host.url, seconds=10, **address) as download,
            EventStream(host.url, seconds=10, **address) as events,
            WebSocketSession(host.url, **address) as socket,
        ):
            running = site.bluegreen.start("release")
            running.wait_for("verify")
            assert host.get(site).version == f"v{number}"
            reports = [download.report(), events.report(), socket.report()]
            ran = running.wait().expect(0)
        for report in reports:
            report.assert_whole()
            assert report.version in ("", f"v{number - 1}")  # a websocket names none
        assert ran.step("drain")["detail"] == {"left": 0, "most": 3}


def test_a_stream_that_outlives_the_deadline_is_cut_and_said(host: Host) -> None:
    config = {**SETTINGS, "drain": {"timeout": "2s"}}
    site = host.site("v0", behaviour=Behaviour.STREAMS, config=config)
    site.bluegreen("release", expect=0)
    site.write("v1", behaviour=Behaviour.STREAMS)
    with EventStream(host.url, host=site.hostname, seconds=60) as events:
        ran = site.bluegreen("release", expect=0)
        report = events.report()
    assert not report.whole
    assert report.seconds >= 2
    assert any("were cut after 2 s" in warning for warning in ran.document["warnings"])
    assert host.get(site).version == "v1"


def test_a_failed_proof_under_load_costs_no_request(host: Host) -> None:
    """Requests that reached the candidate before it was taken back are finished by it."""
    site = host.site("v0", behaviour=Behaviour.STREAMS, config=SETTINGS)
    site.bluegreen("release", expect=0)
    # The page that the proof asks for differs in public; the path under load is sound.
    site.write("v1", behaviour=Behaviour.PREVIEW_ONLY)
    with NoRetryClient(
        host.url,
        host=site.hostname,
        paths=("/",),
        check=lambda answer: "" if answer.status in (200, 500) else f"status {answer.status}",
        keep_alive=True,
    ) as load:
        site.bluegreen("release", expect=5)
        report = load.report()
    report.assert_nothing_lost(at_least=50)
    assert host.get(site).version == "v0"
