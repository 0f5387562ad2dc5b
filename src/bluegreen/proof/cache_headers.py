"""For how long may a browser or a CDN keep an answer without asking again?

A page, a service worker or a build id that is kept outlives the release that it came from:
users get the new files only when that time is over. By RFC 9111, 4.2 and 5.2.2.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from bluegreen.proof.age import http_time

_AGES = re.compile(r"(s-maxage|max-age)\s*=\s*\"?(\d+)")
#: What tells that a cache stands before the site, and what it says of this answer.
_OF_CACHES = ("age", "x-cache", "via", "cf-cache-status", "x-served-by", "x-cache-hits")


def kept_by(headers: Mapping[str, str]) -> str:
    """The header that lets an answer be kept without asking, as it came; "" if none does."""
    control = headers.get("cache-control", "").lower()
    directives = {part.partition("=")[0].strip() for part in control.split(",")}
    if directives & {"no-store", "no-cache"}:
        return ""
    if any(int(age) > 0 for _, age in _AGES.findall(control)) or "immutable" in directives:
        return f"Cache-Control: {headers['cache-control']}"
    if _AGES.search(control):
        return ""  # max-age goes over Expires
    if (expires := http_time(headers.get("expires", ""))) is not None:
        sent = http_time(headers.get("date", ""))
        if sent is not None and expires > sent + 1:
            return f"Expires: {headers['expires']}"
    return ""


def warning(kept: Iterable[tuple[str, str]]) -> str:
    """One warning for all of (path, header); "" for none."""
    found = [f"{path} ({header})" for path, header in kept]
    if not found:
        return ""
    return (
        f"may be kept without asking again, past the next release: {', '.join(found)};"
        " serve it with Cache-Control: no-cache"
    )


def told_by_caches(headers: Mapping[str, str]) -> str:
    """The headers of caches on the way, as they came; "" where none shows itself."""
    return ", ".join(f"{name}: {headers[name]}" for name in _OF_CACHES if headers.get(name))
