"""What a failed candidate leaves behind: its state, its last words, each probe's answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bluegreen.errors import BluegreenError
from bluegreen.model import ContainerFacts, Exchange
from bluegreen.ports import Engine
from bluegreen.settings.container_spec import Spec

_LOG_LINES = 50
_EXCHANGES = 10
_LINE = 200  # characters
_LISTEN = "0A"  # the state in /proc/net/tcp (Linux, include/net/tcp_states.h)


def collect(
    engine: Engine, container: str, spec: Spec, exchanges: Sequence[Exchange] = ()
) -> dict[str, Any]:
    """Everything that can still be learned; called before the container is removed.

    It never fails: what cannot be read is left out. Values from env files and secret
    files are redacted.
    """
    found: dict[str, Any] = {"exchanges": [_told(exchange) for exchange in exchanges[-_EXCHANGES:]]}
    try:
        facts = engine.inspect(container)
        if facts is not None:
            found["state"] = _state(facts)
            found["listening"] = list(listening(facts.pid))
        found["log"] = [spec.redact(line) for line in engine.logs(container, _LOG_LINES)]
    except BluegreenError as error:
        found["unread"] = error.message
    return found


def _told(exchange: Exchange) -> dict[str, Any]:
    told = asdict(exchange)
    del told["body"]  # its head is kept
    return told


def last_words(found: Mapping[str, Any]) -> str:
    """The last line of a container that ended, as the end of a sentence; "" of one that runs."""
    log, state = found.get("log"), found.get("state", {})
    if not log or state.get("status") == "running":
        return ""
    _, _, line = log[-1].partition(" ")  # the engine puts the time before it
    return f"; its last line: {line.strip()[:_LINE]}"


def _state(facts: ContainerFacts) -> dict[str, Any]:
    return {
        "status": facts.status,
        "exit_code": facts.exit_code,
        "error": facts.error,
        "oom_killed": facts.oom_killed,
        "restart_count": facts.restart_count,
        "health": facts.health,
        "health_log": list(facts.health_log),
    }


def listening(pid: int) -> tuple[str, ...]:
    """`address:port` of the TCP sockets that listen in the container's network.

    () where the engine is not on this host or its processes are not ours to look at.
    """
    found: list[str] = []
    for table in ("tcp", "tcp6"):
        try:
            lines = Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if len(fields) > 3 and fields[3] == _LISTEN:
                found.append(_address(fields[1]))
    return tuple(dict.fromkeys(address for address in found if not _is_engines_dns(address)))


def _address(field: str) -> str:
    """`0100007F:0050` → `127.0.0.1:80`: little-endian words, as the kernel prints them."""
    address, _, port = field.partition(":")
    words = [bytes.fromhex(address[i : i + 8])[::-1] for i in range(0, len(address), 8)]
    raw = b"".join(words)
    if len(raw) == 4:
        shown = ".".join(str(byte) for byte in raw)
    elif not any(raw):
        shown = "[::]"
    elif raw == b"\0" * 15 + b"\1":
        shown = "[::1]"
    else:
        shown = f"[{raw.hex(':', 2)}]"
    return f"{shown}:{int(port, 16)}"


def _is_engines_dns(address: str) -> bool:
    return address.startswith("127.0.0.11:")
