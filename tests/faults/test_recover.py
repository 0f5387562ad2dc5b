"""What recovery decides, and what it leaves alone: one dead run each, on fakes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bluegreen.model import LedgerRow, Outcome, Result
from kit.fakes.fast import Moments
from kit.fakes.world import HOSTNAME, Ended, World
from kit.faults.acts import Fault, Kind

_SWITCH = "files.put_in_place"


def _ok(ended: Ended, code: int = 0) -> Result:
    assert ended.result is not None
    assert ended.result.exit_code == code, ended.result
    return ended.result


def _newest(world: World) -> LedgerRow:
    row: LedgerRow = world.ledger_rows()[0]
    return row


def test_a_release_that_died_after_its_switch_is_proven_and_finished(world: World) -> None:
    world.release("v1")
    assert world.dies_after(_SWITCH, world.release, "v2").killed
    assert len(world.containers()) == 2
    done = _ok(world.recover()).detail["plan"]
    assert [line.partition(" ")[0] for line in done] == ["finish", "remove", "close", "remove"]
    row = _newest(world)
    assert (row.outcome, row.was_live) == (Outcome.RELEASED, True)
    assert row.replaced == world.ledger_rows()[1].release.id
    assert world.served == "v2"
    assert world.containers() == {world.live: "running"}


def test_a_release_that_died_after_its_switch_and_is_not_fit_is_taken_back(world: World) -> None:
    world.release("v1")

    def unfit(version: str, *faults: Fault) -> Ended:
        return world.release(version, *faults, public_status=500)

    saved = world.save()
    acts = [str(act) for act in unfit("v2").faults.acts]
    world.restore(saved)
    assert unfit("v2", Fault(acts.index(_SWITCH), Kind.KILL_AFTER)).killed
    with pytest.raises(AssertionError, match="users get 500"):
        assert world.served == "v2"
    _ok(world.recover())
    assert world.served == "v1"
    assert _newest(world).outcome == Outcome.TAKEN_BACK
    assert len(world.tags()) == 1
    assert world.engine.named(world.live).restart == "unless-stopped"  # type: ignore[union-attr]


def test_a_release_whose_container_died_with_its_process_is_taken_back(world: World) -> None:
    """The old one has lost its restart policy in the drain; it gets it back."""
    world.release("v1")
    old = world.live
    world.dies_after("engine.set_restart", world.release, "v2")
    assert world.engine.named(old).restart == "no"  # type: ignore[union-attr]
    world.engine.kill(world.live)
    _ok(world.recover())
    assert (world.live, world.served) == (old, "v1")
    world.reboot()
    assert world.served == "v1"
    assert _newest(world).outcome == Outcome.TAKEN_BACK


def test_live_that_lacks_its_restart_policy_gets_it_back(world: World) -> None:
    """It was about to go when the new one fell, and the engine went away before the undo."""
    world.release("v1")
    live = world.live
    world.engine.set_restart(live, "no")
    assert world.amiss() == (f"{live} would not outlive a reboot: bluegreen recover",)
    assert _ok(world.recover()).outcome == Outcome.RECOVERED
    world.reboot()
    assert world.served == "v1"
    assert world.amiss() == ()


def test_a_release_that_falls_beside_the_old_one_is_taken_back_whole(world: World) -> None:
    """As if it had never been live: not even the way back knows it."""
    world.release("v1")
    old = world.live
    world.engine.newest_falls = True
    result = _ok(world.release("v2"), 5)
    world.engine.newest_falls = False
    assert (result.outcome, result.replaced, result.debris) == (Outcome.TAKEN_BACK, None, ())
    assert result.error is not None
    assert "exited with code 137" in result.error.message
    assert (world.live, world.served, len(world.tags())) == (old, "v1", 1)
    assert world.amiss() == ()
    row = _newest(world)
    assert (row.outcome, row.was_live) == (Outcome.TAKEN_BACK, False)
    world.reboot()
    assert world.served == "v1"


def test_a_first_release_that_is_not_fit_leaves_no_release(world: World) -> None:
    world.dies_after(_SWITCH, world.release, "v1")
    world.engine.kill(world.live)
    _ok(world.recover())
    assert (world.live, world.served, world.containers()) == ("", "", {})


def test_no_single_lost_answer_takes_a_release_back(world: World) -> None:
    """A proof that failed for a moment is no proof that nothing, or another, is better."""
    world.dies_after(_SWITCH, world.release, "v1")
    world.age_files()
    saved = world.save()
    acts = world.recover().faults.acts
    for number in (n for n, act in enumerate(acts) if act.group == "client"):
        world.restore(saved)
        _ok(world.recover(Fault(number, Kind.FAIL_BEFORE)))
        assert world.served == "v1"


def test_live_that_was_killed_by_hand_is_left_and_told(world: World) -> None:
    """Nothing else runs: what is wrong with it is for a person, or for the next release."""
    world.release("v1")
    world.engine.kill(world.live)
    dump = world.dump()
    result = _ok(world.recover(), 9)
    assert result.outcome == Outcome.UNCHANGED
    assert "which is exited" in result.debris[0]
    assert "bluegreen release" in result.debris[0]
    assert world.dump() == dump
    _ok(world.release("v2"))
    assert world.served == "v2"


def test_with_the_ledger_lost_what_is_live_stays_live(world: World) -> None:
    world.release("v1")
    for path in world.state.root.glob("ledger.db*"):
        path.unlink()
    assert _ok(world.recover()).outcome == Outcome.UNCHANGED
    assert world.served == "v1"
    _ok(world.release("v2"))
    assert world.served == "v2"


def test_with_the_pointer_lost_the_release_that_runs_is_live_again(world: World) -> None:
    world.release("v1")
    world.state.pointer("web").unlink()
    world.running().registry.ensure_pointer("web")
    assert world.served == ""
    _ok(world.recover())
    assert world.served == "v1"


def test_what_is_live_and_not_known_to_be_keeps_its_image(world: World) -> None:
    """The ledger says that it failed, and users get it: it must not lose its image's name."""
    world.release("v1")
    world.dies_after(_SWITCH, world.release, "v2")
    rows = world.ledger_rows()
    world.close_row(rows[0].release.id, Outcome.FAILED)
    _ok(world.recover())
    assert world.served == "v2"
    assert rows[0].release.image in world.tags()
    assert (_newest(world).outcome, _newest(world).was_live) == (Outcome.RELEASED, True)


@pytest.mark.parametrize("command", ["recover", "release"])
def test_a_dry_run_tells_and_does_nothing(world: World, command: str) -> None:
    world.release("v1")
    world.dies_after("engine.start", world.release, "v2")
    world.build("v3")
    dump = world.dump()
    act: Callable[..., Ended] = {
        "recover": lambda: world.recover(dry_run=True),
        "release": lambda: world.release("v3", dry_run=True),
    }[command]
    result = _ok(act())
    assert result.outcome == Outcome.PLANNED
    assert any(line.startswith("remove bg-web-") for line in result.detail["plan"])
    assert world.dump() == dump


@pytest.mark.parametrize("switch", ["pointer", "reload"])
def test_a_site_whose_registration_was_cut_off_outlives_the_edge(world: World, switch: str) -> None:
    """Loaded, and not stored: without the settling, a restart of Caddy would lose the site."""
    world.settings = world.settings.model_copy(
        update={"edge": world.settings.edge.model_copy(update={"switch": switch})}
    )
    world.dies_after("admin.load", world.release, "v1")
    world.age_files()
    _ok(world.recover())
    world.restart_edge()
    assert world.caddy.proxy(HOSTNAME) is not None
    _ok(world.release("v2"))
    world.restart_edge()
    assert world.served == "v2"


def test_new_hosts_that_were_cut_off_in_mid_registration_do_not_block_a_release(
    world: World,
) -> None:
    world.release("v1")
    world.settings = world.settings.model_copy(update={"hosts": (HOSTNAME, "new.test")})
    world.dies_after("admin.load", world.release, "v2")
    world.age_files()
    _ok(world.release("v3"))
    assert world.caddy.proxy("new.test") is not None
    assert world.served == "v3"


def test_a_registration_that_was_cut_off_between_its_files_survives_a_restart(
    world: World,
) -> None:
    """The routes are new, what Caddy starts from is old: the next release loads it again."""
    world.release("v1")
    world.settings = world.settings.model_copy(update={"hosts": (HOSTNAME, "new.test")})
    before = world.state.caddy_json.read_bytes()
    world.dies_after("admin.load", world.release, "v2")
    world.running().settle(world.settings)
    world.state.caddy_json.write_bytes(before)
    world.restart_edge()
    _ok(world.release("v3"))
    assert world.caddy.proxy("new.test") is not None


def test_requests_of_what_is_removed_are_waited_for_at_its_own_port(world: World) -> None:
    """The old release listens elsewhere than the new one."""
    world.release("v1")
    old = world.live
    container = world.settings.container.model_copy(update={"port": 8080})
    world.settings = world.settings.model_copy(update={"container": container})
    world.build("v2", port=8080)
    world.dies_after(_SWITCH, world.release, "v2")
    world.caddy.flights[f"{old}:80"] = 1
    ended = world.recover()
    _ok(ended)
    asked = [act for act in ended.faults.acts if str(act) == "admin.in_flight"]
    assert len(asked) > 5, "it did not wait for the deadline"
    assert world.engine.named(old) is None


def test_a_clock_that_goes_back_confuses_nothing(world: World) -> None:
    """Releases are in the order in which they were made, whatever their ids say."""
    world.release("v1")
    world.release("v2")
    Moments.minutes -= 60
    world.release("v3")
    assert [row.release.revision for row in world.ledger_rows()] == ["v3", "v2", "v1"]
    _ok(world.rollback())
    assert world.served == "v2"
    _ok(world.rollback(wanted="v3"))
    assert world.served == "v3"
    world.dies_after(_SWITCH, world.release, "v4")
    _ok(world.recover())
    assert world.served == "v4"
    assert _newest(world).replaced == world.ledger_rows()[1].release.id
