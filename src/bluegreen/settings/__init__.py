"""bluegreen.toml, .env and the environment, read into frozen and validated settings."""

from __future__ import annotations

import os

# Before pydantic: it would read the metadata of every installed package in search of plugins.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

from bluegreen.settings.load import DEFAULT_FILE, load
from bluegreen.settings.models import (
    AssetSettings,
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
    "AssetSettings",
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
