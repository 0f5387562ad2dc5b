"""The state folder's disk is full, or has turned read-only: at a command's start, and at each
kind of file that a release writes.

Throughout, users who never retry get one whole release; the command says what is the matter and
where; when there is room again the next command is enough, and nothing stays behind.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest

from bluegreen.state.folder import State
from kit.faults.breakpoint import Halted, Place, after, before
from kit.faults.disks import Disk
from kit.load.users_in_outage import users_of
from kit.site.host import Host, Site
from kit.site.invariants import assert_whole
from kit.site.two_versions import TwoVersions

_BLOCK = 4096


@dataclass(frozen=True, slots=True)
class World:
    """A site that is live, its state folder on a disk of its own."""

    two_versions: TwoVersions
    disk: Disk

    @property
    def site(self) -> Site:
        return self.two_versions.site

    @property
    def folder(self) -> Path:
        return self.disk.folder

    def halted(self, place: Place) -> Halted:
        """A release of the other version."""
        return self.two_versions.halted(place, self.two_versions.other)


@pytest.fixture
def world(live_world: World) -> Iterator[World]:
    yield live_world
    live_world.disk.mend()


@pytest.fixture(scope="module")
def live_world(client: docker.DockerClient) -> Iterator[World]:
    host = Host(client)
    try:
        with Disk(host.state_dir, "64m") as disk:
            host.up()
            yield World(TwoVersions.begun(host.site()), disk)
    finally:
        host.remove()


# --- full ---------------------------------------------------------------------


def test_on_a_full_disk_no_command_begins_and_each_says_why(world: World) -> None:
    live = world.two_versions.served
    log = State(world.folder).log
    log.write_bytes(log.read_bytes() + b"\n" * (-log.stat().st_size % _BLOCK))
    with users_of(world.site, case="full at the start"):
        world.disk.fill()
        for verb in ("release", "rollback", "status", "verify", "recover"):
            ran = world.site.bluegreen(verb, "-v").expect(7)
            assert f"the disk of {world.folder} is full" in ran.error["message"]
            assert ran.error["hint"].startswith(f"free space on the disk of {world.folder}")
            assert "Traceback" not in ran.stderr, ran.stderr
        assert world.two_versions.served == live
        world.disk.free()
        world.two_versions.assert_the_next_release_heals()


@pytest.mark.parametrize(
    ("place", "named"),
    [
        (before("ledger.begin"), "ledger.db"),
        (before("store.prepare"), "/store/"),
        (before("files.stage"), "/live"),
        (after("files.put_in_place"), "ledger.db"),  # users are there already: taken back
    ],
    ids=["the ledger", "the store", "the pointer", "just switched"],
)
def test_a_disk_that_fills_in_mid_release_fails_it_and_live_serves_on(
    world: World, request: pytest.FixtureRequest, place: Place, named: str
) -> None:
    version, live = world.two_versions.served, world.site.live()
    with users_of(world.site, case=f"full at {request.node.callspec.id}"):
        with world.halted(place) as command:
            world.disk.fill()
        ran = command.wait().expect(7)
        assert ran.outcome == "failed"
        assert named in ran.error["message"]
        assert str(world.folder) in ran.error["message"]
        assert any(word in ran.error["message"].lower() for word in ("is full", "no space"))
        assert ran.error["hint"].startswith("free space on the disk of")
        assert ran.document["live"]["id"] in live
        assert ran.document["debris"] == []
        assert (world.two_versions.served, world.site.live()) == (version, live)
        world.disk.free()
        world.two_versions.assert_the_next_release_heals()


def test_a_disk_that_fills_behind_the_point_of_no_return_is_a_warning_said_once(
    world: World,
) -> None:
    """The release is live and proven; that the ledger cannot know it is for the next command."""
    wanted = world.two_versions.other
    with users_of(world.site, case="full behind the point of no return"):
        with world.halted(before("ledger.went_live")) as command:
            world.disk.fill()
        ran = command.wait().expect(0)
        assert ran.outcome == "released"
        told = [text for text in ran.document["warnings"] if "ledger.db" in text]
        assert len(told) == 1, told
        assert f"the disk of {world.folder} is full" in told[0]
        assert world.two_versions.served == wanted
        world.disk.free()
        assert world.site.bluegreen("recover", expect=0).outcome == "recovered"
        assert_whole(world.site)
        assert world.two_versions.served == wanted


# --- read-only ------------------------------------------------------------------


def test_on_a_read_only_disk_no_command_begins_and_each_says_why(world: World) -> None:
    """Root writes whatever the modes say, and still not here."""
    live = world.two_versions.served
    with users_of(world.site, case="read-only at the start"):
        world.disk.read_only()
        for verb in ("release", "rollback", "status", "verify", "recover"):
            ran = world.site.bluegreen(verb).expect(7)
            said = ran.error["message"]
            assert said == f"{world.folder} is on a read-only file system"
            assert "owner" not in ran.error["hint"]
            assert str(world.folder) in ran.error["hint"]
            assert ran.document["upstream"] == world.site.live()
        assert world.two_versions.served == live
        world.disk.writable()
        world.two_versions.assert_the_next_release_heals()


@pytest.mark.parametrize(
    ("act", "named", "debris"),
    [("store.prepare", "/store/", 0), ("files.stage", "/live", 1)],
    ids=["the store", "the pointer"],
)
def test_a_disk_that_turns_read_only_in_mid_release_fails_it_and_live_serves_on(
    world: World, request: pytest.FixtureRequest, act: str, named: str, debris: int
) -> None:
    """What it has written of the candidate by then it cannot take back, and says so."""
    version, live = world.two_versions.served, world.site.live()
    with users_of(world.site, case=f"read-only at {request.node.callspec.id}"):
        with world.halted(before(act)) as command:
            world.disk.read_only()
        ran = command.wait().expect(7)
        assert named in ran.error["message"]
        assert "Read-only file system" in ran.error["message"]
        assert "writable" in ran.error["hint"]
        assert ran.document["live"]["id"] in live
        assert len(ran.document["debris"]) == debris, ran
        assert all("by hand: bluegreen prune" in one for one in ran.document["debris"])
        assert (world.two_versions.served, world.site.live()) == (version, live)
        world.disk.writable()
        world.two_versions.assert_the_next_release_heals()


def test_a_disk_that_turns_read_only_behind_the_switch_does_not_undo_it(
    world: World,
) -> None:
    """What the command has open it still writes; only the way back that was staged stays."""
    wanted = world.two_versions.other
    with users_of(world.site, case="read-only behind the switch"):
        with world.halted(after("files.put_in_place")) as command:
            world.disk.read_only()
        command.wait().expect(0)
        assert world.two_versions.served == wanted
        world.disk.writable()
        assert world.site.bluegreen("recover", expect=0).outcome == "recovered"
        assert_whole(world.site)
