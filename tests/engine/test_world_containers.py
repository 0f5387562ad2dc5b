"""A site's containers die at the worst moments: the candidate's in mid-release, live's by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from docker.models.containers import Container

from kit import machine
from kit.aftermath import assert_truthful, assert_whole, wait_until_served
from kit.crowd import Crowd
from kit.halting import Place
from kit.seesaw import Seesaw
from kit.wrk import Wrk


def killed(container: Container) -> None:
    """The engine leaves it down."""
    container.kill()


def removed(container: Container) -> None:
    container.remove(force=True)


def crashed(container: Container) -> None:
    """By itself; once it has its restart policy, the engine starts it again."""
    machine.kill(container.attrs["State"]["Pid"])


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
def test_a_candidate_that_dies_before_the_switch(seesaw: Seesaw, place: Place, dies: Death) -> None:
    """Nobody is sent to it."""
    before, to = seesaw.served, seesaw.other
    url, host = seesaw.host.url, seesaw.site.hostname
    with Crowd(seesaw.site) as users, Wrk(url, host=host, connections=8) as wrk:
        with seesaw.halted(place, to) as command:
            dies(candidate(seesaw))
        ran = command.wait().expect(4)
        assert "candidate" in ran.error["message"], ran
        assert_truthful(seesaw.site, ran, before, to)
        assert_whole(seesaw.site, before)
        tally = users.assert_served(before)
        report = wrk.report()
        report.assert_nothing_lost(at_least=100)
    print(f"candidate {dies.__name__} in {place}: {tally}; wrk: {report.requests}, 0 lost")


@pytest.mark.parametrize(("place", "dies"), BESIDE_THE_OLD, ids=named)
def test_a_release_that_dies_while_the_old_one_still_runs(
    seesaw: Seesaw, place: Place, dies: Death
) -> None:
    """It is taken back at once: users' requests wait at the edge, and follow the pointer back.
    Only what the dying one had in hand may be lost."""
    before, to = seesaw.served, seesaw.other
    with Crowd(seesaw.site) as users:
        with seesaw.halted(place, to) as command:
            dies(candidate(seesaw))
            users.expect_all()
        ran = command.wait().expect(5)
        assert "the new release" in ran.error["message"], ran
        assert ran.document["debris"] == []
        assert_truthful(seesaw.site, ran, before, to)
        assert_whole(seesaw.site, before)
        assert seesaw.site.containers()[0].attrs["HostConfig"]["RestartPolicy"]["Name"] != "no"
        tally = users.assert_served(before, to)
    print(f"new release {dies.__name__} in {place}: {tally}")


def test_a_release_that_dies_when_the_old_one_is_gone_is_told(seesaw: Seesaw) -> None:
    """Nothing can take over any more: that is said, with what brings the old one back."""
    before, to = seesaw.served, seesaw.other
    with seesaw.halted(Place("retire", "after", "engine.remove"), to) as command:
        killed(candidate(seesaw))
    ran = command.wait().expect(9)
    (debris,) = ran.document["debris"]
    assert "exited with code 137" in debris
    assert "bluegreen rollback" in debris
    seesaw.site.bluegreen("rollback", expect=0)
    assert_whole(seesaw.site, before)


@pytest.mark.parametrize("dies", [killed, removed], ids=named)
def test_live_that_somebody_kills_is_told_and_healed_by_a_release(
    seesaw: Seesaw, dies: Death
) -> None:
    """Users get 502 until then, never another release or a stranger's page."""
    before, to = seesaw.served, seesaw.other
    with Crowd(seesaw.site) as users:
        dies(seesaw.site.containers()[0])
        answer = seesaw.host.get(seesaw.site)
        assert (answer.status, answer.version) == (502, "")
        amiss = seesaw.site.bluegreen("status", expect=0).document["amiss"]
        assert any("exited" in told or "does not exist" in told for told in amiss), amiss
        assert all("docker start" in told or "bluegreen rollback" in told for told in amiss)
        found = seesaw.site.bluegreen("verify", expect=1)
        assert [one["where"] for one in found.document["findings"]] == ["origin"], found
        assert found.document["checked"] == {}, "what the engine knows takes no long requests"
        release = seesaw.start(to)
        wait_until_served(seesaw.site)
        users.expect_all()
        release.wait().expect(0)
        assert_whole(seesaw.site, to)
        tally = users.assert_served(before, to)
    print(f"live {dies.__name__} by hand: {tally}; verify took {found.seconds:.1f} s")


def candidate(seesaw: Seesaw) -> Container:
    """The newest of the site's containers, whether users are sent to it by now or not."""
    return max(seesaw.site.containers(), key=lambda container: str(container.name))
