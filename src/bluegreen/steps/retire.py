"""Stop and remove the old container."""

from __future__ import annotations

from bluegreen.ports import Engine

_KILLED = 137  # 128 + SIGKILL


def no_way_back(engine: Engine, container: str) -> None:
    """A reboot from here on must not bring the old container up beside live."""
    engine.set_restart(container, "no")


def retire(engine: Engine, container: str, grace: float) -> str:
    """Returns a warning, or "". `grace`: seconds between its stop signal and its end."""
    engine.stop(container, grace)
    facts = engine.inspect(container)
    engine.remove(container)
    if facts is not None and facts.exit_code == _KILLED and not facts.oom_killed:
        return (
            f"{facts.name} did not stop within {grace:g} s and was killed:"
            " raise container.stop_grace, or look at how it handles its stop signal"
        )
    return ""
