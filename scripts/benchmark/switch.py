"""One switch on an edge with many sites, beside a reload of a Caddy with the same sites."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from itertools import cycle

from benchmark.pairs import Result, Row, alternate
from benchmark.peers import Static
from benchmark.place import Place
from bluegreen.edge import RunningEdge, find
from bluegreen.edge.caddy.config import Route
from bluegreen.edge.site import SiteEdge
from bluegreen.engine import connect
from bluegreen.model import Upstream
from bluegreen.settings import load


def switch(place: Place, pairs: int, sizes: tuple[int, ...]) -> Iterator[Result]:
    site = place.site()
    image = place.built(site, "a")[0]
    place.bluegreen(site, "release", "--image", image)
    other = Upstream(place.start("other", image), 80)
    with closing(connect()) as engine:
        settings = load(site.project.config)
        running = find(engine, settings)
        edge = running.site(settings)
        live = edge.live()
        assert live is not None
        for size in sizes:
            _add_sites(running, size)
            static = Static(place, image, hosts=size)
            ends, dials = cycle([other, live]), cycle([str(other), f"{static.live}:80"])
            row = Row(group="switch", what=f"a switch, {size:,} sites on the edge",
                      beside="Caddy reload", unit="ms")  # fmt: skip
            yield alternate(
                pairs,
                row,
                partial(_switched, edge, ends, live, other),
                partial(_reloaded, static, dials),
            )
            edge.switch(live)
            static.down()


def _switched(edge: SiteEdge, ends: Iterator[Upstream], live: Upstream, other: Upstream) -> float:
    """Milliseconds of the act itself, its reading back through the edge included."""
    to = next(ends)
    edge.prepare(to, other if to == live else live)
    began = time.perf_counter()
    edge.switch(to)
    return (time.perf_counter() - began) * 1000


def _reloaded(static: Static, dials: Iterator[str]) -> float:
    return static.reload(next(dials)) * 1000


def _add_sites(running: RunningEdge, size: int) -> None:
    """Sites without a release, as many as make `size` with the one that is switched."""
    registry = running.registry
    routes = registry.routes()
    for number in range(1, size - len(routes) + 1):
        name = f"n{len(routes)}-{number}"
        routes[name] = Route(site=name, hosts=(f"{name}.test",))
        registry.ensure_pointer(name)
    desired = registry.render(running.stored, routes)
    running.admin.load(desired)
    registry.persist(desired, routes)
    os.sync()  # what was written here must not burden the first switches
