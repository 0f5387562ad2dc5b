"""Who serves the wrong thing: the container, the edge, or what stands before it. Pure.

A wrong file is the fault of the first on its way that has it wrong; whoever comes after only
hands it on. So each path is told once, where it went wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Place(StrEnum):
    """From the image to users, in this order."""

    ORIGIN = "origin"  # the container itself, asked through the preview listener
    EDGE = "edge"  # the public listener
    CDN = "cdn"  # what --url names


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """One path that is wrong at one place."""

    path: str
    what: str
    sha256: str = ""  # of what came
    caches: str = ""  # the headers of caches on the way


@dataclass(frozen=True, slots=True, kw_only=True)
class Blame:
    place: Place
    path: str
    what: str

    def __str__(self) -> str:
        return f"{self.place} stale: {self.what}"


#: What to do, by the first place that is wrong.
HINTS = {
    Place.ORIGIN: "bluegreen release makes a fresh container of a fresh image;"
    " bluegreen rollback goes back",
    Place.EDGE: "bluegreen status, bluegreen edge status: what does the edge route, and who else"
    " listens on its ports?",
    Place.CDN: "purge these paths at the CDN, and serve them with Cache-Control: no-cache;"
    " if it rewrites files (minifies, injects), turn that off",
}


def blame(seen: Mapping[Place, Sequence[Wrong]]) -> tuple[Blame, ...]:
    """What went wrong where; places that were not asked are missing in `seen`.

    A path that was wrong before and comes in another wrong form later went wrong twice.
    """
    found: list[Blame] = []
    before: dict[str, Wrong] = {}
    for place in Place:
        for one in seen.get(place, ()):
            earlier = before.get(one.path)
            if earlier is None or (one.sha256 and one.sha256 != earlier.sha256):
                caches = f" ({one.caches})" if one.caches else ""
                found.append(Blame(place=place, path=one.path, what=one.what + caches))
            before[one.path] = one
    return tuple(found)
