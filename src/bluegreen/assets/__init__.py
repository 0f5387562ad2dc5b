"""The asset store: immutable files of past releases, for tabs that are still open."""

from __future__ import annotations

from bluegreen.assets.collection import Stay, to_keep
from bluegreen.assets.headers import (
    ABSENT,
    CLASSES,
    OTHER,
    SLOTS,
    USUAL_HEADERS,
    Recorded,
    class_name,
    name_file,
    recorded,
    value_file,
)
from bluegreen.assets.store import Asset, Contents, Store, Usage

__all__ = [
    "ABSENT",
    "CLASSES",
    "OTHER",
    "SLOTS",
    "USUAL_HEADERS",
    "Asset",
    "Contents",
    "Recorded",
    "Stay",
    "Store",
    "Usage",
    "class_name",
    "name_file",
    "recorded",
    "to_keep",
    "value_file",
]
