"""A site with two versions as images, released in turn: each release replaces a live one."""

from __future__ import annotations

from typing import Any

from kit.halting import Halted, Place
from kit.world import Host, Ran, Running, Site

VERSIONS = ("v9", "v10")  # pages of two sizes: no server takes the one for the other
_FILES = 10  # the fewest that a project has: what is proven here is not their number


class Seesaw:
    """The first version is live."""

    def __init__(self, host: Host, **config: Any) -> None:
        settings = {"drain": {"timeout": "5s"}, "gate": {"passes": 1, "timeout": "10s"}, **config}
        self.host = host
        self.site: Site = host.site(config=settings, files=_FILES)
        self._images = {version: self.site.image_of(version, files=_FILES) for version in VERSIONS}
        self.release(VERSIONS[0]).expect(0)

    @property
    def served(self) -> str:
        """What users get now."""
        answer = self.host.get(self.site)
        assert answer.version in VERSIONS, f"users get {answer.status}: {answer.body[:200]!r}"
        return answer.version

    @property
    def other(self) -> str:
        return next(version for version in VERSIONS if version != self.served)

    def release(self, version: str) -> Ran:
        return self.site.bluegreen(*self._argv(version))

    def start(self, version: str) -> Running:
        """A release of this version, under way."""
        return self.site.bluegreen.start(*self._argv(version))

    def halted(self, place: Place, version: str) -> Halted:
        """A release of this version that comes to stand at the place."""
        return Halted(self.site.bluegreen, place, *self._argv(version))

    def _argv(self, version: str) -> tuple[str, ...]:
        return ("release", "--image", self._images[version])
