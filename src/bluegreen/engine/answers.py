"""The engine's JSON → our facts. Pure.

Only fields that every engine from 20.10 to 29 sends are read; since API 1.50 empty
ones are left out, so each is looked up with a default.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bluegreen.model import ContainerFacts, ImageFacts

_NEVER = "0001-01-01T00:00:00Z"
_HEALTH_LOG = 3  # outputs of the check that are kept


def container_facts(answer: Mapping[str, Any]) -> ContainerFacts:
    state = answer.get("State") or {}
    config = answer.get("Config") or {}
    networks = (answer.get("NetworkSettings") or {}).get("Networks") or {}
    started = state.get("StartedAt") or ""
    return ContainerFacts(
        id=answer["Id"],
        name=str(answer.get("Name", "")).removeprefix("/"),
        image_id=answer.get("Image", ""),
        image=config.get("Image", ""),
        status=state.get("Status", ""),
        running=bool(state.get("Running")),
        restarting=bool(state.get("Restarting")),
        exit_code=int(state.get("ExitCode") or 0),
        error=state.get("Error") or "",
        oom_killed=bool(state.get("OOMKilled")),
        restart_count=int(answer.get("RestartCount") or 0),
        started_at="" if started == _NEVER else started,
        health=_health(state),
        health_log=_health_log(state),
        labels=dict(config.get("Labels") or {}),
        networks={name: (end or {}).get("IPAddress") or "" for name, end in networks.items()},
        restart_policy=_restart_policy((answer.get("HostConfig") or {}).get("RestartPolicy") or {}),
        pid=int(state.get("Pid") or 0),
    )


def _health(state: Mapping[str, Any]) -> str:
    status = str((state.get("Health") or {}).get("Status") or "")
    return "" if status == "none" else status


def _health_log(state: Mapping[str, Any]) -> tuple[str, ...]:
    entries = (state.get("Health") or {}).get("Log") or []
    return tuple(
        f"exit {entry.get('ExitCode')}: {str(entry.get('Output') or '').strip()}"
        for entry in entries[-_HEALTH_LOG:]
    )


def _restart_policy(policy: Mapping[str, Any]) -> str:
    name = policy.get("Name") or "no"
    most = policy.get("MaximumRetryCount") or 0
    return f"{name}:{most}" if most else name


def image_facts(answer: Mapping[str, Any]) -> ImageFacts:
    config = answer.get("Config") or {}
    test = (config.get("Healthcheck") or {}).get("Test") or []
    return ImageFacts(
        id=answer["Id"],
        tags=tuple(answer.get("RepoTags") or ()),
        digests=tuple(answer.get("RepoDigests") or ()),
        size=int(answer.get("Size") or 0),
        created=answer.get("Created") or "",
        labels=dict(config.get("Labels") or {}),
        has_healthcheck=bool(test) and test[0] != "NONE",
    )
