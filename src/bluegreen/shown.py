"""Sizes and ages as people say them: rounded, never read back."""

from __future__ import annotations

_SIZES = ((1 << 40, "TB"), (1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "kB"))
_AGES = ((86400, "d"), (3600, "h"), (60, "min"))


def show_size(count: int) -> str:
    for length, unit in _SIZES:
        if count >= length:
            return f"{count / length:.1f} {unit}"
    return f"{count} B"


def show_age(seconds: float) -> str:
    """Also of a time in the future: another clock made it."""
    if seconds < 0:
        return f"minus {show_age(-seconds)}"
    for length, unit in _AGES:
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
