"""The edge's container dies in each step of a release: by itself, by hand, by a restart.

While the edge is down its users get nothing, whatever a release does. What is promised: the
command waits for an edge that comes back and tells of one that does not; as soon as the edge
answers it serves one whole release, and nothing more is lost.
"""

from __future__ import annotations

import pytest

from kit import machine
from kit.aftermath import assert_truthful, assert_whole, wait_until_served
from kit.crowd import Crowd
from kit.halting import Place
from kit.seesaw import Seesaw

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
def test_an_edge_that_dies_by_itself_in_mid_release(seesaw: Seesaw, step: str) -> None:
    """Its restart policy brings it back, while the command goes on."""
    before, to = seesaw.served, seesaw.other
    reset_restart_backoff(seesaw)
    with Crowd(seesaw.site) as users:
        with seesaw.halted(Place(step), to) as command:
            machine.kill(seesaw.host.edge_container().attrs["State"]["Pid"])
        wait_until_served(seesaw.site)
        users.expect_all()
        ran = command.wait()
        assert_truthful(seesaw.site, ran, before, to)
        assert_healed_by_the_next_command(seesaw)
        print(f"edge dies in {step}, code {ran.code}: {users.assert_served_again(before, to)}")


@pytest.mark.parametrize("place", AROUND_THE_SWITCH, ids=str)
def test_an_edge_that_somebody_restarts_in_mid_release(seesaw: Seesaw, place: Place) -> None:
    """`docker restart` returns when Caddy has just begun: the release waits for it."""
    before, to = seesaw.served, seesaw.other
    with Crowd(seesaw.site) as users:
        with seesaw.halted(place, to) as command:
            seesaw.host.edge_container().restart()
        wait_until_served(seesaw.site)
        users.expect_all()
        ran = command.wait().expect(0)
        assert_truthful(seesaw.site, ran, before, to)
        assert ran.document["warnings"] == [], ran
        assert_whole(seesaw.site, to)
        print(f"edge restarted in {place}: {users.assert_served_again(before, to)}")


@pytest.mark.parametrize(("place", "code"), KILLS.items(), ids=str)
def test_an_edge_that_somebody_kills_in_mid_release(
    seesaw: Seesaw, place: Place, code: int
) -> None:
    """After `docker kill` the engine leaves it down: the command says that it is the edge that
    is gone, and `edge up` brings back what is live by then."""
    before, to = seesaw.served, seesaw.other
    with Crowd(seesaw.site) as users:
        with seesaw.halted(place, to) as command:
            seesaw.host.edge_container().kill()
        ran = command.wait().expect(code)
        assert "the edge" in str(ran.error or ran.document["debris"]), ran
        assert "--recreate" not in ran.stdout, "a new container is not what it needs"
        seesaw.host.up()
        wait_until_served(seesaw.site)
        users.expect_all()
        assert_truthful(seesaw.site, ran, before, to)
        assert_healed_by_the_next_command(seesaw)
        print(f"edge killed in {place}, code {code}: {users.assert_served_again(before, to)}")


def reset_restart_backoff(seesaw: Seesaw) -> None:
    """Of a container that dies again within ten seconds the engine waits longer each time."""
    seesaw.host.edge_container().restart()
    wait_until_served(seesaw.site)


def assert_healed_by_the_next_command(seesaw: Seesaw) -> None:
    served = seesaw.served
    seesaw.site.bluegreen("recover", expect=0)
    assert_whole(seesaw.site, served)
