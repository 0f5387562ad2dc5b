"""bluegreen.toml, .env and the environment, read into frozen and validated settings."""

from __future__ import annotations

from bluegreen.settings.load import DEFAULT_FILE, load
from bluegreen.settings.models import (
    BuildSettings,
    ContainerSettings,
    DrainSettings,
    EdgeSettings,
    FreshnessSettings,
    GateSettings,
    HealthcheckSettings,
    RetainSettings,
    Settings,
)
from bluegreen.settings.values import BuildSecret, Certificate, Listen, SecretFile

__all__ = [
    "DEFAULT_FILE",
    "BuildSecret",
    "BuildSettings",
    "Certificate",
    "ContainerSettings",
    "DrainSettings",
    "EdgeSettings",
    "FreshnessSettings",
    "GateSettings",
    "HealthcheckSettings",
    "Listen",
    "RetainSettings",
    "SecretFile",
    "Settings",
    "load",
]
