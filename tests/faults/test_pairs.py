"""Any two faults: the second strikes the undo, the rest of the command, or the recovery itself."""

from __future__ import annotations

from itertools import islice

import pytest

from kit.fakes.world import World
from kit.faults.matrix import pairs, prepared, told
from kit.faults.scenarios import SCENARIOS

#: Of the first faults, and of the pairs that they begin, every so many-th is tried; with
#: `--thorough` each. Both are prime, so that all kinds and acts come by.
_FIRSTS, _SECONDS = 7, 13


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.timeout(0)
def test_any_two_faults(name: str, world: World, thorough: bool) -> None:
    scenario = SCENARIOS[name]
    saved, firsts = prepared(scenario, world)
    todo = pairs(world, saved, scenario, firsts if thorough else firsts[3::_FIRSTS])
    tried, healed = 0, set[str]()
    for pair in todo if thorough else islice(todo, 0, None, _SECONDS):
        with told(str(pair)):
            pair.run(world, scenario, healed)
        tried += 1
    print(f"{name}: {len(firsts)} single faults, {tried} pairs, {len(healed)} worlds healed")
    assert tried > 20
