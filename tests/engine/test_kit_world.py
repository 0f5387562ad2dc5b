"""A test's host works as a host does, and leaves nothing behind."""

from __future__ import annotations

import secrets
import time

import docker
import pytest

from bluegreen.model import SITE_LABEL
from kit.load.clients import NoRetryClient
from kit.load.streams import EventStream, SlowDownload, WebSocketSession
from kit.load.users_in_outage import UsersInOutage
from kit.load.wrk import Wrk
from kit.site import images
from kit.site.host import Host, sweep
from kit.site.invariants import wait_until_served
from kit.site.projects import Behaviour


def test_every_client_runs_across_a_release(host: Host) -> None:
    """The clients' own proof is in test_kit_loads; here they meet an edge and a switch."""
    site = host.site("v1", behaviour=Behaviour.STREAMS)
    site.bluegreen("release", expect=0)
    site.write("v2", behaviour=Behaviour.STREAMS)
    url, name = host.url, site.hostname
    with (
        SlowDownload(url, host=name, seconds=6) as download,
        EventStream(url, host=name, seconds=6) as events,
        WebSocketSession(url, host=name) as session,
        Wrk(url, host=name, connections=8) as wrk,
        NoRetryClient(url, host=name) as new,
        NoRetryClient(url, host=name, paths=["/echo"], body=b"x" * 4096) as posts,
    ):
        release = site.bluegreen.start("release")
        release.wait_for("switch")
        assert download.running
        assert events.running
        session_report = session.report()
        release.wait().expect(0)
        for stream in (download, events):
            report = stream.report()
            report.assert_whole()
            assert report.version == "v1"
        session_report.assert_whole()
        wrk.report().assert_nothing_lost(at_least=100)
        posts.report().assert_nothing_lost(at_least=20)
        load = new.report()
    load.assert_nothing_lost(at_least=20)
    assert set(load.versions) == {"v1", "v2"}
    assert host.get(site).version == "v2"


def test_a_crowd_forgives_an_outage_and_nothing_after_it(host: Host) -> None:
    """From the moment on from which everything had to be answered."""
    site = host.site("v1")
    site.bluegreen("release", expect=0)
    with UsersInOutage(site) as users:
        served_for_a_while(users)
        with pytest.raises(AssertionError, match="nobody noticed"):
            users.assert_served_again("v1")
        host.edge_container().restart()
        wait_until_served(site)
        users.expect_all()
        served_for_a_while(users)
        users.assert_served_again("v1")
        with pytest.raises(AssertionError, match="answers came from"):
            users.assert_served("v2")
        host.edge_container().restart()
        wait_until_served(site)
        with pytest.raises(AssertionError, match="lost"):
            users.assert_served("v1")


def served_for_a_while(users: UsersInOutage) -> None:
    enough = users.tally().requests + 100
    while users.tally().requests < enough:
        time.sleep(0.05)


def test_a_site_that_breaks_in_public_only_passes_the_gate_and_fails_verify(host: Host) -> None:
    """The one behaviour that rests on how the edge sends the two listeners' requests."""
    site = host.site("v1", behaviour=Behaviour.PREVIEW_ONLY)
    ran = site.bluegreen("release", expect=5)
    assert ran.outcome == "taken_back"
    assert ran.step("gate")["status"] == "ok"


def test_a_host_leaves_nothing_behind(client: docker.DockerClient) -> None:
    host = Host(client)
    try:
        host.up()
        site = host.site()
        site.bluegreen("release", expect=0)
        assert host.get(site).version == "v1"
        assert len(site.containers()) == len(site.images()) == 1
        assert site.live().startswith(str(site.containers()[0].name))
    finally:
        host.remove()
    assert not site.containers()
    assert not site.images()
    assert not client.containers.list(all=True, filters={"name": host.name})
    assert not client.networks.list(names=[host.name])
    assert not host.root.exists()


def test_sweep_spares_what_only_carries_our_label(client: docker.DockerClient) -> None:
    """Labels are inherited by whatever is made from our images: a name of ours is needed too."""
    site = f"s{secrets.token_hex(3)}"
    foreign = client.containers.create(images.busybox(), labels={SITE_LABEL: site})
    try:
        sweep(client, f"bg-test-{site}", site)
        foreign.reload()
    finally:
        foreign.remove()
