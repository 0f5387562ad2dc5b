"""The fault matrix on fakes: each act that reaches outside the process, with each of its faults.

After each of them users get one whole release, the next command heals, nothing is left behind,
the ledger is true, and a second recovery changes nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import pytest

import bluegreen
from kit.fake_world import Saved, World
from kit.faults import Fault, Kind, unsorted
from kit.likeness import likeness
from kit.scenarios import (
    SCENARIOS,
    Scenario,
    assert_healed,
    assert_owned_up,
    assert_releases,
    pairs,
    singles,
)

#: Of the first faults, and of the pairs that they begin, every so many-th is tried; with
#: `--faults all` each. Both are prime, so that all kinds and acts come by.
_FIRSTS, _SECONDS = 7, 13
#: Where files are written by other means than `durable`: each has its own reason, and tests.
_WRITERS = {
    "assets/store.py",  # acts of its own, see kit/faults.py
    "durable.py",
    "edge/registry.py",  # `edge up` alone: certificates that nobody needs, and its way back
    "edge/switches.py",  # staged files that nobody needs
    "engine/context.py",  # a build's context, in the temporary folder
    "flock.py",  # advice for whoever waits
    "ledger.py",  # SQLite's own journal
    "recover.py",  # removes what others left
    "state.py",  # modes and owners; a staged key
    "steps/keep.py",  # the store's folder of temporary files
    "wiring.py",  # the debug log
}
_WRITING = {
    "write_text",
    "write_bytes",
    "unlink",
    "rename",
    "replace",
    "hardlink_to",
    "mkdir",
    "rmdir",
}


def test_every_act_has_its_faults() -> None:
    """A new method of an adapter is sorted in kit/faults.py before it is used."""
    assert unsorted() == set()


def test_no_file_is_written_past_the_matrix() -> None:
    source = Path(bluegreen.__file__).parent
    found = {
        str(path.relative_to(source))
        for path in source.rglob("*.py")
        if any(_writes(node) for node in ast.walk(ast.parse(path.read_text())))
    }
    assert found - _WRITERS == set(), "write through durable, or sort its acts in kit/faults.py"


def _writes(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    name, args = node.func.attr, [ast.unparse(arg) for arg in node.args]
    if name == "replace":  # str.replace takes two texts, Path.replace one path
        return len(args) == 1 and not node.keywords
    if name == "open":
        return any(arg.strip("'\"")[:1] in "wxa" for arg in args if arg.startswith("'"))
    return name in _WRITING


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.timeout(1800)
def test_any_single_fault(name: str, world: World) -> None:
    """Recovery by hand, then a release."""
    _each_single(SCENARIOS[name], world, lambda: assert_healed(world, SCENARIOS[name]))


@pytest.mark.parametrize("name", ["first release", "second release"])
@pytest.mark.timeout(1800)
def test_any_single_fault_where_the_switch_is_a_patch(name: str, reloading: World) -> None:
    _each_single(SCENARIOS[name], reloading, lambda: assert_healed(reloading, SCENARIOS[name]))


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.timeout(1800)
def test_a_release_alone_heals_any_death(name: str, world: World) -> None:
    """Nobody needs to know of `recover`."""
    deaths = (Kind.KILL_BEFORE, Kind.KILL_AFTER, Kind.GONE)
    _each_single(SCENARIOS[name], world, lambda: assert_releases(world), deaths)


def test_worlds_are_alike_where_only_chance_and_time_differ(world: World) -> None:
    """What `test_any_two_faults` leaves out rests on it."""
    world.release("v1")
    saved = world.save()
    seen = set()
    for version, image in (("v2", {}), ("v2", {}), ("v3", {}), ("v2", {"status": 500})):
        world.restore(saved)
        world.release(version, **image)
        seen.add(likeness(world))
    assert len(seen) == 3


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.timeout(0)
def test_any_two_faults(name: str, world: World, thorough: bool) -> None:
    """The second one strikes the undo, the rest of the command, or the recovery itself."""
    scenario = SCENARIOS[name]
    saved, firsts = _prepared(scenario, world)
    todo = pairs(world, saved, scenario, firsts if thorough else firsts[3::_FIRSTS])
    tried, healed = 0, set[str]()
    for pair in todo if thorough else islice(todo, 0, None, _SECONDS):
        with _told(str(pair)):
            pair.run(world, scenario, healed)
        tried += 1
    print(f"{name}: {len(firsts)} single faults, {tried} pairs, {len(healed)} worlds healed")
    assert tried > 20


def _each_single(
    scenario: Scenario, world: World, check: Callable[[], None], kinds: Sequence[Kind] = tuple(Kind)
) -> None:
    saved, firsts = _prepared(scenario, world)
    chosen = [fault for fault in firsts if fault.kind in kinds]
    for fault in chosen:
        world.restore(saved)
        with _told(str(fault)):
            ended = scenario.act(world, fault)
            assert_owned_up(world, scenario, ended)
            check()
    print(f"{scenario.name}: {len(chosen)} single faults")
    assert len(chosen) > 100


def _prepared(scenario: Scenario, world: World) -> tuple[Saved, list[Fault]]:
    scenario.before(world)
    saved = world.save()
    acts = scenario.act(world).faults.acts
    return saved, list(singles(acts))


@contextmanager
def _told(what: str) -> Iterator[None]:
    """An assertion in the midst of thousands says where."""
    try:
        yield
    except Exception as error:
        error.add_note(what)
        raise
