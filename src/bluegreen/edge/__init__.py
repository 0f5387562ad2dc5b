"""The edge: the Caddy container that users reach, and that bluegreen runs."""

from bluegreen.edge.caddy.config import Route
from bluegreen.edge.managed.running import RunningEdge, find
from bluegreen.edge.registry import Registry, Stored
from bluegreen.edge.site import SiteEdge

__all__ = ["Registry", "Route", "RunningEdge", "SiteEdge", "Stored", "find"]
