"""The house stands: imports go down the floors only, and each vendor has one door."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import bluegreen
from kit.house import House, room_of

HOUSE = House(Path(bluegreen.__file__).parent)

#: Room (a module or a folder of the package's root) → floor. A room's modules share its floor.
FLOORS: Mapping[str, int] = {
    # 0: words
    "errors": 0,
    "model": 0,
    # 1: seams, and what any program could use
    "lib": 1,
    "plan": 1,
    "ports": 1,
    "undo": 1,
    # 2: what is in an image, what is kept on the host, how it is configured; the engine
    "artifact": 2,
    "builder": 2,
    "engine": 2,
    "probe": 2,
    "settings": 2,
    "state": 2,
    # 3: is it what was built? who serves it, and for how long
    "assets": 3,
    "edge": 3,
    "proof": 3,
    # 4: one site on one host, and the books of one command
    "observe": 4,
    "site": 4,
    "attempt": 4,
    # 5: what the recipe calls, one file a step
    "steps": 5,
    # 6: one verb a file
    "commands": 6,
    # 7: the command line
    "__main__": 7,
    "cli": 7,
}

#: What is not ours → the only modules that import it.
DOORS: Mapping[str, tuple[str, ...]] = {
    "brotli": ("artifact.decompress",),
    "docker": ("engine",),
    "dotenv": ("settings",),
    "httpcore": ("probe",),
    "httpx": ("edge.caddy.admin",),
    "loguru": ("lib.log",),
    "pydantic": ("settings",),
    "pydantic_settings": ("settings",),
    "requests": ("engine",),
    "rich": ("cli",),
    "selectolax": ("artifact.needs",),
    "sqlite3": ("state.ledger",),
    "tenacity": ("edge.caddy.admin", "engine"),
    "urllib3": ("engine",),
    "zstandard": ("artifact.decompress",),
}


def test_every_room_has_a_floor() -> None:
    """A new room is given its place before it is built, and a gone one leaves the table."""
    assert set(HOUSE.arrows) == set(FLOORS)
    assert len(FLOORS) <= 24, "two dozen rooms are what one can keep in mind"


def test_imports_go_down() -> None:
    """A module imports from its own floor or below, never from above."""
    upward = {
        f"{module} → {target}"
        for module in HOUSE.sources
        for target in HOUSE.imports(module)
        if FLOORS[room_of(target)] > FLOORS[room_of(module)]
    }
    assert not upward


def test_no_module_imports_itself_through_others() -> None:
    try:
        TopologicalSorter({name: HOUSE.imports(name) for name in HOUSE.sources}).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' → '.join(error.args[1])}")


def test_each_vendor_has_one_door() -> None:
    """No vendor's type or exception reaches a step: only its adapter imports it."""
    intruders = {
        f"{module} imports {vendor}"
        for module in HOUSE.sources
        for vendor in {name.partition(".")[0] for name in HOUSE.imported(module)} & DOORS.keys()
        if not any(module == door or module.startswith(f"{door}.") for door in DOORS[vendor])
    }
    assert not intruders


def test_every_door_is_used() -> None:
    """A door that nobody goes through any more leaves the table."""
    unused = {
        f"{door} for {vendor}"
        for vendor, doors in DOORS.items()
        for door in doors
        if not any(
            vendor in {name.partition(".")[0] for name in HOUSE.imported(module)}
            for module in HOUSE.sources
            if module == door or module.startswith(f"{door}.")
        )
    }
    assert not unused


def loaded_by(statement: str) -> set[str]:
    """The packages that a fresh interpreter holds after `statement`."""
    code = (
        f"{statement}\nimport sys\nprint(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return set(answer.stdout.split())


def test_help_waits_for_nothing_heavy() -> None:
    """`bluegreen --help` costs an interpreter and argparse, nothing that a release needs."""
    heavy = {
        "docker",
        "requests",
        "httpx",
        "pydantic",
        "pydantic_settings",
        "rich",
        "tenacity",
        "loguru",
    }

    assert not loaded_by("import bluegreen.cli.app") & heavy


def test_settings_load_no_adapter() -> None:
    assert not loaded_by("import bluegreen.settings") & {"docker", "requests", "httpx", "rich"}
