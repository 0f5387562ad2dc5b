"""The same matrix where the switch is a patch of Caddy's configuration."""

from __future__ import annotations

import pytest

from kit.fakes.world import World
from kit.faults.matrix import try_each_single
from kit.faults.scenarios import SCENARIOS


@pytest.mark.parametrize("name", ["first release", "second release"])
@pytest.mark.timeout(1800)
def test_any_single_fault(name: str, reloading: World, thorough: bool) -> None:
    try_each_single(SCENARIOS[name], reloading, thorough=thorough)
