"""Sizes and ages as people say them: rounded, never read back."""

from __future__ import annotations

#: Seconds by which two clocks, or a clock and a file system, may differ without a word.
SKEW = 5.0

_SIZES = ((1 << 40, "TB"), (1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "kB"))
_AGES = ((86400, "d"), (3600, "h"), (60, "min"))


def show_size(count: int) -> str:
    for length, unit in _SIZES:
        if count >= length:
            return f"{count / length:.1f} {unit}"
    return f"{count} B"


def show_past(seconds: float, word: str) -> str:
    """Of a time that lies so far back: "2 s old", "2 s ago". One that lies ahead was made by
    another clock, or by this one before it was set back: its age nobody knows."""
    if seconds < -SKEW:
        return f"{show_age(-seconds)} ahead of this host's clock"
    return f"{show_age(max(0.0, seconds))} {word}"


def show_age(seconds: float) -> str:
    for length, unit in _AGES:
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
