"""The house stands: imports go down the floors only, and each vendor has one door."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import bluegreen

PACKAGE = Path(bluegreen.__file__).parent

#: Module or package, seen from bluegreen → floor. A package's files share its floor.
FLOORS: Mapping[str, int] = {
    # 0: words
    "errors": 0,
    "model": 0,
    # 1: pure, or one small act on this host
    "ahead": 1,
    "asset_paths": 1,
    "decode": 1,
    "caching": 1,
    "durable": 1,
    "generation": 1,
    "globs": 1,
    "links": 1,
    "log": 1,
    "media": 1,
    "needs": 1,
    "plan": 1,
    "poll": 1,
    "ports": 1,
    "references": 1,
    "settings": 1,
    "shown": 1,
    "signals": 1,
    "state": 1,
    "tarstream": 1,
    "undo": 1,
    "units": 1,
    # 2: adapters and what they are told
    "artifact": 2,
    "assets": 2,
    "build_id": 2,
    "builder": 2,
    "causes": 2,
    "chain": 2,
    "edge": 2,
    "engine": 2,
    "examine": 2,
    "flock": 2,
    "knock": 2,
    "ledger": 2,
    "probe": 2,
    "proof": 2,
    "revision": 2,
    "spec": 2,
    "staleness": 2,
    # 3: one file a step
    "steps": 3,
    # 4: recipes
    "attempt": 4,
    "cleaning": 4,
    "edge_recipes": 4,
    "golive": 4,
    "history": 4,
    "host": 4,
    "keeping": 4,
    "proving": 4,
    "prune_recipe": 4,
    "recover": 4,
    "release": 4,
    "retirement": 4,
    "rollback": 4,
    "status": 4,
    "unchanged": 4,
    "verify_recipe": 4,
    # 5: the command
    "__main__": 5,
    "cli": 5,
    "report": 5,
    "tables": 5,
    "wiring": 5,
}

#: What is not ours → the only modules that import it.
DOORS: Mapping[str, tuple[str, ...]] = {
    "brotli": ("decode",),
    "selectolax": ("needs",),
    "zstandard": ("decode",),
    "docker": ("engine",),
    "loguru": ("log",),
    "requests": ("engine",),
    "urllib3": ("engine",),
    "httpx": ("edge.admin", "knock", "probe"),
    "pydantic": ("settings",),
    "pydantic_settings": ("settings",),
    "typer": ("cli",),
}


def modules() -> list[str]:
    """Every module by its name below the package: "errors", "settings.load", "settings"."""
    paths = [path.relative_to(PACKAGE).with_suffix("") for path in PACKAGE.rglob("*.py")]
    names = [".".join(path.parts).removesuffix(".__init__") for path in paths]
    return sorted(name for name in names if name != "__init__")


def source(module: str) -> Path:
    path = PACKAGE.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@cache
def imported(module: str) -> frozenset[str]:
    """Full names that a module imports, also inside functions, but not for its types alone."""
    found = set()
    for node in running_code(ast.parse(source(module).read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(found)


def running_code(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            continue
        yield node
        yield from running_code(node)


def ours(module: str) -> set[str]:
    """The modules of ours that `module` imports."""
    known = set(modules())
    found = set()
    for name in imported(module):
        package, _, inner = name.partition(".")
        if package != "bluegreen" or not inner:
            continue
        # `from bluegreen.errors import ConfigError` names a module and something in it.
        found.add(inner if inner in known else inner.rpartition(".")[0])
    return {name for name in found if name in known and name != module}


def floor(module: str) -> int:
    return FLOORS[module.partition(".")[0]]


def test_every_module_has_a_floor() -> None:
    """A new module is given its place before it is written, and a gone one leaves the table."""
    assert {module.partition(".")[0] for module in modules()} == set(FLOORS)


@pytest.mark.parametrize("module", modules())
def test_imports_go_down(module: str) -> None:
    """A module imports from its own floor or below, never from above."""
    above = {name: floor(name) for name in ours(module) if floor(name) > floor(module)}

    assert not above, f"{module} (floor {floor(module)}) reaches up"


def test_no_module_imports_itself_through_others() -> None:
    graph = {module: ours(module) for module in modules()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' → '.join(error.args[1])}")


@pytest.mark.parametrize("module", modules())
def test_each_vendor_has_one_door(module: str) -> None:
    """No vendor's type or exception reaches a step: only its adapter imports it."""
    roots = {name.partition(".")[0] for name in imported(module)}
    intruders = {
        vendor
        for vendor in roots & set(DOORS)
        if not any(module == door or module.startswith(f"{door}.") for door in DOORS[vendor])
    }

    assert not intruders, f"{module} imports {', '.join(sorted(intruders))}"


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
    """`bluegreen --help` costs an interpreter and typer, nothing that a release needs."""
    heavy = {"docker", "requests", "httpx", "pydantic", "pydantic_settings", "tenacity", "loguru"}

    assert not loaded_by("import bluegreen.cli") & heavy


def test_settings_load_no_adapter() -> None:
    assert not loaded_by("import bluegreen.settings") & {"docker", "requests", "httpx", "rich"}
