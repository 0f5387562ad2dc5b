"""What is tried under faults, and what must hold after them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kit.fakes.world import RETAINED, SITE, Ended, World
from kit.faults.acts import Fault


@dataclass(frozen=True, slots=True)
class Scenario:
    name: str
    before: Callable[[World], None]
    act: Callable[..., Ended]  # the world, and the faults
    serves: frozenset[str]  # versions that users may get at any time; "" = none
    images: int  # of the site, before it
    bad: bool = False  # the new release is not fit


def _released(*versions: str) -> Callable[[World], None]:
    def make(world: World) -> None:
        for version in versions:
            ended = world.release(version)
            assert ended.result and ended.result.exit_code == 0, ended.result

    return make


def _release(version: str, **image: Any) -> Callable[..., Ended]:
    def act(world: World, *faults: Fault) -> Ended:
        return world.release(version, *faults, **image)

    return act


def _release_that_falls(world: World, *faults: Fault) -> Ended:
    """It dies in its drain; where the command does not come so far, it is sound."""
    world.engine.newest_falls = True
    try:
        return world.release("v2", *faults)
    finally:
        world.engine.newest_falls = False


SCENARIOS: Mapping[str, Scenario] = {
    one.name: one
    for one in (
        Scenario("first release", _released(), _release("v1"), frozenset({"", "v1"}), images=0),
        Scenario(
            "second release", _released("v1"), _release("v2"), frozenset({"v1", "v2"}), images=1
        ),
        Scenario(
            "release taken back",
            _released("v1"),
            _release("v2", public_status=500),
            frozenset({"v1"}),
            images=1,
            bad=True,
        ),
        Scenario(
            "release falls beside the old one",
            _released("v1"),
            _release_that_falls,
            frozenset({"v1", "v2"}),
            images=1,
            bad=True,
        ),
        Scenario(
            "rollback", _released("v1", "v2"), World.rollback, frozenset({"v1", "v2"}), images=2
        ),
    )
}


def assert_whole(world: World, scenario: Scenario, ended: Ended) -> None:
    """One whole release serves, and the command did not lie about it."""
    served = world.served
    assert served in scenario.serves, f"users get {served!r}"
    if ended.result is None:
        return
    failed = ended.result.exit_code not in (0, 9, 130) and not ended.result.debris
    if failed and ended.result.command != "recover":
        assert set(world.containers()) <= {world.live}, "it failed, and left a container"
        assert len(world.tags()) == scenario.images, "it failed, and left an image"
    if ended.result.exit_code in (0, 9) and ended.result.live_known:
        assert ended.result.live is not None
        assert ended.result.live.id in world.live, "it says that another release is live"


def assert_healed(world: World, scenario: Scenario) -> None:
    """Recovery, twice; then a release: nothing is left, and the ledger is true."""
    before = "" if scenario.bad else world.served
    world.age_files()
    ended = world.recover()
    assert ended.result is not None
    assert ended.result.exit_code == 0, ended.result
    assert world.served == before or not before, f"recovery took {before!r} away"
    assert world.served in scenario.serves
    _assert_tidy(world)
    dump = world.dump()
    again = world.recover()
    assert again.result is not None
    assert again.result.outcome == "unchanged", again.result.detail
    assert world.dump() == dump, "a second recovery changed something"
    assert_releases(world)


def assert_releases(world: World, version: str = "v9") -> None:
    """The next release is enough, whatever was before."""
    world.age_files()
    ended = world.release(version)
    assert ended.result is not None
    assert ended.result.exit_code == 0, ended.result
    assert world.served == version
    assert len(world.containers()) == 1
    _assert_tidy(world)
    rows = world.ledger_rows()
    live = next(row for row in rows if row.was_live)
    assert live.release.container == world.live
    kept = {row.release.image for row in rows if row.was_live}
    assert world.tags() <= kept
    assert len(world.tags()) <= RETAINED + 1
    stored = {path.stem for path in (world.state.store / SITE / "releases").glob("*.json")}
    assert stored <= {row.release.id for row in rows if row.was_live}
    world.restart_edge()
    assert world.served == version, "a restart of the edge loses it"
    world.reboot()
    assert world.served == version, "a reboot loses it"


def _assert_tidy(world: World) -> None:
    live = world.live
    containers = world.containers()
    assert set(containers) <= {live}, f"left: {containers}"
    assert containers.get(live, "running") == "running"
    assert world.temporary_files() == []
    rows = world.ledger_rows()
    assert all(row.outcome for row in rows), "a row has no end"
    assert world.tags() <= {row.release.image for row in rows if row.was_live}, "an image is left"
    if live:
        mine = next(row for row in rows if row.release.container == live)
        assert mine.was_live, "the ledger does not know what is live"
        container = world.engine.named(live)
        assert container is not None
        assert container.restart == "unless-stopped"
    assert world.amiss() in ((), ("no release is live: bluegreen release",)), world.amiss()


def assert_owned_up(world: World, scenario: Scenario, ended: Ended) -> None:
    """With a bad release and an undo that fails, users may get what is bad: then it is said."""
    try:
        assert_whole(world, scenario, ended)
    except AssertionError:
        if not scenario.bad:
            raise
        if ended.result is not None:
            assert ended.result.exit_code != 0
            assert ended.result.error or ended.result.debris
