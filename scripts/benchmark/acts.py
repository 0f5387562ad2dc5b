"""Releases and rollbacks: what they take, and what clients lose meanwhile."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from benchmark.pairs import Result, Row, Single, alternate
from benchmark.peers import Compose, Floor, Peer, Static, optional_peers
from benchmark.place import Place, Ran
from kit.load.wrk import Wrk
from kit.site.host import Site

_CONNECTIONS = 32
#: A connection that an edge opened and never used holds a graceful stop of its server up for as
#: long (net/http, Server.Shutdown): nobody releases twice within these seconds.
_APART = 4.2


def release(place: Place, pairs: int) -> Iterator[Result]:
    """`release --image`, every check on, beside the floor and its peers."""
    drains: list[float] = []
    site = place.site()
    images = place.built(site, "a", "b")
    with _down(Floor(place, images[0])) as floor:
        ours = _releases(place, site, images, drains)
        row = Row(group="release", what="release --image", beside="floor", unit="s", at_most=1.3,
                  note="without the drain's settling")  # fmt: skip
        yield alternate(pairs, row, ours, _by(floor, images))
    _end(site)
    yield Single(
        group="release",
        what="the drain's settling, on top",
        value=statistics.median(drains),
        text=f"{statistics.median(drains):.2f} s",
    )
    for make in (Compose, *optional_peers()):
        site = place.site()
        images = place.built(site, "a", "b")
        with _down(make(place, images[0])) as peer:
            ours = _releases(place, site, images, drains)
            row = Row(group="release", what="release --image", beside=peer.name, unit="s")
            yield alternate(max(1, pairs // 2), row, ours, _by(peer, images))
        _end(site)


def rollback(place: Place, pairs: int) -> Iterator[Result]:
    site = place.site()
    images = place.built(site, "a", "b")
    made = [place.bluegreen(site, "release", "--image", image) for image in images]
    # By name: one that was rolled back from is passed over otherwise.
    ids = itertools.cycle(ran.document["release"]["id"] for ran in made)
    with _down(Floor(place, images[0])) as floor:
        row = Row(group="rollback", what="rollback", beside="floor", unit="s",
                  note="without the drain's settling")  # fmt: skip

        def ours() -> float:
            time.sleep(_APART)
            return _without_drain(place.bluegreen(site, "rollback", next(ids)), [])

        yield alternate(pairs, row, ours, _by(floor, images))
    _end(site)


def loss(place: Place, releases: int) -> Iterator[Result]:
    """Requests lost under keep-alive clients that never retry."""
    site = place.site({"hosts": []})
    images = place.built(site, "a", "b")
    place.bluegreen(site, "release", "--image", images[0])

    def ours(image: str) -> object:
        return place.bluegreen(site, "release", "--image", image)

    yield _lost("bluegreen", place.edge_url, ours, images, releases)
    _end(site)
    for make in (Static, Compose):
        with _down(make(place, images[0])) as peer:
            yield _lost(peer.name, str(peer.url), peer.release, images, releases)


def _lost(
    name: str, url: str, act: Callable[[str], object], images: list[str], releases: int
) -> Single:
    with Wrk(f"{url}/", connections=_CONNECTIONS) as load:
        for number in range(releases):
            act(images[(number + 1) % 2])
        report = load.report()
    return Single(
        group="loss",
        what=f"lost in {releases} releases: {name}",
        value=report.lost,
        text=f"{report.lost:,} of {report.requests:,} requests",
        at_most=0 if name == "bluegreen" else None,
    )


def _releases(
    place: Place, site: Site, images: list[str], drains: list[float]
) -> Callable[[], float]:
    place.bluegreen(site, "release", "--image", images[0])
    turns = itertools.cycle([*images[1:], images[0]])

    def act() -> float:
        time.sleep(_APART)
        return _without_drain(place.bluegreen(site, "release", "--image", next(turns)), drains)

    return act


def _without_drain(ran: Ran, drains: list[float]) -> float:
    drains.append(ran.step("drain"))
    return ran.seconds - ran.step("drain")


def _by(peer: Peer, images: list[str]) -> Callable[[], float]:
    turns = itertools.cycle([*images[1:], images[0]])
    return lambda: peer.release(next(turns))


@contextmanager
def _down(peer: Peer) -> Iterator[Peer]:
    try:
        yield peer
    finally:
        peer.down()


def _end(site: Site) -> None:
    """Its container would take its share of the machine from what comes next."""
    for container in site.containers():
        container.remove(force=True)
