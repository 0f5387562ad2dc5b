"""Paths below the web root, against the patterns of the settings: `*` is also a slash."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase


def matches(path: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(path, pattern.lstrip("/")) for pattern in patterns)
