"""Before the one atomic act that makes the candidate live."""

from __future__ import annotations

from bluegreen.ports import Engine


def promote(engine: Engine, container: str, restart: str) -> None:
    """From here on it outlives a reboot: the live release never lacks its restart policy."""
    engine.set_restart(container, restart)
