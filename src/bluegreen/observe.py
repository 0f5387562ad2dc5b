"""What is: the pointer first, then the engine, then the ledger."""

from __future__ import annotations

from bluegreen.model import CONTAINER_LABEL, EDGE_LABEL, SITE_LABEL, ContainerFacts, is_container_of
from bluegreen.plan import Observation, release_id_of
from bluegreen.ports import Edge, Engine
from bluegreen.state.ledger import Ledger


def observe(
    engine: Engine, edge: Edge, ledger: Ledger, site: str, edge_name: str, load: str = ""
) -> Observation:
    upstream = edge.live()
    live = engine.inspect(upstream.container) if upstream else None
    live_row = ledger.get(release_id_of(site, upstream)) if upstream else None
    ours = containers_of(engine, site, edge_name)
    return Observation(
        site=site,
        upstream=upstream,
        live=live,
        live_row=live_row,
        leftovers=tuple(c for c in ours if upstream is None or c.name != upstream.container),
        unfinished=ledger.unfinished(site),
        load=load,
    )


def containers_of(engine: Engine, site: str, edge_name: str) -> tuple[ContainerFacts, ...]:
    """Ours by labels *and* by name: image labels are inherited, so labels alone prove nothing."""
    labels = {CONTAINER_LABEL: "", SITE_LABEL: site, EDGE_LABEL: edge_name}
    found = engine.containers(labels)
    return tuple(container for container in found if is_container_of(site, container.name))
