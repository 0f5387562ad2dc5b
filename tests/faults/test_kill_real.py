"""SIGKILL at the acts of a release that replaces a live one: a real process, a real engine, a
real edge, and users who never retry.

After each death one whole release serves, `recover` heals, nothing is left, and a second
`recover` changes nothing. Every few deaths a release instead of it, which must be enough.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest

from kit.faults.acts import Act, Sort
from kit.load.clients import NoRetryClient
from kit.site.command import Ran
from kit.site.host import Host, Site

_RELEASE_EVERY = 6
_VERSIONS = ("v1", "v2")


@dataclass(frozen=True, slots=True)
class Death:
    number: int
    when: str  # before | after
    act: Act

    def __str__(self) -> str:
        return f"{self.when} act {self.number} ({self.act})"


@pytest.fixture
def site(client: docker.DockerClient) -> Iterator[Site]:
    host = Host(client)
    try:
        host.up()
        site = host.site(config={"drain": {"timeout": "5s"}, "gate": {"passes": 1}}, files=10)
        for version in _VERSIONS:
            site.write(version, files=10)
            client.images.build(path=str(site.project.folder), tag=_image(site, version), rm=True)
        _run(site, "release", "--image", _image(site, "v1"), expect=0)
        yield site
        for version in _VERSIONS:
            client.images.remove(_image(site, version), force=True)
    finally:
        host.remove()


@pytest.mark.timeout(0)
def test_a_release_that_is_killed_anywhere_loses_nothing(
    site: Site, tmp_path: Path, thorough: bool
) -> None:
    deaths = _deaths(_acts(site, tmp_path), thorough)
    with NoRetryClient(
        site.host.url, host=site.hostname, threads=2, pause=0.005, limit=36_000
    ) as load:
        for turn, death in enumerate(deaths, 1):
            _die(site, death)
            _assert_healed(site, death, by_release=turn % _RELEASE_EVERY == 0)
            assert load.so_far().lost == 0, f"{death}: {load.so_far().failures[:3]}"
    report = load.report()
    report.assert_nothing_lost(at_least=1000)
    assert set(report.versions) == set(_VERSIONS)
    print(f"{len(deaths)} deaths, {report.requests} requests in {report.seconds:.0f} s, none lost")


def _acts(site: Site, folder: Path) -> list[Act]:
    """Of a release that replaces a live one; a dry pass counts them."""
    notes = folder / "acts"
    _run(site, "release", "--image", _image(site, "v2"), fate=("count", str(notes)), expect=0)
    return [Act(*line.split()) for line in notes.read_text().splitlines()]


def _deaths(acts: list[Act], thorough: bool) -> list[Death]:
    """After every write. Reads change nothing: a death before any act is one after the write
    before it, and that before the first leaves nothing."""
    if thorough:
        return [Death(n, when, act) for n, act in enumerate(acts) for when in ("before", "after")]
    return [Death(n, "after", act) for n, act in enumerate(acts) if act.sort is Sort.WRITE]


def _die(site: Site, death: Death) -> None:
    to = _other(site)
    ended = _run(site, "release", "--image", _image(site, to), fate=(death.when, str(death.number)))
    # A run with less to put away has fewer acts than the one that was counted.
    assert ended.code in (-signal.SIGKILL, 0), f"{death}: {ended}"
    assert site.host.get(site).version in _VERSIONS, death


def _assert_healed(site: Site, death: Death, *, by_release: bool) -> None:
    served = site.host.get(site).version
    _age(site)
    if by_release:
        served = _other(site)
        _run(site, "release", "--image", _image(site, served), expect=0)
    else:
        site.bluegreen("recover", expect=0)
        again = site.bluegreen("recover", expect=0)
        assert again.outcome == "unchanged", f"{death}: {again}"
    assert site.host.get(site).version == served, death
    assert [one.name for one in site.containers()] == [site.live().partition(":")[0]], death
    assert site.bluegreen("status", expect=0).document["amiss"] == [], death
    assert [path for path in site.host.state_dir.rglob(".*") if path.is_file()] == [], death
    history = site.bluegreen("history", expect=0).document["releases"]
    assert all(row["outcome"] for row in history), death


def _other(site: Site) -> str:
    return next(one for one in _VERSIONS if one != site.host.get(site).version)


def _image(site: Site, version: str) -> str:
    return f"bluegreen-test/{site.name}:{version}"


def _age(site: Site) -> None:
    """Two hours pass for what the dead run left, which another command might have been using."""
    for path in site.host.state_dir.rglob(".*"):
        if path.is_file():
            facts = path.stat()
            os.utime(path, (facts.st_atime - 7200, facts.st_mtime - 7200))


def _run(
    site: Site, *argv: str, fate: tuple[str, str] | None = None, expect: int | None = None
) -> Ran:
    command = site.bluegreen.through("kit.faults.killing", *fate) if fate else site.bluegreen
    return command(*argv, expect=expect)
