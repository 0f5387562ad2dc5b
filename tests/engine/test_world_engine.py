"""The engine goes and comes back in each step of a release, and the host with everything on it.

Engine 20.10 takes every container with it, so requests are lost for as long as it is away,
with bluegreen or without. What is promised is what comes after: the command tells the truth,
one whole release is served, and from then on nothing is lost.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from docker.models.containers import Container

from kit.engine import daemon
from kit.faults.breakpoint import Place
from kit.load.users_in_outage import UsersInOutage
from kit.site.invariants import assert_truthful, assert_whole, wait_until_served
from kit.site.two_versions import TwoVersions

pytestmark = pytest.mark.alone

#: Where the engine restarts, and how the release ends. A candidate that nobody was sent to has
#: no restart policy: it does not come back, and is rejected as what it then is.
RESTARTS = {
    Place("preflight"): 0,
    Place("plan"): 0,
    Place("build"): 0,
    Place("inspect", "before", "engine.archive"): 0,
    Place("boot", "before", "engine.start"): 0,
    Place("gate"): 4,
    Place("keep"): 4,
    Place("switch"): 4,
    Place("switch", "before", "files.put_in_place"): 0,
    Place("verify"): 0,
    Place("drain"): 0,
    Place("retire", "before", "engine.remove"): 0,
    Place("prune"): 0,
}
#: Where the engine goes away and the command goes on without it.
OUTAGES = (
    Place("switch", "after", "files.put_in_place"),
    Place("retire"),
)
#: Where the power is lost, whether users have the new release by then, and what starts first.
POWER_CUTS = (
    (None, False, "edge"),
    (Place("gate"), False, "site"),
    (Place("verify"), True, "edge"),
    (Place("drain", "after", "engine.set_restart"), True, "site"),
)


@pytest.fixture(autouse=True)
def _engine_afterwards() -> Iterator[None]:
    """Whatever happens here, the tests that follow find an engine."""
    yield
    daemon.start()


@pytest.mark.parametrize(("place", "code"), RESTARTS.items(), ids=str)
def test_the_engine_restarts_in_mid_release(
    two_versions: TwoVersions, place: Place, code: int
) -> None:
    """The command stands still meanwhile, and goes on once users are served again."""
    before, to = two_versions.served, two_versions.other
    with UsersInOutage(two_versions.site) as users:
        with two_versions.halted(place, to) as command:
            engine_stops(two_versions)
            daemon.start()
            wait_until_served(two_versions.site)
            users.expect_all()
        ran = command.wait().expect(code)
        assert_truthful(two_versions.site, ran, before, to)
        assert ran.document["debris"] == [], ran
        assert_whole(two_versions.site, two_versions.served)
        print(f"engine restarts in {place}: {users.assert_served_again(before, to)}")


@pytest.mark.parametrize("place", OUTAGES, ids=str)
def test_the_engine_goes_away_in_mid_release(two_versions: TwoVersions, place: Place) -> None:
    """The command fails for want of it; when it is back, the next command is enough."""
    before, to = two_versions.served, two_versions.other
    with UsersInOutage(two_versions.site) as users:
        with two_versions.halted(place, to) as command:
            engine_stops(two_versions)
        ran = command.wait()
        daemon.start()
        wait_until_served(two_versions.site)
        users.expect_all()
        assert ran.code in (7, 9), ran
        assert_truthful(two_versions.site, ran, before, to)
        served = two_versions.served
        two_versions.site.bluegreen("recover", expect=0)
        assert_whole(two_versions.site, served)
        print(f"engine gone in {place}, code {ran.code}: {users.assert_served_again(before, to)}")


@pytest.mark.parametrize(("place", "switched", "first"), POWER_CUTS, ids=str)
def test_the_host_loses_its_power(
    two_versions: TwoVersions, place: Place | None, switched: bool, first: str
) -> None:
    """After a release, and in the midst of one that dies with it: whatever starts first, what
    was live is served again, and the next command puts the rest in order."""
    before, to = two_versions.served, two_versions.other
    with UsersInOutage(two_versions.site) as users:
        if place is not None:
            with two_versions.halted(place, to) as command:
                command.kill()
                daemon.lose_power()
            command.wait()
        else:
            daemon.lose_power()
        two_versions.host.client.close()
        daemon.start()
        start_in_order(two_versions, first)
        wait_until_served(two_versions.site)
        users.expect_all()
        assert two_versions.served == (to if switched else before)
        two_versions.site.bluegreen("recover", expect=0)
        assert_whole(two_versions.site, to if switched else before)
        print(f"power lost in {place}, {first} first: {users.assert_served_again(before, to)}")


def engine_stops(two_versions: TwoVersions) -> None:
    two_versions.host.client.close()  # its kept connections end with the engine
    daemon.stop()


def start_in_order(two_versions: TwoVersions, first: str) -> None:
    """What the engine has started by itself is stopped, and started one after the other."""
    edge = two_versions.host.edge_container()
    site = [one for one in two_versions.site.containers() if one.status == "running"]
    for container in (edge, *site):
        container.stop()
    order: tuple[Container, ...] = (edge, *site) if first == "edge" else (*site, edge)
    for container in order:
        container.start()
