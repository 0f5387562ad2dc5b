"""Bad luck around a release: signals, two at once, foreign things, no engine, no edge."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from kit.engine.door import EngineDoor
from kit.site import images
from kit.site.command import Bluegreen
from kit.site.host import Host, Site
from kit.site.other_user import bluegreen_as

STEPS = ("build", "inspect", "boot", "gate", "switch", "verify", "drain")


@pytest.fixture
def live_site(host: Host) -> Site:
    site = host.site("v1")
    site.bluegreen("release", expect=0)
    return site


# --- signals ----------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
@pytest.mark.parametrize("step", STEPS)
def test_a_signal_in_any_step_leaves_the_site_whole(
    live_site: Site, host: Host, step: str, number: signal.Signals
) -> None:
    """One whole release serves afterwards, what is live is said, and the next command is enough."""
    live_site.write("v2")
    running = live_site.bluegreen.start("release", "-v")
    running.wait_for(f"» {step}")
    running.send(number)
    ran = running.wait()
    if ran.code != 0:  # the signal may come when the last step is already over
        assert ran.code == 130, ran
        assert ran.outcome == "interrupted"
        live = ran.document["live"]["id"]
        assert live in live_site.live()
    served = host.get(live_site).version
    assert served in ("v1", "v2")
    if step in STEPS[:4] and ran.code == 130:
        assert served == "v1"
        assert len(live_site.containers()) == 1
        assert len(live_site.images()) == 1
    live_site.bluegreen("prune", expect=0)
    assert len(live_site.containers()) == 1
    assert host.get(live_site).version == served
    assert live_site.bluegreen("status", expect=0).document["amiss"] == []


def test_a_killed_release_is_put_away_by_the_next_command(live_site: Site, host: Host) -> None:
    live_site.write("v2", config={"gate": {"passes": 100}})
    running = live_site.bluegreen.start("release", "-v")
    running.wait_for("» gate")
    running.kill()
    running.wait()
    assert len(live_site.containers()) == 2
    assert host.get(live_site).version == "v1"
    amiss = live_site.bluegreen("status", expect=0).document["amiss"]
    assert any("left by a dead run" in trouble for trouble in amiss)
    live_site.write("v3")
    ran = live_site.bluegreen("release", expect=0)
    assert "removed" in ran.stderr
    assert len(live_site.containers()) == 1
    assert host.get(live_site).version == "v3"
    outcomes = [
        one["outcome"] for one in live_site.bluegreen("history", expect=0).document["releases"]
    ]
    assert outcomes == ["released", "interrupted", "released"]
    assert len(live_site.images()) == 2


# --- two at once ------------------------------------------------------------


def test_a_second_release_is_told_who_holds_the_site_and_in_which_step(live_site: Site) -> None:
    live_site.write("v2", config={"gate": {"passes": 60}})
    first = live_site.bluegreen.start("release", "-v")
    first.wait_for("» gate")
    second = live_site.bluegreen("release").expect(6)
    assert str(first.pid) in second.error["message"]
    assert "release" in second.error["message"]
    assert "gate" in second.error["message"]
    assert "--wait" in second.error["hint"]
    first.wait().expect(0)


def test_a_second_release_waits_when_it_is_asked_to(live_site: Site, host: Host) -> None:
    live_site.write("v2", config={"gate": {"passes": 30}})
    first = live_site.bluegreen.start("release", "-v")
    first.wait_for("» gate")
    second = live_site.bluegreen("release", "--wait", "60")
    first.wait().expect(0)
    second.expect(0)
    assert host.get(live_site).version == "v2"
    assert len(live_site.containers()) == 1


# --- foreign things ---------------------------------------------------------


def test_a_foreign_container_with_our_labels_is_neither_live_nor_debris(
    live_site: Site, client: docker.DockerClient
) -> None:
    """Labels of an image are inherited by every container of it: they alone prove nothing."""
    foreign = client.containers.run(
        images.busybox(),
        ["sleep", "600"],
        detach=True,
        name=f"foreign-{live_site.name}",
        labels={"dev.bluegreen.site": live_site.name, "dev.bluegreen.container": "1"},
    )
    try:
        live_site.write("v2")
        live_site.bluegreen("release", expect=0)
        live_site.bluegreen("prune", expect=0)
        foreign.reload()
        assert foreign.status == "running"
    finally:
        foreign.remove(force=True)


def test_an_edge_name_that_a_foreign_container_has_is_refused(
    bare_host: Host, client: docker.DockerClient
) -> None:
    foreign = client.containers.create(images.busybox(), ["true"], name=bare_host.name)
    try:
        ran = bare_host.bluegreen("edge", "up").expect(7)
        assert bare_host.name in ran.error["message"]
        assert client.containers.get(foreign.id)
    finally:
        foreign.remove()


# --- no engine, no edge -----------------------------------------------------


def test_without_an_edge_release_says_to_run_edge_up(bare_host: Host) -> None:
    site = bare_host.site("v1")
    ran = site.bluegreen("release").expect(7)
    assert "bluegreen edge up" in ran.error["hint"]


def test_without_an_engine_the_endpoint_is_named(host: Host) -> None:
    site = host.site("v1")
    lost = Bluegreen(site.project.folder, {"DOCKER_HOST": "unix:///nowhere/docker.sock"})
    ran = lost("release").expect(7)
    assert "/nowhere/docker.sock" in ran.error["message"]
    assert "upstream" not in ran.document  # nothing is live yet
    site.bluegreen("release", expect=0)
    assert lost("release").expect(7).document["upstream"] == site.live()


def test_an_edge_that_is_killed_in_mid_release_fails_it_and_heals(
    live_site: Site, host: Host
) -> None:
    live_site.write("v2", config={"gate": {"passes": 60, "timeout": "6s"}})
    running = live_site.bluegreen.start("release", "-v")
    running.wait_for("» gate")
    host.edge_container().kill()
    ran = running.wait()
    assert ran.code in (4, 7), ran
    assert live_site.live().endswith(":80")
    host.up()
    live_site.write("v3")
    live_site.bluegreen("release", expect=0)
    assert host.get(live_site).version == "v3"
    assert len(live_site.containers()) == 1


# --- the state folder -------------------------------------------------------


def test_a_state_folder_that_is_not_ours_to_write_is_told(
    host: Host, nobody: tuple[int, int]
) -> None:
    site = host.site("v1")
    host.root.chmod(0o755)
    for folder, _, _ in os.walk(site.project.folder):
        Path(folder).chmod(0o755)
    ran = bluegreen_as(*nobody, "status", folder=site.project.folder, home="/nonexistent")
    assert ran.returncode == 7, ran
    assert str(host.state_dir) in ran.stderr


@pytest.fixture
def nobody() -> Iterator[tuple[int, int]]:
    """A uid that may reach the engine and nothing else of ours."""
    socket = Path("/var/run/docker.sock")
    yield 65533, socket.stat().st_gid


# --- configuration ----------------------------------------------------------


def test_three_mistakes_are_told_together(host: Host) -> None:
    site = host.site("v1")
    config = site.project.config
    config.write_text(
        config.read_text().replace("[gate]", '[gate]\npasses = "many"\npaht = "/"')
        + "\n[retain]\nimages = 0\n"
    )
    ran = site.bluegreen("release").expect(2)
    problems = "\n".join(ran.error["problems"])
    assert "gate.passes" in problems
    assert "gate.paht" in problems
    assert "gate.path" in problems
    assert "retain.images" in problems


def test_an_engine_that_goes_away_in_mid_release_fails_it_and_heals(
    live_site: Site, host: Host
) -> None:
    live_site.write("v2", config={"gate": {"passes": 100}})
    with EngineDoor(host.root / "engine.sock") as door:
        command = Bluegreen(live_site.project.folder, {"DOCKER_HOST": door.address})
        running = command.start("release", "-v")
        running.wait_for("» gate")
        door.cut()
        ran = running.wait()
    assert ran.code == 7, ran
    assert "engine" in ran.error["message"]
    assert any("docker rm -f" in debris for debris in ran.document["debris"])
    assert host.get(live_site).version == "v1"
    live_site.write("v3")
    live_site.bluegreen("release", expect=0)
    assert host.get(live_site).version == "v3"
    assert len(live_site.containers()) == 1
    assert len(live_site.images()) == 2
