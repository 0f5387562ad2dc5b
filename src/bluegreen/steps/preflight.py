"""Is there room? Nothing is touched yet."""

from __future__ import annotations

import shutil
from pathlib import Path

from bluegreen.errors import NotFit
from bluegreen.lib.humanize import show_size
from bluegreen.model import EngineFacts

#: The ledger, the pointer and their journals; far more than a release writes.
_STATE_NEEDS = 16 << 20


def check_space(
    facts: EngineFacts, state_root: Path, min_free: int, prunable: tuple[int, int]
) -> str:
    """Raises NotFit unless there is room for another image and for the state.

    `prunable` is how many images `bluegreen prune` would remove now, and their bytes.
    The engine's disk can only be looked at where the engine is on this host.
    """
    _require(state_root, _STATE_NEEDS, "the state folder", "free some space on it")
    if not facts.local or not Path(facts.root_dir).is_dir():
        return "the engine's disk is not on this host"
    count, size = prunable
    hint = (
        f"bluegreen prune would remove {count} images, some {show_size(size)}"
        if count
        else "free some space on it, or lower retain.min_free"
    )
    free = _require(Path(facts.root_dir), min_free, "the engine's disk", hint)
    return f"{show_size(free)} free"


def _require(folder: Path, needed: int, what: str, hint: str) -> int:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise NotFit(
            f"{what} {folder} has {show_size(free)} free, less than {show_size(needed)}", hint=hint
        )
    return free
