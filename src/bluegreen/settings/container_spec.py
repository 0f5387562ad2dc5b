"""What a release's container is made from: settings, env files and secret files, at one moment.

The ledger keeps the settings, and of every file that may hold secrets its path and a
digest keyed by the host's own key: enough to see that it changed, not to guess it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dotenv import dotenv_values

from bluegreen.errors import ConfigError
from bluegreen.settings import ContainerSettings, FreshnessSettings, GateSettings

#: Shorter values are not redacted: they would blank out half of every log line.
_REDACT_FROM = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    container: ContainerSettings
    gate: GateSettings
    freshness: FreshnessSettings
    env: Mapping[str, str]  # env files first, then `env`, as the container gets it
    files: Mapping[str, str]  # path → keyed digest of every env file and secret file
    hosts: tuple[str, ...]  # hostnames that the edge routes to it
    hidden: tuple[str, ...]  # values that no output may show

    @property
    def record(self) -> dict[str, Any]:
        """What the ledger keeps."""
        return {
            "container": self.container.model_dump(mode="json"),
            "gate": self.gate.model_dump(mode="json"),
            "freshness": self.freshness.model_dump(mode="json"),
            "files": dict(self.files),
            "hosts": list(self.hosts),
        }

    @property
    def hash(self) -> str:
        """The same for two releases whose containers are made alike, and routed alike."""
        facts = {
            "container": self.record["container"],
            "files": self.record["files"],
            "hosts": sorted(self.hosts),
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]

    def redact(self, text: str) -> str:
        for value in self.hidden:
            text = text.replace(value, "***")
        return text


def read(
    container: ContainerSettings,
    gate: GateSettings,
    freshness: FreshnessSettings,
    hosts: tuple[str, ...],
    key: bytes,
) -> Spec:
    """Read the files that `container` names. Raises ConfigError naming one that is missing."""
    env: dict[str, str] = {}
    files: dict[str, str] = {}
    hidden: list[str] = []
    for path in container.env_file:
        content = _content(path, "container.env_file")
        files[str(path)] = _keyed(key, content)
        values = {
            name: value or "" for name, value in dotenv_values(path, interpolate=False).items()
        }
        env |= values
        hidden += values.values()
    for secret in container.secrets:
        content = _content(secret.src, "container.secrets")
        files[str(secret.src)] = _keyed(key, content)
        hidden.append(content.decode(errors="replace").strip())
    env |= container.env
    return Spec(
        container=container,
        gate=gate,
        freshness=freshness,
        env=env,
        files=files,
        hosts=hosts,
        hidden=tuple(value for value in hidden if len(value) >= _REDACT_FROM),
    )


def recall(
    record: Mapping[str, Any], hosts: tuple[str, ...], key: bytes
) -> tuple[Spec, tuple[str, ...]]:
    """A recorded spec with its files as they are now, and what of them has changed since.

    `hosts` are the present ones: going back changes a site's container, not its routing.
    """
    spec = read(
        ContainerSettings.model_validate(record["container"]),
        GateSettings.model_validate(record["gate"]),
        FreshnessSettings.model_validate(record["freshness"]),
        hosts,
        key,
    )
    recorded: Mapping[str, str] = record["files"]
    changed = tuple(path for path, digest in spec.files.items() if recorded.get(path) != digest)
    return spec, changed


def without_files(record: Mapping[str, Any], hosts: tuple[str, ...]) -> Spec:
    """A recorded spec, for looking at what it made: no file is read, nothing can be redacted."""
    return Spec(
        container=ContainerSettings.model_validate(record["container"]),
        gate=GateSettings.model_validate(record["gate"]),
        freshness=FreshnessSettings.model_validate(record["freshness"]),
        env={},
        files=record["files"],
        hosts=hosts,
        hidden=(),
    )


def _content(path: str | Path, key_name: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(
            f"{key_name}: {path} cannot be read: {error.strerror}",
            hint="create it, or correct the path in bluegreen.toml",
        ) from error


def _keyed(key: bytes, content: bytes) -> str:
    return hmac.new(key, content, hashlib.sha256).hexdigest()
