"""The house, counted: rooms, floors, arrows, and where a function is too long or too wide.

    python tests/kit/house.py [FOLDER OF A PACKAGE]

A room is a module or a folder at the package's root; an arrow leads from one room to another
that it imports, for its types too; floors are the rooms of the longest chain of arrows.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from graphlib import TopologicalSorter
from pathlib import Path

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Measured:
    """One function: how many lines it has, and how many values its caller hands it."""

    where: str  # module:function
    lines: int
    parameters: int


class House:
    def __init__(self, package: Path) -> None:
        self.package = package
        self.name = package.name

    # --- modules ------------------------------------------------------------

    @cached_property
    def sources(self) -> Mapping[str, Path]:
        """Module → its file, by its name below the package: "errors", "settings.load"."""
        found = {}
        for path in sorted(self.package.rglob("*.py")):
            parts = path.relative_to(self.package).with_suffix("").parts
            if name := ".".join(parts).removesuffix("__init__").rstrip("."):
                found[name] = path
        return found

    @cached_property
    def trees(self) -> Mapping[str, ast.Module]:
        return {name: ast.parse(path.read_text()) for name, path in self.sources.items()}

    def imported(self, module: str, *, for_types: bool = False) -> frozenset[str]:
        """Full names that a module imports, also inside functions; with `for_types` also those
        that it needs for its annotations alone."""
        found = set()
        for node in _code(self.trees[module], for_types):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found |= {f"{node.module}.{alias.name}" for alias in node.names}
        return frozenset(found)

    def imports(self, module: str, *, for_types: bool = False) -> frozenset[str]:
        """The modules of this package that `module` imports."""
        found = set()
        for name in self.imported(module, for_types=for_types):
            package, _, inner = name.partition(".")
            if package == self.name and inner:
                # `from package.errors import ConfigError` names a module and something in it.
                found.add(inner if inner in self.sources else inner.rpartition(".")[0])
        return frozenset(found & self.sources.keys() - {module})

    # --- rooms --------------------------------------------------------------

    @cached_property
    def arrows(self) -> Mapping[str, frozenset[str]]:
        """Room → the rooms that it imports."""
        found: dict[str, set[str]] = {room_of(module): set() for module in self.sources}
        for module in self.sources:
            targets = {room_of(target) for target in self.imports(module)}
            found[room_of(module)] |= targets - {room_of(module)}
        return {room: frozenset(targets) for room, targets in found.items()}

    @cached_property
    def floors(self) -> Mapping[str, int]:
        """Room → its floor, by the longest chain of arrows below it. Raises CycleError."""
        floors: dict[str, int] = {}
        for room in TopologicalSorter(self.arrows).static_order():
            floors[room] = 1 + max((floors[below] for below in self.arrows[room]), default=-1)
        return floors

    # --- functions ----------------------------------------------------------

    @cached_property
    def functions(self) -> tuple[Measured, ...]:
        return tuple(
            Measured(f"{module}:{node.name}", _lines(node), _parameters(node))
            for module, tree in self.trees.items()
            for node in ast.walk(tree)
            if isinstance(node, Function)
        )

    def longest(self, most: int) -> list[Measured]:
        return sorted(self.functions, key=lambda one: -one.lines)[:most]

    def widest(self, most: int) -> list[Measured]:
        return sorted(self.functions, key=lambda one: -one.parameters)[:most]

    def longest_files(self, most: int) -> list[tuple[str, int]]:
        sizes = {name: len(path.read_text().splitlines()) for name, path in self.sources.items()}
        return sorted(sizes.items(), key=lambda item: -item[1])[:most]


def room_of(module: str) -> str:
    return module.partition(".")[0]


def _code(tree: ast.AST, for_types: bool) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if for_types or not _is_for_types(node):
            yield node
            yield from _code(node, for_types)


def _is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def _lines(node: Function) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _parameters(node: Function) -> int:
    asked = node.args
    named = [*asked.posonlyargs, *asked.args, *asked.kwonlyargs]
    return sum(one.arg not in ("self", "cls") for one in named)


def _told(house: House) -> Iterator[str]:
    arrows = sum(map(len, house.arrows.values()))
    lines = sum(len(path.read_text().splitlines()) for path in house.sources.values())
    yield f"{len(house.sources)} modules, {lines} lines"
    yield f"{len(house.arrows)} rooms, {len(set(house.floors.values()))} floors, {arrows} arrows"
    for floor in sorted(set(house.floors.values()), reverse=True):
        yield f"  {floor:2}  {' '.join(sorted(r for r, at in house.floors.items() if at == floor))}"
    yield "longest functions: " + ", ".join(f"{f.where} {f.lines}" for f in house.longest(5))
    yield "widest signatures: " + ", ".join(f"{f.where} {f.parameters}" for f in house.widest(5))
    yield "longest files: " + ", ".join(f"{name} {size}" for name, size in house.longest_files(8))


if __name__ == "__main__":
    folder = Path(*sys.argv[1:]) if sys.argv[1:] else Path(__file__).parents[2] / "src/bluegreen"
    print("\n".join(_told(House(folder.resolve()))))
