"""Remove a candidate that failed; its evidence stays in the ledger."""

from __future__ import annotations

from bluegreen.artifact.extract import scratch_name
from bluegreen.errors import EdgeError
from bluegreen.model import Release, Upstream
from bluegreen.ports import Edge, Engine
from bluegreen.steps.drain import drain


def return_traffic(edge: Edge, to: Upstream | None, away_from: Upstream, timeout: float) -> None:
    """Put the previous release back, and let the candidate finish what users sent it."""
    edge.switch(to)
    edge.tidy()
    drain(edge, away_from, timeout)


def withdraw(engine: Engine, edge: Edge, release: Release, port: int) -> None:
    """Idempotent. Raises EdgeError rather than remove what users are still sent to."""
    if engine.inspect(release.container) is not None:
        routed = edge.live()
        if routed == Upstream(release.container, port):
            raise EdgeError(
                f"users are still sent to {routed}",
                hint="bluegreen status, then bluegreen rollback",
            )
    engine.remove(release.container)
    engine.remove(scratch_name(release))
