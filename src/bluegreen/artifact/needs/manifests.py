"""Manifests that a build leaves beside its files: Vite's, and the web app's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

#: Where Vite writes it: since version 5, and before.
VITE_PATHS = (".vite/manifest.json", "manifest.json")


def vite_entries(content: bytes) -> Mapping[str, Mapping[str, Any]]:
    """Vite's manifest: source → its chunk. Empty where it is not one."""
    found = _read(content)
    if not isinstance(found, dict) or not found:
        return {}
    for chunk in found.values():
        if not isinstance(chunk, dict) or not isinstance(chunk.get("file"), str):
            return {}
    return found


def vite_files(entries: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    """The path of each file that Vite built."""
    return tuple(
        dict.fromkeys(
            path
            for chunk in entries.values()
            for path in (chunk["file"], *_texts(chunk.get("css")), *_texts(chunk.get("assets")))
        )
    )


def web_icons(content: bytes) -> tuple[str, ...]:
    """The addresses of a web app manifest's icons, as they stand in it."""
    found = _read(content)
    icons = found.get("icons") if isinstance(found, dict) else None
    if not isinstance(icons, list):
        return ()
    return tuple(
        icon["src"] for icon in icons if isinstance(icon, dict) and isinstance(icon.get("src"), str)
    )


def _texts(found: Any) -> tuple[str, ...]:
    return tuple(one for one in found if isinstance(one, str)) if isinstance(found, list) else ()


def _read(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None
