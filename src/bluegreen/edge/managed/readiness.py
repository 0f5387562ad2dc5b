"""Bringing the edge's container up, and knowing that it serves."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import suppress

from bluegreen.edge.caddy.admin import Admin
from bluegreen.edge.caddy.config import LOCALHOST, Json
from bluegreen.edge.registry import Stored
from bluegreen.edge.site import Listeners, reachable
from bluegreen.errors import EdgeError
from bluegreen.lib import poll
from bluegreen.model import ContainerPlan
from bluegreen.ports import Engine
from bluegreen.settings import Listen
from bluegreen.state.folder import State

READY_TIMEOUT = 20.0  # seconds
_INTERVAL = 0.05  # seconds
_LOG_LINES = 20


def create_and_start(
    engine: Engine, plan: ContainerPlan, network_labels: Mapping[str, str]
) -> None:
    engine.ensure_network(plan.network, network_labels)
    engine.create(plan)
    engine.start(plan.name)


def wait_until_ready(
    engine: Engine, name: str, state: State, stored: Stored, desired: Json
) -> None:
    """Return once Caddy runs `desired` and every address answers.

    Raises EdgeError with the container's last log lines.
    """
    admin = Admin(state.admin_socket, patience=0, timeout=2.0)
    for _ in poll.ticks(READY_TIMEOUT, _INTERVAL):
        _refuse_dead(engine, name)
        with suppress(EdgeError):
            # Caddy answers for its configuration only once all of it is up.
            if admin.config() == desired:
                break
    else:
        raise _failed(engine, name, f"did not serve within {READY_TIMEOUT:g} s")
    for entry in stored.edge.listen:
        for _ in poll.ticks(READY_TIMEOUT, _INTERVAL):
            if _accepts(entry):
                break
        else:
            raise _failed(engine, name, f"does not accept connections on {entry}")
    wait_for_certificate(Listeners(state, stored, admin), stored, LOCALHOST)


def wait_for_certificate(listeners: Listeners, stored: Stored, host: str) -> None:
    """The edge's own authority issues a moment after a load. From others it may take minutes,
    or a DNS record that is yet to be made: nobody waits for those."""
    if stored.edge.tls != "internal":
        return
    error = ""
    with listeners.public(host) as client:
        for left in poll.ticks(READY_TIMEOUT, _INTERVAL):
            answer = client.ask("/", host=host, timeout=max(left, 1.0))
            if answer.status:
                return
            error = answer.error
    raise EdgeError(
        f"the edge has no certificate for {host}: {error}", hint="bluegreen edge status"
    )


def _accepts(entry: Listen) -> bool:
    host = reachable(entry)
    try:
        socket.create_connection((host, entry.port), timeout=2.0).close()
    except OSError:
        return False
    return True


def _refuse_dead(engine: Engine, name: str) -> None:
    facts = engine.inspect(name)
    if facts is None:
        raise EdgeError(f"the edge {name} is gone", hint="bluegreen edge up")
    if not facts.running or facts.restarting or facts.restart_count:
        raise _failed(engine, name, f"exited with code {facts.exit_code} {facts.error}".rstrip())


def _failed(engine: Engine, name: str, what: str) -> EdgeError:
    lines = engine.logs(name, _LOG_LINES)
    last = f"; its last words: {lines[-1]}" if lines else ""
    return EdgeError(f"the edge {name} {what}{last}", evidence={"log": list(lines)})
