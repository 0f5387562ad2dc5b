"""A live site, and an image of each of two versions that take turns.

turns = Turns.begun(host.site())
turns.start("--wait", "5")            # a release of the version that is not live
turns.served, turns.other             # "v1", "v2"
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from kit.whole import assert_whole
from kit.world import Site

VERSIONS = ("v1", "v2")


@dataclass(frozen=True, slots=True)
class Turns:
    site: Site
    images: Mapping[str, str]  # version → reference

    @classmethod
    def begun(cls, site: Site, images: Mapping[str, str] | None = None) -> Self:
        """`images`: another site's, where they may be shared."""
        made = images or {version: site.image_of(version, files=10) for version in VERSIONS}
        site.bluegreen("release", "--image", made[VERSIONS[0]], expect=0)
        return cls(site, made)

    @property
    def served(self) -> str:
        return self.site.host.get(self.site).version

    @property
    def other(self) -> str:
        return next(version for version in VERSIONS if version != self.served)

    @property
    def next(self) -> tuple[str, ...]:
        """The command that releases the other version."""
        return "release", "--image", self.images[self.other]

    def assert_the_next_release_heals(self) -> None:
        wanted = self.other
        assert self.site.bluegreen(*self.next, expect=0).document["debris"] == []
        assert self.served == wanted
        assert_whole(self.site)
