"""The engine is slow, falls silent for good, or breaks its answers off.

A slow one costs time. A silent one ends the command by its own patience, which these tests
shorten (kit/faults/short_timeouts.py). A broken answer is looked up, or ends the command as what
it is: never as a fault of the image. Users who never retry notice none of it.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest

from kit import output
from kit.engine.door import EngineDoor
from kit.engine.registry import registry
from kit.load.users_in_outage import users_of
from kit.site.command import Bluegreen, Running
from kit.site.host import Host, Site
from kit.site.invariants import assert_whole
from kit.site.two_versions import VERSIONS, TwoVersions

PATIENCE = 1  # seconds for an answer
PULL = r"POST .*/images/create"


@dataclass(frozen=True, slots=True)
class SlowRelease:
    two_versions: TwoVersions
    door: EngineDoor
    running: Running


@pytest.fixture(scope="module", autouse=True)
def slow_release(client: docker.DockerClient) -> Iterator[SlowRelease]:
    """Of the second version, each answer of the engine a second late. It takes a minute: it is
    begun before all tests of this file, on an edge of its own, and looked at by the last."""
    host = Host(client)
    try:
        host.up()
        two_versions = TwoVersions.begun(host.site())
        with EngineDoor(host.root / "slow.sock") as door:
            door.slow(1.0)
            with users_of(two_versions.site, case="each answer a second late", pause=0.05):
                command = two_versions.site.bluegreen.amid(DOCKER_HOST=door.address)
                yield SlowRelease(
                    two_versions, door, command.start(*two_versions.argv(VERSIONS[1]))
                )
    finally:
        host.remove()


@pytest.fixture(scope="module")
def two_versions(shared_host: Host) -> TwoVersions:
    return TwoVersions.begun(shared_host.site())


@pytest.fixture
def door(shared_host: Host) -> Iterator[EngineDoor]:
    with EngineDoor(shared_host.root / f"{secrets.token_hex(3)}.sock") as door:
        yield door


def through(door: EngineDoor, site: Site) -> Bluegreen:
    command = site.bluegreen.amid(DOCKER_HOST=door.address)
    return command.through("kit.faults.short_timeouts", str(PATIENCE), "bluegreen")


def push(client: docker.DockerClient, image: str, ref: str) -> None:
    """Give the registry the image; this host has nothing under `ref` then."""
    client.images.get(image).tag(ref)
    for message in client.api.push(ref, stream=True, decode=True):
        assert "errorDetail" not in message, message
    client.images.remove(ref)


# --- silent ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Silence:
    """From which request on the engine says nothing, in which release, and what comes of it."""

    at: str
    code: int = 7
    serves: str = VERSIONS[0]
    builds: bool = False  # else it takes an image that is given
    pull: bool = False
    says: str = "it took too long"


SILENCES = (
    Silence(r"GET .*/info"),
    Silence(r"POST .*/containers/create\?name=bg-s\w+-\d+-\d+-\w+$"),
    Silence(r"POST .*/update"),
    Silence(r"POST .*/stop", code=9, serves=VERSIONS[1]),
    Silence(r"POST /(grpc|session)", code=3, builds=True, says="longer than 3 s"),
    Silence(PULL, pull=True),
)


def test_an_engine_that_falls_silent_ends_the_command_wherever_it_is(
    two_versions: TwoVersions, client: docker.DockerClient, host: Host, tmp_path: Path
) -> None:
    """All at once, each on a site of its own: most of it is waiting."""
    sites = [TwoVersions.begun(host.site(), two_versions.images).site for _ in SILENCES]
    with ExitStack() as stack:
        ref = f"{stack.enter_context(registry(tmp_path))}/web:live"
        push(client, two_versions.images[VERSIONS[1]], ref)
        stack.enter_context(users_of(*sites, case="an engine that falls silent"))
        running = []
        for silence, site in zip(SILENCES, sites, strict=True):
            site.write(VERSIONS[1], files=10, config={"build": {"timeout": "3s"}})
            door = stack.enter_context(EngineDoor(host.root / f"{len(running)}.sock"))
            door.hang(silence.at)
            image = ref if silence.pull else two_versions.images[VERSIONS[1]]
            argv = ("release",) if silence.builds else ("release", "--image", image)
            running.append(through(door, site).start(*argv))
        with ThreadPoolExecutor() as waiting:
            ended = list(waiting.map(Running.wait, running))
        for silence, site, ran in zip(SILENCES, sites, ended, strict=True):
            ran.expect(silence.code)
            told = " ".join([str(ran.error.get("message")), *ran.document["debris"]])
            assert silence.says in told, f"{silence}: {ran}"
            assert ran.document["live"]["id"] in site.live(), f"{silence}: {ran}"
            assert host.get(site).version == silence.serves, silence
        seconds = {one.at: round(ran.seconds, 1) for one, ran in zip(SILENCES, ended, strict=True)}
        output.keep("world-silence-ends-after", seconds)
        with ThreadPoolExecutor(2) as healing:
            list(healing.map(heal, sites))
        for silence, site in zip(SILENCES, sites, strict=True):
            assert host.get(site).version == silence.serves, silence


def heal(site: Site) -> None:
    site.bluegreen("recover", expect=0)
    assert_whole(site)


def test_a_command_that_only_looks_does_not_hang_either(
    two_versions: TwoVersions, door: EngineDoor
) -> None:
    door.hang(r"GET .*/containers/")
    looks = ("status", "verify", "history", "logs", "edge status")
    for running in [through(door, two_versions.site).start(*verb.split()) for verb in looks]:
        ran = running.wait().expect(7)
        assert "it took too long" in ran.error["message"]
        assert ran.error["hint"]


# --- broken off -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "after"),
    [(r"POST .*/containers/create", 190), (r"POST .*/(create|tag|start|update|stop)|DELETE", 20)],
    ids=["the body of a creation", "the head of every act"],
)
def test_an_act_whose_answer_breaks_off_is_looked_up(
    two_versions: TwoVersions,
    door: EngineDoor,
    request: pytest.FixtureRequest,
    answer: str,
    after: int,
) -> None:
    door.break_off(answer, after)
    wanted = two_versions.other
    with users_of(two_versions.site, case=f"broken off in {request.node.callspec.id}"):
        ran = through(door, two_versions.site)(*two_versions.argv(wanted), expect=0)
        assert ran.document["debris"] == []
        assert two_versions.served == wanted
        assert_whole(two_versions.site)


@pytest.mark.parametrize("after", [100, 400, 20_000])
def test_an_archive_that_breaks_off_is_not_taken_for_the_image(
    two_versions: TwoVersions, door: EngineDoor, after: int
) -> None:
    """In its head, right behind it, and in the middle of a file."""
    door.break_off(r"GET .*/archive", after)
    live = two_versions.served
    with users_of(two_versions.site, case=f"an archive broken off after {after} bytes"):
        ran = through(door, two_versions.site)(*two_versions.argv(two_versions.other)).expect(7)
        assert "gave no answer" in ran.error["message"]
        assert ran.document["debris"] == []
        assert two_versions.served == live
        assert_whole(two_versions.site)


def test_a_build_whose_output_breaks_off_is_no_fault_of_the_dockerfile(
    two_versions: TwoVersions, door: EngineDoor
) -> None:
    two_versions.site.write("v11", files=10)
    door.break_off(r"POST \S*/grpc", 1500)
    live = two_versions.served
    with users_of(two_versions.site, case="a build broken off"):
        ran = through(door, two_versions.site)("release").expect(3)
        assert "docker" in ran.error["hint"], ran.error
        assert "Dockerfile" not in ran.error["hint"]
        assert ran.document["debris"] == []
        assert two_versions.served == live
        heal(two_versions.site)  # the engine may have finished its build


def test_a_pull_that_breaks_off_never_releases_the_image_that_is_here(
    two_versions: TwoVersions, door: EngineDoor, client: docker.DockerClient, tmp_path: Path
) -> None:
    """The tag names an older image on this host; the registry has what was asked for."""
    live = two_versions.served
    with registry(tmp_path) as address:
        ref = f"{address}/web:live"
        push(client, two_versions.images[live], ref)
        client.images.get(two_versions.images[two_versions.other]).tag(ref)
        two_versions.site.write("v11", files=10, config={"build": {"pull": True}})
        door.break_off(PULL, 300)
        with users_of(two_versions.site, case="a pull broken off"):
            ran = through(door, two_versions.site)("release", "--image", ref).expect(7)
            assert f"pull {ref}" in ran.error["message"]
            assert two_versions.served == live
            assert_whole(two_versions.site)
        client.images.remove(ref)


def test_a_log_that_breaks_off_is_no_empty_log(two_versions: TwoVersions, door: EngineDoor) -> None:
    door.break_off(r"GET .*/logs", 230)
    live = two_versions.site.bluegreen("status").document["live"]["id"]
    ran = through(door, two_versions.site)("logs", live).expect(7)
    assert "read the log" in ran.error["message"]


# --- slow -----------------------------------------------------------------------


def test_an_engine_that_is_slow_costs_time_and_nothing_else(slow_release: SlowRelease) -> None:
    ran = slow_release.running.wait().expect(0)
    assert ran.document["debris"] == []
    assert ran.seconds > len(slow_release.door.asked) > 40
    assert slow_release.two_versions.served == VERSIONS[1]
    assert_whole(slow_release.two_versions.site)
