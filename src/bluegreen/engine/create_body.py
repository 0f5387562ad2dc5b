"""ContainerPlan → the body of the engine's create call. Pure.

docker-py's own arguments cannot say StopTimeout or StartInterval, and its helpers fold
the operator's proxies into the container's environment; so the body is ours, whole.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from bluegreen.model import ContainerPlan, HealthcheckPlan, MountPlan, PortPlan

_NANO = 1_000_000_000
_START_INTERVAL_API = (1, 44)


def render(plan: ContainerPlan, api: str) -> dict[str, Any]:
    """What the plan leaves empty is left out, so that the image's own value holds."""
    return _without_empty(
        {
            "Image": plan.image,
            "Cmd": list(plan.command),
            "Entrypoint": list(plan.entrypoint),
            "WorkingDir": plan.working_dir,
            "User": plan.user,
            "StopSignal": plan.stop_signal,
            "Env": [f"{name}={value}" for name, value in plan.env.items()],
            "Labels": dict(plan.labels),
            "Healthcheck": _healthcheck(plan.healthcheck, api),
            "ExposedPorts": {_port(port): {} for port in plan.ports},
            "NetworkingConfig": _networking(plan.network),
        }
    ) | {"StopTimeout": math.ceil(plan.stop_grace), "HostConfig": _host(plan)}


def restart_policy(text: str) -> dict[str, Any]:
    """ "on-failure:3" and its like, as the docker CLI reads them."""
    name, _, most = text.partition(":")
    return {"Name": name or "no", "MaximumRetryCount": int(most or 0)}


def _host(plan: ContainerPlan) -> dict[str, Any]:
    return _without_empty(
        {
            "NetworkMode": plan.network,
            "LogConfig": _log(plan),
            "Memory": plan.memory,
            # Left out, the engine grants as much swap again.
            "MemorySwap": plan.memory,
            "NanoCpus": round(plan.cpus * _NANO),
            "PidsLimit": plan.pids,
            "Ulimits": [_ulimit(name, value) for name, value in plan.ulimits.items()],
            "CapAdd": list(plan.cap_add),
            "CapDrop": list(plan.cap_drop),
            "SecurityOpt": list(plan.security_opt),
            "ExtraHosts": [f"{name}:{address}" for name, address in plan.extra_hosts.items()],
            "Tmpfs": dict(_tmpfs(entry) for entry in plan.tmpfs),
            "Mounts": [_mount(mount) for mount in plan.mounts],
            "PortBindings": _bindings(plan.ports),
            "DnsSearch": list(plan.dns_search),
            "DnsOptions": list(plan.dns_options),
        }
    ) | {
        "Init": plan.init,
        "ReadonlyRootfs": plan.read_only,
        "RestartPolicy": restart_policy(plan.restart),
    }


def _networking(network: str) -> dict[str, Any]:
    return {"EndpointsConfig": {network: {}}} if network else {}


def _log(plan: ContainerPlan) -> dict[str, Any]:
    """The driver is named: with the host's own, logs could be unreadable, or without end."""
    limits = {}
    if plan.log_max_size:
        limits = {"max-size": plan.log_max_size, "max-file": str(plan.log_max_files)}
    return {"Type": "json-file", "Config": limits}


def _healthcheck(check: HealthcheckPlan | None, api: str) -> dict[str, Any]:
    if check is None:
        return {}
    knows_start = tuple(int(part) for part in api.split(".")) >= _START_INTERVAL_API
    return _without_empty(
        {
            "Test": _test(check.test),
            "Interval": _nanoseconds(check.interval),
            "Timeout": _nanoseconds(check.timeout),
            "Retries": check.retries,
            "StartPeriod": _nanoseconds(check.start_period),
            "StartInterval": _nanoseconds(check.start_interval) if knows_start else 0,
        }
    )


def _test(test: tuple[str, ...]) -> list[str]:
    if test and test[0] not in {"CMD", "CMD-SHELL", "NONE"}:
        return ["CMD", *test]
    return list(test)


def _nanoseconds(seconds: float) -> int:
    return round(seconds * _NANO)


def _ulimit(name: str, value: str) -> dict[str, Any]:
    soft, _, hard = value.partition(":")
    return {"Name": name, "Soft": int(soft), "Hard": int(hard or soft)}


def _tmpfs(entry: str) -> tuple[str, str]:
    path, _, options = entry.partition(":")
    return path, options


def _mount(mount: MountPlan) -> dict[str, Any]:
    return _without_empty({"Source": mount.source}) | {
        "Type": mount.type,
        "Target": mount.target,
        "ReadOnly": mount.read_only,
    }


def _port(port: PortPlan) -> str:
    return f"{port.container_port}/tcp"


def _bindings(ports: Iterable[PortPlan]) -> dict[str, list[dict[str, str]]]:
    bindings: dict[str, list[dict[str, str]]] = {}
    for port in ports:
        binding = {"HostIp": port.host_ip.strip("[]"), "HostPort": str(port.host_port)}
        bindings.setdefault(_port(port), []).append(binding)
    return bindings


def _without_empty(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value}
