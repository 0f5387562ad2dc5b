"""A name in a file, as it stands there, and how the browser would take it."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

_LONGEST = 2048  # characters; no build names a file by more


class Kind(StrEnum):
    STATIC = "import"  # of a module: taken from the import map, then as an address
    DYNAMIC = "import()"
    STYLE = "@import"
    RESOURCE = "url()"


class Named(NamedTuple):
    kind: Kind
    text: str


def text_of(raw: bytes) -> str:
    """The name; "" where it is none that an address could hold."""
    try:
        text = raw.decode("utf-8").strip()
    except UnicodeDecodeError:
        return ""
    return text if len(text) <= _LONGEST and text.isprintable() else ""
