"""One site on one host: everything that a recipe acts through."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bluegreen import edge
from bluegreen.engine import connect
from bluegreen.model import LiveRelease
from bluegreen.observe import observe
from bluegreen.plan import Observation, release_id_of
from bluegreen.ports import Edge, Engine, Say
from bluegreen.settings import Settings
from bluegreen.state import lock as locks
from bluegreen.state.folder import State
from bluegreen.state.ledger import Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    settings: Settings
    engine: Engine
    running: edge.RunningEdge
    edge: Edge
    state: State
    ledger: Ledger
    say: Say

    @property
    def site(self) -> str:
        return self.settings.site

    @contextmanager
    def held(self, command: str, wait: float) -> Iterator[locks.Held]:
        """Nobody else acts on this site meanwhile. Raises SiteBusy naming who does."""
        owner = {"command": command, "site": self.site}
        with locks.held(self.state.site_lock(self.site), owner, wait) as lock:
            yield lock


def look(host: Host) -> Observation:
    load = host.running.needs_load(host.settings)
    return observe(host.engine, host.edge, host.ledger, host.site, host.running.name, load)


def live_release(host: Host) -> LiveRelease | None:
    """What is live, as the last word of any result: it must be known without an engine too."""
    upstream = host.edge.live()
    if upstream is None:
        return None
    row = host.ledger.get(release_id_of(host.site, upstream))
    if row is not None:
        return LiveRelease(id=row.release.id, slot=row.release.slot)
    return observe(host.engine, host.edge, host.ledger, host.site, host.running.name).live_release


@contextmanager
def opened(settings: Settings, say: Say) -> Iterator[Host]:
    """Find the engine, the edge and its state folder. Raises NotFit or ConfigError."""
    engine = connect()
    running = edge.find(engine, settings)
    running.state.check_access()
    ledger = Ledger(running.state.ledger, running.state.file_mode)
    try:
        yield Host(
            settings=settings,
            engine=engine,
            running=running,
            edge=running.site(settings),
            state=running.state,
            ledger=ledger,
            say=say,
        )
    finally:
        ledger.close()
