"""Which URL paths are assets: immutable files that an old tab may still ask for.

The edge decides by the same rules (`edge/asset_route.py`): the globs are those of Caddy's
path matcher, which looks at the path decoded and without regard to case.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import PurePosixPath

from bluegreen.artifact.media_types import is_never_kept

PATTERN_FORM = (
    'a path pattern such as "/assets/*" or "/static/*.js": it begins with "/", names at least a'
    " folder or an ending, and has no wildcard but *"
)
_PATTERN = re.compile(r"/[A-Za-z0-9_.~@!$&'()+,;=:/*-]*")
#: A page under an asset path is a page: it is neither repaired nor stored.
PAGES = (".html", ".htm")
#: Only a path whose last part has an ending is an asset: an application may well have a
#: page of its own at /assets/42, and no file to go with it.
ENDING = r"\.[A-Za-z0-9_-]+$"
#: Precompressed twins, in the order in which the edge offers them, by their encoding.
TWINS = {"br": ".br", "zstd": ".zst", "gzip": ".gz"}

_LONGEST_NAME = 255  # bytes, of one part of a path on Linux (NAME_MAX)
_LONGEST_PATH = 1024  # bytes; with the store's own folders below Linux' PATH_MAX


def check_pattern(value: str) -> str:
    """Raises ValueError, whose text says what is allowed."""
    parts = value.split("/")
    if (
        _PATTERN.fullmatch(value) is None
        or "**" in value
        or "//" in value
        or {".", ".."} & set(parts)
        or not value.replace("*", "").strip("/.")
    ):
        raise ValueError(PATTERN_FORM)
    return value


def is_asset(path: str, patterns: Iterable[str]) -> bool:
    """Whether the edge minds `path` (decoded, with its leading slash) as an asset."""
    if re.search(ENDING, path) is None or path.lower().endswith(PAGES):
        return False
    return any(_regex(pattern).fullmatch(path) for pattern in patterns)


def is_storable(path: str, patterns: Iterable[str]) -> bool:
    """Whether the file at `path` may be kept for old tabs."""
    return is_asset(path, patterns) and not is_never_kept(path) and is_safe(path)


def is_safe(path: str) -> bool:
    """Whether `path`, from its leading slash on, names a plain file below a folder.

    Nothing that climbs, nothing that a shell, a log or another file system would trip over.
    """
    try:
        encoded = path.encode()
    except UnicodeEncodeError:  # a name of the image that is not UTF-8
        return False
    parts = path.split("/")
    return (
        path.startswith("/")
        and len(encoded) <= _LONGEST_PATH
        and "\\" not in path
        and path.isprintable()
        and all(part not in ("", ".", "..") for part in parts[1:])
        and all(len(part.encode()) <= _LONGEST_NAME for part in parts)
    )


def twin_of(path: str) -> str:
    """The file that `path` is the precompressed twin of, were that there; "" for none."""
    ending = PurePosixPath(path).suffix
    return path.removesuffix(ending) if ending in TWINS.values() else ""


@cache
def _regex(pattern: str) -> re.Pattern[str]:
    """A single * at the end matches on through folders, any other one inside a folder."""
    head, tail = (pattern[:-1], ".*") if _is_prefix(pattern) else (pattern, "")
    within = "[^/]*".join(re.escape(part) for part in head.split("*"))
    return re.compile(within + tail, re.IGNORECASE | re.DOTALL)


def _is_prefix(pattern: str) -> bool:
    return pattern.endswith("*") and pattern.count("*") == 1
