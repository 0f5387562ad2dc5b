"""The fault matrix: each act of a command with each of its faults, and any two of them.

Worlds that no command can tell apart (kit/faults/fingerprint.py) are healed but once: that is
most of the work, and it is the same work each time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from kit.fakes.world import Saved, World
from kit.faults.acts import Act, Fault, Kind, Sort
from kit.faults.fingerprint import fingerprint
from kit.faults.scenarios import Scenario, assert_healed, assert_owned_up, assert_releases


def prepared(scenario: Scenario, world: World) -> tuple[Saved, list[Fault]]:
    """The world before the scenario's command, and every single fault of it."""
    scenario.before(world)
    saved = world.save()
    acts = scenario.act(world).faults.acts
    return saved, list(_singles(acts))


def try_each_single(scenario: Scenario, world: World, *, thorough: bool) -> None:
    """Heal each world that a fault leaves in both ways: by recovery and then a release, and by a
    release alone, for nobody needs to know of `recover`. `thorough`: alike ones too."""
    saved, firsts = prepared(scenario, world)
    healed = set[str]()
    for fault in firsts:
        world.restore(saved)
        with told(str(fault)):
            assert_owned_up(world, scenario, scenario.act(world, fault))
            world.age_files()
            seen = fingerprint(world)
            if thorough or seen not in healed:
                _heal_in_both_ways(scenario, world)
                healed.add(seen)
    print(f"{scenario.name}: {len(firsts)} single faults, {len(healed)} worlds healed")
    assert len(firsts) > 100


def _heal_in_both_ways(scenario: Scenario, world: World) -> None:
    damaged = world.save()
    assert_healed(world, scenario)
    world.restore(damaged)
    assert_releases(world)


@contextmanager
def told(what: str) -> Iterator[None]:
    """An assertion in the midst of thousands says where."""
    try:
        yield
    except Exception as error:
        error.add_note(what)
        raise


def _singles(acts: list[Act]) -> Iterator[Fault]:
    for number, act in enumerate(acts):
        for kind in act.kinds:
            yield Fault(number, kind)


# --- two faults -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pair:
    """Both in one process, or, where the first one killed it, the second in the recovery."""

    first: Fault
    second: Fault
    start: Saved  # of the world, before the process that the second one strikes
    in_recovery: bool

    def __str__(self) -> str:
        where = " of the recovery" if self.in_recovery else ""
        return f"{self.first}, then {self.second}{where}"

    def run(self, world: World, scenario: Scenario, healed: set[str]) -> None:
        """`healed`: the fingerprints of worlds that were seen to heal; another is added."""
        world.restore(self.start)
        if self.in_recovery:
            assert_owned_up(world, scenario, world.recover(self.second))
        else:
            assert_owned_up(world, scenario, scenario.act(world, self.first, self.second))
        world.age_files()
        seen = fingerprint(world)
        if seen in healed:
            return
        ended = world.recover()
        assert ended.result is not None
        assert ended.result.exit_code == 0, ended.result
        assert world.served in scenario.serves
        assert_healed(world, scenario)
        healed.add(seen)


def pairs(world: World, saved: Saved, scenario: Scenario, firsts: list[Fault]) -> Iterator[Pair]:
    """Each act that follows a fault, with each fault of its own."""
    for first in firsts:
        world.restore(saved)
        ended = scenario.act(world, first)
        if not ended.killed:
            for number in range(first.at + 1, len(ended.faults.acts)):
                for kind in _second_kinds(ended.faults.acts[number]):
                    yield Pair(first, Fault(number, kind), saved, in_recovery=False)
            continue
        world.age_files()
        dead = world.save()
        for number, act in enumerate(world.recover().faults.acts):
            for kind in _second_kinds(act):
                yield Pair(first, Fault(number, kind), dead, in_recovery=True)


def _second_kinds(act: Act) -> tuple[Kind, ...]:
    return act.kinds if act.sort is Sort.WRITE else (Kind.FAIL_BEFORE, Kind.GONE)
