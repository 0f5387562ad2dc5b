"""A live site, and an image of each of two versions that take turns: each release replaces one.

two = TwoVersions.begun(host.site())
two.start(two.other)            # a release of the version that is not live, under way
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from kit.faults.breakpoint import Halted, Place
from kit.site.command import Ran, Running
from kit.site.host import Host, Site
from kit.site.invariants import assert_whole

VERSIONS = ("v9", "v10")  # pages of two sizes: no server takes the one for the other
_FILES = 10  # the fewest that a project has: what is proven here is not their number


@dataclass(frozen=True, slots=True)
class TwoVersions:
    site: Site
    images: Mapping[str, str]  # version → reference

    @classmethod
    def begun(cls, site: Site, images: Mapping[str, str] | None = None) -> Self:
        """The first version is live. `images`: another site's, where they may be shared."""
        made = images or {version: site.image_of(version, files=_FILES) for version in VERSIONS}
        two_versions = cls(site, made)
        two_versions.release(VERSIONS[0]).expect(0)
        return two_versions

    @property
    def host(self) -> Host:
        return self.site.host

    @property
    def served(self) -> str:
        """What users get now."""
        answer = self.host.get(self.site)
        assert answer.version in VERSIONS, f"users get {answer.status}: {answer.body[:200]!r}"
        return answer.version

    @property
    def other(self) -> str:
        return next(version for version in VERSIONS if version != self.served)

    def argv(self, version: str) -> tuple[str, ...]:
        """The command that releases it."""
        return ("release", "--image", self.images[version])

    def release(self, version: str) -> Ran:
        return self.site.bluegreen(*self.argv(version))

    def start(self, version: str) -> Running:
        """A release of this version, under way."""
        return self.site.bluegreen.start(*self.argv(version))

    def halted(self, place: Place, version: str) -> Halted:
        """A release of this version that comes to stand at the place."""
        return Halted(self.site.bluegreen, place, *self.argv(version))

    def assert_the_next_release_heals(self) -> None:
        wanted = self.other
        assert self.release(wanted).expect(0).document["debris"] == []
        assert_whole(self.site, wanted)
