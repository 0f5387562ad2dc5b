"""What the steps see of the world: small protocols, in our own types.

No vendor's type or exception crosses them. Every method raises `EngineError` /
`EdgeError` (or their `…Unreachable`) and nothing else of the vendor's. Reads are
retried inside the adapter; a write that failed ambiguously is looked up inside the
adapter, then reported as what it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol

from bluegreen.model import (
    MAX_BODY,
    ContainerFacts,
    ContainerPlan,
    EngineFacts,
    Exchange,
    ImageFacts,
    Upstream,
)

Line = Callable[[str], None]


class Engine(Protocol):
    def facts(self) -> EngineFacts: ...

    # containers: `which` is a full name or id; absent is None, or success for stop and remove
    def create(self, plan: ContainerPlan) -> str:
        """The new container's id. Its networks are joined; it is not started.

        A failure leaves no container behind. The name taken is an EngineError with status 409.
        """

    def start(self, which: str) -> None: ...
    def inspect(self, which: str) -> ContainerFacts | None: ...
    def set_restart(self, which: str, policy: str) -> None: ...
    def stop(self, which: str, grace: float) -> None:
        """Ask with the container's stop signal, kill after `grace` seconds; absent is success."""

    def remove(self, which: str) -> None:
        """Also its anonymous volumes, also while it runs; returns once it is gone."""

    def logs(self, which: str, tail: int) -> tuple[str, ...]:
        """The last lines with their times; () where the container or its log is gone."""

    def archive(self, which: str, path: str) -> Iterator[bytes]:
        """A tar stream of `path` in the container, which need not run. EngineError status 404
        where there is no such path."""

    def containers(self, labels: Mapping[str, str]) -> tuple[ContainerFacts, ...]:
        """Running and stopped, all labels matching; a value of "" matches any."""

    # images: `ref` is a tag, or an id
    def image(self, ref: str) -> ImageFacts | None: ...
    def images(self, repository: str) -> tuple[ImageFacts, ...]: ...
    def dangling(self, labels: Mapping[str, str]) -> tuple[ImageFacts, ...]: ...
    def pull(self, ref: str, say: Line) -> None: ...
    def tag(self, image_id: str, ref: str) -> None: ...
    def remove_image(self, ref: str) -> None:
        """By tag (or the id of a dangling one), never by force; absent is success."""

    def import_image(self, tar: Iterable[bytes], ref: str, changes: tuple[str, ...]) -> str:
        """Make an image of one layer from a root filesystem's tar; its id.

        `changes` are Dockerfile lines such as `ENTRYPOINT ["caddy"]` (`docker import --change`).
        """

    def images_in_use(self) -> frozenset[str]:
        """Ids of images that any container, running or not, was created from."""

    def network_exists(self, name: str) -> bool: ...
    def network_labels(self, name: str) -> Mapping[str, str] | None:
        """Its labels; None where there is no such network."""

    def ensure_network(self, name: str, labels: Mapping[str, str]) -> bool:
        """True if it was made now."""

    def remove_network(self, name: str) -> None: ...


class Edge(Protocol):
    """The running edge, as a release needs it."""

    #: How this site is switched: "pointer" or "reload".
    switch_kind: str

    def live(self) -> Upstream | None:
        """What the edge routes this site to now; None while no release is live."""

    def prepare(self, new: Upstream | None, old: Upstream | None) -> None:
        """Make the switch and its way back durable, so that neither can fail for want of space."""

    def switch(self, to: Upstream | None) -> None:
        """One atomic act. `None` brings the 503 answer back. Idempotent."""

    def tidy(self) -> None:
        """Remove what `prepare` made and no switch used."""

    def in_flight(self, upstream: Upstream) -> int:
        """Requests, streams and websockets that this upstream is still serving."""

    def preview(
        self,
        upstream: Upstream,
        path: str,
        *,
        timeout: float,
        headers: Mapping[str, str] | None = None,
        keep_body: bool = False,
        max_body: int = MAX_BODY,
    ) -> Exchange:
        """Ask a container through the edge's preview listener, as users would cause it."""

    def public(
        self,
        path: str,
        *,
        timeout: float,
        headers: Mapping[str, str] | None = None,
        keep_body: bool = False,
        max_body: int = MAX_BODY,
    ) -> Exchange:
        """Ask the site through the public listener."""


class Say(Protocol):
    """Where progress goes. report.py implements it; steps only call it."""

    def step(self, name: str) -> None:
        """A step begins."""

    def line(self, text: str) -> None:
        """Something of the running step: a build's line, a probe's answer."""

    def done(self, name: str, status: str, seconds: float, text: str) -> None: ...
    def note(self, text: str) -> None: ...
    def warn(self, text: str) -> None: ...
