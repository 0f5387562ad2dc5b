"""The fault matrix on fakes: each act that reaches outside the process, with each of its faults.

After each of them users get one whole release, the next command heals, nothing is left behind,
the ledger is true, and a second recovery changes nothing.
"""

from __future__ import annotations

import pytest

from kit.fakes.world import World
from kit.faults.fingerprint import fingerprint
from kit.faults.matrix import try_each_single
from kit.faults.scenarios import SCENARIOS


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.timeout(1800)
def test_any_single_fault(name: str, world: World, thorough: bool) -> None:
    try_each_single(SCENARIOS[name], world, thorough=thorough)


def test_worlds_are_alike_where_only_chance_and_time_differ(world: World) -> None:
    """What need not be healed once more rests on it."""
    world.release("v1")
    saved = world.save()
    seen = set()
    for version, image in (("v2", {}), ("v2", {}), ("v3", {}), ("v2", {"status": 500})):
        world.restore(saved)
        world.release(version, **image)
        seen.add(fingerprint(world))
    assert len(seen) == 3
