"""Put away what a dead run left. What is live is never touched.

Its simple form: whatever is ours and not live goes, its requests first; a release whose
process died is closed in the ledger as interrupted.
"""

from __future__ import annotations

from bluegreen.ledger import Ledger
from bluegreen.model import Outcome, Upstream
from bluegreen.plan import Observation
from bluegreen.ports import Edge, Engine
from bluegreen.steps.drain import drain


def recover(
    engine: Engine, edge: Edge, ledger: Ledger, seen: Observation, drain_timeout: float
) -> tuple[str, ...]:
    """What was found and done, a line each."""
    told: list[str] = []
    for container in seen.leftovers:
        port = _port_of(seen)
        if container.running:
            drain(edge, Upstream(container.name, port), drain_timeout)
        engine.remove(container.id)
        told.append(f"removed {container.name}, which a dead run left")
    for row in seen.unfinished:
        is_live = seen.upstream is not None and seen.upstream.container == row.release.container
        if is_live:
            ledger.went_live(row.release.id, row.replaced)
        elif not row.was_live and row.kind == "release":
            engine.remove_image(row.release.image)
        ledger.finish(
            row.release.id,
            Outcome.INTERRUPTED,
            error={"code": 130, "message": "its process died", "hint": ""},
        )
        told.append(
            f"{row.release.id} had no end in the ledger: its process died"
            + (", and it is live" if is_live else "")
        )
    return tuple(told)


def _port_of(seen: Observation) -> int:
    return seen.upstream.port if seen.upstream else 80
