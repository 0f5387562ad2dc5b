"""A site's containers die at the worst moments: the candidate's in mid-release, live's by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from docker.models.containers import Container

from kit.engine import daemon
from kit.faults.breakpoint import Place
from kit.load.users_in_outage import UsersInOutage
from kit.load.wrk import Wrk
from kit.site.invariants import assert_truthful, assert_whole, wait_until_served
from kit.site.two_versions import TwoVersions


def killed(container: Container) -> None:
    """The engine leaves it down."""
    container.kill()


def removed(container: Container) -> None:
    container.remove(force=True)


def crashed(container: Container) -> None:
    """By itself; once it has its restart policy, the engine starts it again."""
    daemon.kill(container.attrs["State"]["Pid"])


def named(value: object) -> str:
    return getattr(value, "__name__", str(value))


Death = Callable[[Container], None]

BEFORE_THE_SWITCH = (
    (Place("gate"), crashed),
    (Place("keep"), killed),
    (Place("switch"), removed),
)
#: Users are sent to it, and the old one still runs.
BESIDE_THE_OLD = (
    (Place("switch", "after", "engine.set_restart"), crashed),
    (Place("switch", "after", "files.put_in_place"), killed),
    (Place("verify"), crashed),
    (Place("verify", "after", "client.ask"), killed),
    (Place("drain"), removed),
    (Place("drain", "after", "engine.set_restart"), killed),
    (Place("retire"), crashed),
)


@pytest.mark.parametrize(("place", "dies"), BEFORE_THE_SWITCH, ids=named)
def test_a_candidate_that_dies_before_the_switch(
    two_versions: TwoVersions, place: Place, dies: Death
) -> None:
    """Nobody is sent to it."""
    before, to = two_versions.served, two_versions.other
    url, host = two_versions.host.url, two_versions.site.hostname
    with UsersInOutage(two_versions.site) as users, Wrk(url, host=host, connections=8) as wrk:
        with two_versions.halted(place, to) as command:
            dies(candidate(two_versions))
        ran = command.wait().expect(4)
        assert "candidate" in ran.error["message"], ran
        assert_truthful(two_versions.site, ran, before, to)
        assert_whole(two_versions.site, before)
        tally = users.assert_served(before)
        report = wrk.report()
        report.assert_nothing_lost(at_least=100)
    print(f"candidate {dies.__name__} in {place}: {tally}; wrk: {report.requests}, 0 lost")


@pytest.mark.parametrize(("place", "dies"), BESIDE_THE_OLD, ids=named)
def test_a_release_that_dies_while_the_old_one_still_runs(
    two_versions: TwoVersions, place: Place, dies: Death
) -> None:
    """It is taken back at once: users' requests wait at the edge, and follow the pointer back.
    Only what the dying one had in hand may be lost."""
    before, to = two_versions.served, two_versions.other
    with UsersInOutage(two_versions.site) as users:
        with two_versions.halted(place, to) as command:
            dies(candidate(two_versions))
            users.expect_all()
        ran = command.wait().expect(5)
        assert "the new release" in ran.error["message"], ran
        assert ran.document["debris"] == []
        assert_truthful(two_versions.site, ran, before, to)
        assert_whole(two_versions.site, before)
        assert (
            two_versions.site.containers()[0].attrs["HostConfig"]["RestartPolicy"]["Name"] != "no"
        )
        tally = users.assert_served(before, to)
    print(f"new release {dies.__name__} in {place}: {tally}")


def test_a_release_that_dies_when_the_old_one_is_gone_is_told(two_versions: TwoVersions) -> None:
    """Nothing can take over any more: that is said, with what brings the old one back."""
    before, to = two_versions.served, two_versions.other
    with two_versions.halted(Place("retire", "after", "engine.remove"), to) as command:
        killed(candidate(two_versions))
    ran = command.wait().expect(9)
    (debris,) = ran.document["debris"]
    assert "exited with code 137" in debris
    assert "bluegreen rollback" in debris
    two_versions.site.bluegreen("rollback", expect=0)
    assert_whole(two_versions.site, before)


@pytest.mark.parametrize("dies", [killed, removed], ids=named)
def test_live_that_somebody_kills_is_told_and_healed_by_a_release(
    two_versions: TwoVersions, dies: Death
) -> None:
    """Users get 502 until then, never another release or a stranger's page."""
    before, to = two_versions.served, two_versions.other
    with UsersInOutage(two_versions.site) as users:
        dies(two_versions.site.containers()[0])
        answer = two_versions.host.get(two_versions.site)
        assert (answer.status, answer.version) == (502, "")
        amiss = two_versions.site.bluegreen("status", expect=0).document["amiss"]
        assert any("exited" in told or "does not exist" in told for told in amiss), amiss
        assert all("docker start" in told or "bluegreen rollback" in told for told in amiss)
        found = two_versions.site.bluegreen("verify", expect=1)
        assert [one["where"] for one in found.document["findings"]] == ["origin"], found
        assert found.document["checked"] == {}, "what the engine knows takes no long requests"
        release = two_versions.start(to)
        wait_until_served(two_versions.site)
        users.expect_all()
        release.wait().expect(0)
        assert_whole(two_versions.site, to)
        tally = users.assert_served(before, to)
    print(f"live {dies.__name__} by hand: {tally}; verify took {found.seconds:.1f} s")


def candidate(two_versions: TwoVersions) -> Container:
    """The newest of the site's containers, whether users are sent to it by now or not."""
    return max(two_versions.site.containers(), key=lambda container: str(container.name))
