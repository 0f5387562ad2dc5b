"""Does a body hold the revision? What `freshness.build_id` names must."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bluegreen.model import Exchange

_DIRTY = "-dirty"
_HEX = re.compile(r"[0-9a-f]{7,40}")
_HEX_WORDS = re.compile(rb"(?<![0-9A-Za-z])[0-9a-f]{7,40}(?![0-9A-Za-z])")
_SHOWN = 60  # characters of a wrong body
_PAGES = frozenset({"text/html", "application/xhtml+xml"})


def holds(body: bytes, revision: str) -> bool:
    """Whether `body` names `revision`.

    A commit matches in any length from 7 characters on, in the body or in the revision. What
    is no commit must stand there as a word of its own, a `v` before it apart. `-dirty` is
    left out on both sides: what is clean to git here may not be in the build, and vice versa.
    """
    wanted = revision.removesuffix(_DIRTY).lower()
    if not wanted:
        return False
    text = body.lower()
    if _HEX.fullmatch(wanted):
        return any(_same_commit(word.decode(), wanted) for word in _HEX_WORDS.findall(text))
    pattern = rb"(?<![0-9a-z_.-])v?%s(?![0-9a-z_]|[.-][0-9a-z])" % re.escape(wanted.encode())
    return re.search(pattern, text) is not None


def wrong(path: str, came: Exchange, revision: str, live: Mapping[str, str]) -> str:
    """What is wrong with the answer at `path`, with its usual cause; "" where nothing is.

    `live`: revision → release id of releases whose page could be in its place.
    """
    if came.status != 200:
        why = f" ({came.error})" if came.error else ""
        got = f"status {came.status}{why}" if came.status else f"no answer{why}"
        return f"{path} gave {got}, a body that holds the revision {revision} expected"
    if holds(came.body, revision):
        return ""
    for other, release in live.items():
        if other != revision and holds(came.body, other):
            return (
                f"{path} holds the revision {other} of {release}, not {revision}:"
                " a cached layer, a build that was forgotten, or another container answers"
            )
    if came.media_type in _PAGES and not path.endswith((".html", "/")):
        return (
            f"{path} is answered with a page, not with the revision {revision}:"
            " there is no such file, and the server falls back to its index"
        )
    shown = came.body[:_SHOWN].decode("utf-8", "replace").strip() or "nothing"
    return (
        f"{path} does not hold the revision {revision} but {shown!r}: the build was not told the"
        " revision (build.args), or a layer with another one came from its cache"
    )


def _same_commit(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)
