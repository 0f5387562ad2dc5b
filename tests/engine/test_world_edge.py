"""The edge's container dies in each step of a release: by itself, by hand, by a restart.

While the edge is down its users get nothing, whatever a release does. What is promised: the
command waits for an edge that comes back and tells of one that does not; as soon as the edge
answers it serves one whole release, and nothing more is lost.
"""

from __future__ import annotations

import pytest

from kit.engine import daemon
from kit.faults.breakpoint import Place
from kit.load.users_in_outage import UsersInOutage
from kit.site.invariants import assert_truthful, assert_whole, wait_until_served
from kit.site.two_versions import TwoVersions

STEPS = (
    *("preflight", "plan", "build", "inspect", "boot", "gate"),
    *("keep", "switch", "verify", "drain", "retire", "prune"),
)
AROUND_THE_SWITCH = (
    Place("keep"),
    Place("switch", "before", "files.put_in_place"),
    Place("switch", "after", "files.put_in_place"),
    Place("drain"),
)
#: Where an edge that stays away leaves the release: failed for want of it, or done but for that.
KILLS = {
    Place("boot"): 7,
    Place("switch", "after", "files.put_in_place"): 7,
    Place("verify"): 7,
    Place("drain"): 9,
}


@pytest.mark.parametrize("step", STEPS)
def test_an_edge_that_dies_by_itself_in_mid_release(two_versions: TwoVersions, step: str) -> None:
    """Its restart policy brings it back, while the command goes on."""
    before, to = two_versions.served, two_versions.other
    reset_restart_backoff(two_versions)
    with UsersInOutage(two_versions.site) as users:
        with two_versions.halted(Place(step), to) as command:
            daemon.kill(two_versions.host.edge_container().attrs["State"]["Pid"])
        wait_until_served(two_versions.site)
        users.expect_all()
        ran = command.wait()
        assert_truthful(two_versions.site, ran, before, to)
        assert_healed_by_the_next_command(two_versions)
        print(f"edge dies in {step}, code {ran.code}: {users.assert_served_again(before, to)}")


@pytest.mark.parametrize("place", AROUND_THE_SWITCH, ids=str)
def test_an_edge_that_somebody_restarts_in_mid_release(
    two_versions: TwoVersions, place: Place
) -> None:
    """`docker restart` returns when Caddy has just begun: the release waits for it."""
    before, to = two_versions.served, two_versions.other
    with UsersInOutage(two_versions.site) as users:
        with two_versions.halted(place, to) as command:
            two_versions.host.edge_container().restart()
        wait_until_served(two_versions.site)
        users.expect_all()
        ran = command.wait().expect(0)
        assert_truthful(two_versions.site, ran, before, to)
        assert ran.document["warnings"] == [], ran
        assert_whole(two_versions.site, to)
        print(f"edge restarted in {place}: {users.assert_served_again(before, to)}")


@pytest.mark.parametrize(("place", "code"), KILLS.items(), ids=str)
def test_an_edge_that_somebody_kills_in_mid_release(
    two_versions: TwoVersions, place: Place, code: int
) -> None:
    """After `docker kill` the engine leaves it down: the command says that it is the edge that
    is gone, and `edge up` brings back what is live by then."""
    before, to = two_versions.served, two_versions.other
    with UsersInOutage(two_versions.site) as users:
        with two_versions.halted(place, to) as command:
            two_versions.host.edge_container().kill()
        ran = command.wait().expect(code)
        assert "the edge" in str(ran.error or ran.document["debris"]), ran
        assert "--recreate" not in ran.stdout, "a new container is not what it needs"
        two_versions.host.up()
        wait_until_served(two_versions.site)
        users.expect_all()
        assert_truthful(two_versions.site, ran, before, to)
        assert_healed_by_the_next_command(two_versions)
        print(f"edge killed in {place}, code {code}: {users.assert_served_again(before, to)}")


def reset_restart_backoff(two_versions: TwoVersions) -> None:
    """Of a container that dies again within ten seconds the engine waits longer each time."""
    two_versions.host.edge_container().restart()
    wait_until_served(two_versions.site)


def assert_healed_by_the_next_command(two_versions: TwoVersions) -> None:
    served = two_versions.served
    two_versions.site.bluegreen("recover", expect=0)
    assert_whole(two_versions.site, served)
