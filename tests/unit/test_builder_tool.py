"""What builds is looked for once, and before a release touches anything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bluegreen import builder
from bluegreen.builder.revision import Revision
from bluegreen.commands.release import Ask, release
from bluegreen.errors import NotFit
from bluegreen.state import lock as locks
from kit.fakes.fast import fast
from kit.fakes.world import SITE, Ended, World
from kit.faults.acts import Sort

HAS_BUILDX = 'case "$*" in "buildx version") echo github.com/docker/buildx v0.13.1 abc;; esac'
NO_PLUGIN = "echo \"docker: 'buildx' is not a docker command.\" >&2; exit 1"
BROKEN = "echo who are you"
MUTE = "exec /bin/sleep 60"


class Docker:
    """The only command on PATH, if it is there at all."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "docker"
        self._asked = folder / "asked"

    def does(self, script: str) -> None:
        self.path.write_text(f'#!/bin/sh\necho "$*" >> {self._asked}\n{script}\n')
        self.path.chmod(0o755)

    @property
    def asked(self) -> list[str]:
        return self._asked.read_text().splitlines() if self._asked.exists() else []


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Docker:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return Docker(folder)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A live site, in whose folder there is something to build."""
    monkeypatch.chdir(tmp_path)
    Path("Dockerfile").write_text("FROM scratch\n")
    with fast():
        world = World(tmp_path)
        world.release("v1")
        yield world


def build(world: World, *, dry_run: bool = False) -> Ended:
    ask = Ask(revision=Revision(name="v2"), dry_run=dry_run)
    return world._run(lambda host: release(host, ask), ())


# --- the look ---------------------------------------------------------------------


def test_the_tool_tells_its_version(docker: Docker) -> None:
    docker.does(HAS_BUILDX)

    tool = builder.require()

    assert tool == builder.Buildx(str(docker.path), (0, 13, 1))
    assert tool.name == "buildx 0.13.1"


def test_without_the_docker_command_there_is_no_buildx(docker: Docker) -> None:
    with pytest.raises(NotFit, match=r"needs docker buildx, .* no docker command"):
        builder.require()
    assert docker.asked == []


@pytest.mark.parametrize("script", [NO_PLUGIN, BROKEN, MUTE], ids=["none", "broken", "mute"])
def test_a_docker_command_without_it_is_told_with_what_installs_it(
    docker: Docker, script: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bluegreen.builder.tool._PATIENCE", 0.5)
    docker.does(script)

    with pytest.raises(NotFit, match=r"needs docker buildx, .* none that answers") as raised:
        builder.require()

    assert raised.value.exit_code == 7
    for way in ("apt-get install docker-buildx ", "install docker-buildx-plugin ", "--image REF"):
        assert way in raised.value.hint


def test_the_docker_commands_own_words_are_kept(docker: Docker) -> None:
    docker.does(NO_PLUGIN)

    with pytest.raises(NotFit) as raised:
        builder.require()

    assert raised.value.evidence["log"] == ["docker: 'buildx' is not a docker command."]


# --- when a release looks -----------------------------------------------------------


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_release_without_buildx_ends_before_it_touches_anything(
    docker: Docker, world: World, dry_run: bool
) -> None:
    """What a dead run left stays, and a lock that another command holds is not asked for."""
    docker.does(NO_PLUGIN)
    world.dies_after("files.put_in_place", world.release, "v2")
    before = world.dump()

    with locks.held(world.state.site_lock(SITE), {"command": "release", "site": SITE}, 0.0):
        ended = build(world, dry_run=dry_run)

    assert ended.result is not None
    assert ended.result.exit_code == 7
    assert ended.result.error is not None
    assert "docker buildx" in ended.result.error.message
    assert ended.result.steps == ()
    assert not [act for act in ended.faults.acts if act.sort is Sort.WRITE]
    assert world.dump() == before


def test_a_release_asks_once(docker: Docker, world: World) -> None:
    docker.does(HAS_BUILDX)

    build(world)

    assert docker.asked.count("buildx version") == 1
    assert docker.asked[1].startswith("buildx build ")


def test_an_image_that_is_given_and_a_rollback_need_none(docker: Docker, world: World) -> None:
    docker.does(NO_PLUGIN)

    for ended in (world.release("v2"), world.rollback()):
        assert ended.result is not None
        assert ended.result.exit_code == 0

    assert docker.asked == []
