"""Networks: the edge's own, and those that a site joins beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bluegreen.engine.connection import Connection
from bluegreen.errors import EngineError, EngineUnreachable


class Networks(Connection):
    def network_exists(self, name: str) -> bool:
        return self._network(name) is not None

    def network_labels(self, name: str) -> Mapping[str, str] | None:
        found = self._network(name)
        return None if found is None else dict(found.get("Labels") or {})

    def ensure_network(self, name: str, labels: Mapping[str, str]) -> bool:
        if self.network_exists(name):
            return False
        try:
            self.write(
                f"create the network {name}",
                lambda: self.api.create_network(
                    name, driver="bridge", labels=dict(labels), check_duplicate=True
                ),
            )
        except EngineUnreachable:
            if not self.network_exists(name):
                raise
        except EngineError as error:
            # Someone else made it in this moment; the engine would keep two of one name.
            if error.status == 409:
                return False
            raise
        return True

    def remove_network(self, name: str) -> None:
        found = self._network(name)
        if found is None:
            return
        try:
            self.write(f"remove the network {name}", lambda: self.api.remove_network(found["Id"]))
        except EngineUnreachable:
            if self.network_exists(name):
                raise
        except EngineError as error:
            if error.status == 404:
                return
            error.hint = error.hint or f"see who is on it: docker network inspect {name}"
            raise

    def _network(self, name: str) -> dict[str, Any] | None:
        """The engine's own filter takes any part of a name."""
        listed = self.read(f"look for the network {name}", lambda: self.api.networks(names=[name]))
        return next((entry for entry in listed if entry["Name"] == name), None)
