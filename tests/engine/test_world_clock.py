"""The clock is set back, between two releases and in the middle of one.

What has an order keeps it, nothing is as old as minus an hour, no page is accused, and every
wait ends: order is the ledger's, waits are by the monotonic clock.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import docker
import pytest

from bluegreen.state.folder import State
from kit.faults.breakpoint import Halted, before
from kit.faults.clocks import Clock
from kit.load.users_in_outage import users_of
from kit.site.command import Bluegreen, Ran
from kit.site.host import Host, Site
from kit.site.invariants import assert_whole

_HOUR = 3600


@dataclass(frozen=True, slots=True)
class World:
    """A site whose commands have a clock of their own."""

    host: Host
    site: Site
    clock: Clock

    @property
    def bluegreen(self) -> Bluegreen:
        return self.clock.of(self.site.bluegreen)

    @property
    def served(self) -> str:
        return self.host.get(self.site).version

    def release(self, version: str) -> str:
        """Its id."""
        self.site.write(version, files=10)
        ran = self.bluegreen("release", expect=0)
        assert self.served == version
        assert_nothing_is_said_of(ran)
        return str(ran.document["release"]["id"])

    def history(self) -> list[str]:
        rows = self.bluegreen("history", expect=0).document["releases"]
        assert all(row["seconds"] is None or row["seconds"] >= 0 for row in rows)
        return [row["id"] for row in rows]

    def stored(self) -> set[str]:
        """The releases whose assets are kept."""
        folder = State(self.host.state_dir).store / self.site.name / "releases"
        return {path.stem for path in folder.glob("*.json")}


def assert_nothing_is_said_of(ran: Ran) -> None:
    """No warning is about times; the skew itself may be named."""
    assert [text for text in ran.document["warnings"] if "old" in text or "time" in text] == []
    assert not re.search(r"minus|-\d+ (s|min|h|d)\b", ran.stdout + ran.stderr), ran


@pytest.fixture
def world(client: docker.DockerClient) -> Iterator[World]:
    host = Host(client)
    try:
        host.up()
        site = host.site(
            config={
                "assets": {"keep_releases": 2, "keep_days": 0},
                "retain": {"images": 2},
                "freshness": {"last_modified": "fail"},
            }
        )
        yield World(host, site, Clock(host.root))
    finally:
        host.remove()


@pytest.fixture
def live_world(world: World) -> World:
    world.release("v1")
    return world


def test_releases_of_a_clock_that_was_set_back_are_newer_all_the_same(live_world: World) -> None:
    """History, rollback's default, which images and which assets stay: by order, not by time."""
    world = live_world
    with users_of(world.site, case="the clock set back between releases"):
        first, second = world.history()[0], world.release("v2")
        world.clock.set_back(_HOUR)
        third = world.release("v3")
        world.clock.set_back(2 * _HOUR)
        fourth, fifth = world.release("v4"), world.release("v5")

        assert third < first, "the test is about ids that sort wrongly by time"
        assert fourth < third
        newest_first = [fifth, fourth, third, second, first]
        assert world.history() == newest_first
        assert len(set(newest_first)) == len(newest_first)
        assert {ref for ref in world.site.images() if ref.startswith("bluegreen/")} == {
            f"bluegreen/{world.site.name}:{identity[:15]}-none-{identity[-4:]}"
            for identity in (fifth, fourth, third)
        }
        assert world.stored() == {fifth, fourth}

        ran = world.bluegreen("rollback", expect=0)
        assert ran.document["target"] == fourth
        assert world.served == "v4"
        assert_nothing_is_said_of(ran)
    assert_whole(world.site)


def test_what_was_made_by_a_clock_ahead_has_no_negative_age(live_world: World) -> None:
    world = live_world
    with users_of(world.site, case="looking with a clock set back"):
        world.clock.set_back(_HOUR)
        for argv in (("status",), ("history",), ("verify",), ("logs",), ("edge", "status")):
            shown = world.bluegreen(*argv, as_json=False, expect=0).stdout
            assert not re.search(r"minus|-\d+ (s|min|h|d)\b", shown), shown
        shown = world.bluegreen("status", as_json=False, expect=0).stdout
        assert "ahead of this host's clock" in shown
        assert world.bluegreen("recover", expect=0).outcome == "unchanged"
        assert world.bluegreen("verify", expect=0).document["warnings"] == []


def test_a_clock_that_is_set_back_in_mid_release_changes_nothing(live_world: World) -> None:
    """Between the build, whose page is then from the future, and all that looks at it."""
    world = live_world
    world.site.write("v2", files=10)
    with users_of(world.site, case="the clock set back in mid-release"):
        with Halted(world.bluegreen, before("ledger.built"), "release") as command:
            world.clock.set_back(_HOUR)
        ran = command.wait().expect(0)
        assert_nothing_is_said_of(ran)
        assert all(step["seconds"] >= 0 for step in ran.document["steps"])
        assert world.served == "v2"
        assert world.history()[0] == ran.document["release"]["id"]
        assert world.bluegreen("rollback", expect=0).document["target"] == world.history()[-1]
    assert_whole(world.site)


def test_a_wait_for_the_lock_ends_though_the_clock_is_set_back_meanwhile(
    live_world: World,
) -> None:
    world = live_world
    world.site.write("v2", files=10)
    with Halted(world.bluegreen, before("files.put_in_place"), "release") as holder:
        waiting = world.bluegreen.start("recover", "--wait", "3")
        world.clock.set_back(_HOUR)
        ran = waiting.wait(60).expect(6)
        assert "release" in ran.error["message"]
        assert ran.seconds < 30
    holder.wait().expect(0)
    assert world.served == "v2"
    assert_whole(world.site)
