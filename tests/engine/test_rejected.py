"""Candidates that must not go live: the right exit code, the cause, live untouched, no debris."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from kit.site.command import Ran
from kit.site.host import Host, Site
from kit.site.projects import Behaviour, Fault


@dataclass(frozen=True, kw_only=True)
class Case:
    name: str
    says: tuple[str, ...]  # in the message or the hint
    behaviour: Behaviour = Behaviour.STATIC
    fault: Fault = Fault.NONE
    config: dict[str, Any] = field(default_factory=dict)
    code: int = 4
    log: str = ""  # must stand in the evidence's log lines


QUICK = {"gate": {"timeout": "4s", "interval": "50ms"}}

CASES = (
    Case(
        name="exits at once",
        behaviour=Behaviour.EXITS,
        says=("exited with code 3",),
        log="no API_URL in the environment",
    ),
    Case(
        name="exits at once in spite of a healthcheck",
        behaviour=Behaviour.EXITS_WITH_HEALTHCHECK,
        says=("exited with code 3",),
        log="no API_URL in the environment",
    ),
    Case(
        name="crashes after its first answers",
        behaviour=Behaviour.CRASHES,
        config={"gate": {"passes": 30, "interval": "50ms"}},
        says=("exited with code 3",),
    ),
    Case(
        name="never listens",
        behaviour=Behaviour.NEVER_LISTENS,
        config=QUICK,
        says=("did not pass within 4 s", "port 80", "nothing in it listens"),
    ),
    Case(
        name="listens on another port",
        behaviour=Behaviour.OTHER_PORT,
        config=QUICK,
        says=("connection refused", "8081", "set container.port"),
    ),
    Case(
        name="listens on loopback only",
        behaviour=Behaviour.LOOPBACK_ONLY,
        config=QUICK,
        says=("connection refused", "127.0.0.1:80", "bind to 0.0.0.0"),
    ),
    Case(
        name="answers 500",
        behaviour=Behaviour.ANSWERS_500,
        config=QUICK,
        says=("status 500", "200 expected"),
    ),
    Case(
        name="redirects to the public name",
        behaviour=Behaviour.REDIRECTS,
        config=QUICK,
        says=("a redirect to https://www.example.test", "redirects are not followed"),
    ),
    Case(
        name="unhealthy by its own check",
        behaviour=Behaviour.UNHEALTHY,
        config={"gate": {"passes": 100, "interval": "100ms", "timeout": "30s"}},
        says=("unhealthy by its own check", "the cache is cold"),
    ),
    Case(
        name="OOM-killed",
        behaviour=Behaviour.OOM,
        config={"container": {"memory": "48m"}, "gate": {"passes": 200, "timeout": "30s"}},
        says=("OOM-killed", "container.memory"),
    ),
    Case(name="unknown user", behaviour=Behaviour.UNKNOWN_USER, says=("nobody-knows",)),
    Case(
        name="unknown command",
        behaviour=Behaviour.UNKNOWN_COMMAND,
        says=("no-such-command",),
    ),
    Case(
        name="unknown user by configuration",
        config={"container": {"user": "nobody-knows"}},
        says=("nobody-knows",),
    ),
    Case(name="index missing", fault=Fault.INDEX_MISSING, says=("index.html is not in the image",)),
    Case(name="index empty", fault=Fault.INDEX_EMPTY, says=("index.html", "is empty")),
    Case(name="chunk missing", fault=Fault.CHUNK_MISSING, says=("assets/chunk-", "does not have")),
    Case(
        name="web root missing",
        config={"freshness": {"web_root": "/srv/nowhere"}},
        says=("no folder /srv/nowhere", "freshness.web_root"),
    ),
    Case(
        name="network missing",
        config={"container": {"networks": ["no-such-network"]}},
        says=("no-such-network",),
    ),
)


@pytest.fixture(scope="module")
def module_host(client: Any) -> Iterator[Host]:
    host = Host(client)
    try:
        host.up()
        yield host
    finally:
        host.remove()


@pytest.fixture(scope="module")
def live(module_host: Host) -> Site:
    """A site with a release that must stay live whatever is tried beside it."""
    site = module_host.site("good")
    site.bluegreen("release", expect=0)
    return site


def left_as_found(site: Site, images: int) -> None:
    assert len(site.containers()) == 1
    assert len(site.images()) == images
    assert site.host.get(site).version == "good"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_is_rejected_and_live_stays(case: Case, live: Site) -> None:
    images = len(live.images())
    live.write("bad", behaviour=case.behaviour, fault=case.fault, config=case.config)
    ran = live.bluegreen("release")
    assert ran.code == case.code, ran
    assert ran.outcome == "rejected"
    told = f"{ran.error['message']} {ran.error['hint']}"
    for text in case.says:
        assert text in told, ran
    assert ran.document["live"]["id"] in live.live()
    left_as_found(live, images)
    assert_evidence_is_kept(ran, live, case.log)


def assert_evidence_is_kept(ran: Ran, site: Site, log: str) -> None:
    kept = site.bluegreen("logs", ran.document["release"]["id"], expect=0).document
    assert kept["error"]["message"] == ran.error["message"]
    assert kept["outcome"] == "rejected"
    if log:
        assert any(log in line for line in kept["lines"])
        people = site.bluegreen("logs", ran.document["release"]["id"], as_json=False).expect(0)
        assert log in people.stdout


@pytest.mark.parametrize("case", CASES[:4], ids=lambda case: case.name)
def test_a_first_release_that_fails_leaves_the_503(case: Case, module_host: Host) -> None:
    site = module_host.site("bad", behaviour=case.behaviour, fault=case.fault, config=case.config)
    ran = site.bluegreen("release").expect(4)
    assert ran.document["live"] is None
    assert site.containers() == []
    assert site.images() == []


def test_a_failed_proof_after_the_switch_is_taken_back(live: Site) -> None:
    """It tells the preview from the public, so only the proof at the edge can see it."""
    images = len(live.images())
    live.write("bad", behaviour=Behaviour.PREVIEW_ONLY)
    ran = live.bluegreen("release").expect(5)
    assert ran.outcome == "taken_back"
    assert "users did not get the new release" in ran.error["message"]
    left_as_found(live, images)


def test_a_first_release_that_fails_its_proof_brings_the_503_back(module_host: Host) -> None:
    site = module_host.site("bad", behaviour=Behaviour.PREVIEW_ONLY)
    ran = site.bluegreen("release").expect(5)
    assert ran.document["live"] is None
    assert module_host.get(site).status == 503
    assert site.containers() == []


def test_a_failing_build_shows_its_last_lines(live: Site) -> None:
    images = len(live.images())
    live.write("bad", behaviour=Behaviour.BUILD_FAILS)
    ran = live.bluegreen("release", as_json=False).expect(3)
    assert "vite: cannot resolve ./App" in ran.stderr
    assert f"live: {live.live().removeprefix(f'bg-{live.name}-').removesuffix(':80')}" in ran.stderr
    left_as_found(live, images)


def test_a_missing_dockerfile_is_named(live: Site) -> None:
    live.write("bad")
    (live.project.folder / "Dockerfile").unlink()
    ran = live.bluegreen("release").expect(3)
    assert str(live.project.folder / "Dockerfile") in ran.error["message"]


def test_an_image_that_is_nowhere_is_named(live: Site) -> None:
    ran = live.bluegreen("release", "--image", "127.0.0.1:9/nothing:here").expect(3)
    assert "127.0.0.1:9/nothing:here" in ran.error["message"]
    left_as_found(live, len(live.images()))


def test_a_disk_that_is_nearly_full_is_told_before_the_build(live: Site) -> None:
    live.write("bad", config={"retain": {"min_free": "900t"}})
    ran = live.bluegreen("release").expect(7)
    assert "less than" in ran.error["message"]
    assert "retain.min_free" in ran.error["hint"] or "prune" in ran.error["hint"]
    left_as_found(live, len(live.images()))
