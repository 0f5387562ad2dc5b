"""The engine's disk is full when a release needs it: for its image, for its container.

On a second engine whose disk is small: its disk is filled when preflight has seen room.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest

from kit.engine.small import SmallEngine
from kit.faults.breakpoint import Halted, before
from kit.load.users_in_outage import users_of
from kit.site import images
from kit.site.command import Ran
from kit.site.host import Host, Site
from kit.site.invariants import assert_whole


@dataclass(frozen=True, slots=True)
class World:
    """A site that is live on the small engine."""

    engine: SmallEngine
    host: Host
    site: Site

    def release_onto_a_full_disk(self, act: str) -> Ran:
        """The disk fills before `act`."""
        with Halted(self.site.bluegreen, before(act), "release") as command:
            self.engine.disk.fill()
        return command.wait()

    def assert_the_next_release_heals(self, version: str) -> None:
        """Also what the engine could only half remove goes."""
        assert self.site.bluegreen("release", expect=0).document["debris"] == []
        assert self.host.get(self.site).version == version
        assert_whole(self.site)
        assert self.engine.client.images.list(filters={"dangling": True}) == []


@pytest.fixture(scope="module")
def world(client: docker.DockerClient) -> Iterator[World]:
    folder = Path(tempfile.mkdtemp(prefix="bg-"))
    try:
        with SmallEngine(folder, "600m") as engine:
            engine.take(client, images.caddy())
            host = Host(engine.client, address=engine.ip, env=engine.env)
            try:
                host.up()
                site = host.site(files=10, config={"retain": {"min_free": "1m"}})
                site.bluegreen("release", expect=0)
                yield World(engine, host, site)
            finally:
                host.remove()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_a_disk_without_room_is_seen_before_anything_is_done(world: World) -> None:
    live = world.site.live()
    with users_of(world.site, case="the engine's disk full at the start"):
        world.engine.disk.fill()
        ran = world.site.bluegreen("release").expect(7)
        assert f"the engine's disk {world.engine.disk.folder} has" in ran.error["message"]
        assert ran.error["hint"]
        assert world.site.live() == live
        world.engine.disk.free()
    assert_whole(world.site)


def test_an_image_that_finds_no_room_is_a_failed_build_that_says_so(world: World) -> None:
    live = world.site.live()
    world.site.write("v-build", files=10)
    with users_of(world.site, case="no room for the image"):
        ran = world.release_onto_a_full_disk("ledger.begin").expect(3)
        assert "no space left on device" in ran.error["message"]
        assert ran.error["hint"].startswith("free space")
        assert ran.document["live"]["id"] in live
        assert ran.document["debris"] == []
        assert world.site.live() == live
        world.engine.disk.free()
        world.assert_the_next_release_heals("v-build")


def test_a_container_that_finds_no_room_is_not_the_candidates_fault(
    world: World,
) -> None:
    live = world.site.live()
    world.site.write("v-create", files=10)
    with users_of(world.site, case="no room for the container"):
        ran = world.release_onto_a_full_disk("ledger.inspected").expect(7)
        assert "no space left on device" in ran.error["message"]
        assert ran.error["hint"].startswith("free space")
        assert ran.document["live"]["id"] in live
        assert world.site.live() == live
        world.engine.disk.free()
        world.assert_the_next_release_heals("v-create")
