"""The engine: the only package that imports docker, requests or urllib3.

`connect()` gives a `DockerEngine`, which is `ports.Engine`. No vendor's type or exception
leaves here.
"""

from __future__ import annotations

from bluegreen.engine.client import DockerEngine, connect

__all__ = ["DockerEngine", "connect"]
