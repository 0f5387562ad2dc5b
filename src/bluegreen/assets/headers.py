"""The response headers that are kept with an asset. Files with equal ones form a class.

Kept is what a browser or a cache decides by: what the file is, who may read it, and for how
long. What belongs to one answer (Date, ETag, Content-Length, Age, Set-Cookie) is the edge's.
"""

from __future__ import annotations

from collections.abc import Mapping

#: As many as the edge has routes for; a file of one more class is served live only.
CLASSES = 16

#: Most answers have these: the edge looks at each.
USUAL_HEADERS = (
    "Content-Type",
    "Cache-Control",
    "Vary",
    "X-Content-Type-Options",
    "Access-Control-Allow-Origin",
)
#: The less usual ones share `SLOTS` places, which the edge looks at only where `OTHER` says
#: that one of them is taken: a file with more of them is served live only.
SLOTS = 10
OTHER = "other"
#: What an empty place is called; the edge deletes it again.
ABSENT = "X-Bluegreen-Absent"
OTHER_HEADERS = (
    "Access-Control-Allow-Credentials",
    "Access-Control-Allow-Headers",
    "Access-Control-Allow-Methods",
    "Access-Control-Expose-Headers",
    "Access-Control-Max-Age",
    "Content-Disposition",
    "Content-Language",
    "Content-Security-Policy",
    "Content-Security-Policy-Report-Only",
    "Cross-Origin-Embedder-Policy",
    "Cross-Origin-Embedder-Policy-Report-Only",
    "Cross-Origin-Opener-Policy",
    "Cross-Origin-Opener-Policy-Report-Only",
    "Cross-Origin-Resource-Policy",
    "Link",
    "Origin-Agent-Cluster",
    "Permissions-Policy",
    "Referrer-Policy",
    "Strict-Transport-Security",
    "Timing-Allow-Origin",
    "X-Frame-Options",
    "X-Robots-Tag",
)
#: Name → value, sorted by name; absent ones are left out.
Recorded = tuple[tuple[str, str], ...]


def class_name(number: int) -> str:
    return f"{number:02d}"


def recorded(headers: Mapping[str, str]) -> Recorded:
    """What is kept of an answer's headers, whose names are lower-case."""
    kept = {name: headers.get(name.lower(), "").strip() for name in USUAL_HEADERS + OTHER_HEADERS}
    # The edge says itself that its answer depends on it.
    varying = [part.strip() for part in kept["Vary"].split(",")]
    kept["Vary"] = ", ".join(part for part in varying if part.lower() != "accept-encoding")
    return tuple(sorted((name, value) for name, value in kept.items() if value))


def name_file(slot: int) -> str:
    return f"{slot}.name"


def value_file(slot: int) -> str:
    return f"{slot}.value"


def fits(headers: Recorded) -> bool:
    """Whether there is a place for each header."""
    return len(headers) - sum(name in USUAL_HEADERS for name, _ in headers) <= SLOTS


def as_files(headers: Recorded) -> dict[str, bytes]:
    """File name → content, for every file that the edge may read."""
    values = dict(headers)
    files = {name: values.pop(name, "") for name in USUAL_HEADERS}
    others = [*sorted(values.items()), *[(ABSENT, "")] * SLOTS][:SLOTS]
    files[OTHER] = "1" if values else ""
    for slot, (name, value) in enumerate(others):
        files |= {name_file(slot): name, value_file(slot): value}
    return {name: value.encode("latin-1", "replace") for name, value in files.items()}


def from_files(files: Mapping[str, bytes]) -> Recorded:
    texts = {name: content.decode("latin-1") for name, content in files.items()}
    values = {name: texts.get(name, "") for name in USUAL_HEADERS}
    for slot in range(SLOTS):
        values[texts.get(name_file(slot), ABSENT)] = texts.get(value_file(slot), "")
    return tuple(sorted((name, value) for name, value in values.items() if value))
