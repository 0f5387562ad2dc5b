"""Durations and sizes as people write them: "1m30s" is 90.0 seconds, "512m" is 536870912 bytes.

Reading and writing are exact inverses of each other, so a value may be stored as text.
"""

from __future__ import annotations

import re
from decimal import Decimal

#: Longer than any wait that is meant; beyond it the clocks of the libraries overflow.
LONGEST = 365 * 24 * 3600.0

_SECONDS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_NUMBER = r"([0-9]+(?:\.[0-9]+)?)"
_DURATION = re.compile(
    rf"(?:{_NUMBER}d)?\s*(?:{_NUMBER}h)?\s*(?:{_NUMBER}m(?!s))?\s*(?:{_NUMBER}s)?\s*(?:{_NUMBER}ms)?"
)
_SIZE = re.compile(rf"{_NUMBER}\s*([kmgt]?)(?:i?b)?", re.IGNORECASE)
_BYTES = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}

DURATION_FORM = 'a duration with its unit, such as "100ms", "30s", "1m30s" or "1h", or 0'
SIZE_FORM = 'a size, such as "64k", "512m", "1.5g" or a number of bytes'


def parse_duration(value: object) -> float:
    """Seconds. A bare number other than 0 is refused: it does not say its unit.

    Raises ValueError, whose text says what is allowed.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(DURATION_FORM)
    text = str(value).strip()
    if text in ("0", "0.0"):
        return 0.0
    match = _DURATION.fullmatch(text)
    if not text or match is None:
        raise ValueError(DURATION_FORM)
    days, hours, minutes, seconds, millis = (Decimal(part or 0) for part in match.groups())
    total = float(days * 86400 + hours * 3600 + minutes * 60 + seconds + millis / 1000)
    if total > LONGEST:
        raise ValueError('a duration of at most "365d"')
    return total


def format_duration(seconds: float) -> str:
    """The shortest text that `parse_duration` reads back as exactly `seconds` (≥ 0)."""
    rest = Decimal(repr(seconds))
    if rest == 0:
        return "0s"
    if rest < 1:
        return f"{_plain(rest * 1000)}ms"
    text = ""
    for unit, length in _SECONDS.items():
        count = rest if unit == "s" else rest // length
        rest -= count * length
        if count:
            text += f"{_plain(count)}{unit}"
    return text


def parse_size(value: object) -> int:
    """Bytes; k, m, g and t are powers of 1024, as in Docker.

    Raises ValueError, whose text says what is allowed.
    """
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(SIZE_FORM)
    match = _SIZE.fullmatch(str(value).strip())
    if match is None:
        raise ValueError(SIZE_FORM)
    number, unit = match.groups()
    return int(Decimal(number) * _BYTES[unit.lower()])


def format_size(count: int) -> str:
    """The text with the largest unit that `parse_size` reads back as exactly `count` bytes."""
    for unit, length in reversed(_BYTES.items()):
        if count and count % length == 0:
            return f"{count // length}{unit}"
    return "0"


def _plain(number: Decimal) -> str:
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
