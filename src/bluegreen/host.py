"""One site on one host: everything that a recipe acts through."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bluegreen import edge, flock
from bluegreen.engine import connect
from bluegreen.ledger import Ledger
from bluegreen.ports import Edge, Engine, Say
from bluegreen.settings import Settings
from bluegreen.state import State


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
    def held(self, command: str, wait: float) -> Iterator[flock.Held]:
        """Nobody else acts on this site meanwhile. Raises SiteBusy naming who does."""
        owner = {"command": command, "site": self.site}
        with flock.held(self.state.site_lock(self.site), owner, wait) as lock:
            yield lock


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
