"""Import maps: what a module's specifier stands for (HTML Standard, 8.1.5.2)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin

from bluegreen.artifact.needs.address import is_bare


@dataclass(frozen=True, slots=True)
class ImportMap:
    imports: Mapping[str, str] = field(default_factory=dict)  # specifier → address
    scopes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def targets(self) -> Iterable[str]:
        """Every whole address in it; those that end in / stand for many and are none."""
        for table in (self.imports, *self.scopes.values()):
            yield from (address for address in table.values() if not address.endswith("/"))

    def address(self, specifier: str, referrer: str) -> str | None:
        """The address of `specifier` in the file at `referrer`; None for a bare name without."""
        name = specifier if is_bare(specifier) else _joined(referrer, specifier)
        scopes = sorted(filter(lambda scope: _covers(scope, referrer), self.scopes), key=len)
        for table in (*(self.scopes[scope] for scope in reversed(scopes)), self.imports):
            if found := _match(name, table):
                return found
        return None if is_bare(specifier) else name


def read(texts: Iterable[str], base: str) -> ImportMap:
    """The maps of a page as one: what the first says stands. What is not one is left out."""
    imports: dict[str, str] = {}
    scopes: dict[str, dict[str, str]] = {}
    for text in texts:
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if not isinstance(found, dict):
            continue
        imports = _table(found.get("imports"), base) | imports
        wanted = found.get("scopes")
        for scope, table in wanted.items() if isinstance(wanted, dict) else ():
            address = _joined(base, str(scope))
            scopes[address] = _table(table, base) | scopes.get(address, {})
    return ImportMap(imports, scopes)


def _table(found: Any, base: str) -> dict[str, str]:
    if not isinstance(found, dict):
        return {}
    return {
        name if is_bare(name) else _joined(base, name): _joined(base, address)
        for name, address in found.items()
        if isinstance(address, str) and not is_bare(address)
    }


def _covers(scope: str, referrer: str) -> bool:
    return referrer == scope or (scope.endswith("/") and referrer.startswith(scope))


def _match(name: str, table: Mapping[str, str]) -> str | None:
    if name in table:
        return table[name]
    prefixes = [key for key in table if key.endswith("/") and name.startswith(key)]
    if not prefixes:
        return None
    longest = max(prefixes, key=len)
    return _joined(table[longest], name[len(longest) :])


def _joined(base: str, name: str) -> str:
    try:
        return urljoin(base, name)
    except ValueError:
        return ""
