"""An edge of a test's own, driven in this process, with plain containers as its releases."""

from __future__ import annotations

import json
import secrets
import shutil
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker

from bluegreen.commands import edge as edge_commands
from bluegreen.edge import RunningEdge, find
from bluegreen.edge.managed.image import ensure
from bluegreen.engine import DockerEngine, connect
from bluegreen.errors import EngineError
from bluegreen.lib import poll
from bluegreen.model import ContainerPlan, MountPlan, Result, Upstream
from bluegreen.settings import Settings
from bluegreen.state.folder import State

#: Some of `[edge]` asks for hosts; which, is nothing to the edge as a whole.
_NAMED: dict[str, Any] = {"hosts": ("any.test",)}


@dataclass
class Heard:
    """`ports.Say` that only listens."""

    lines: list[str] = field(default_factory=list)

    def step(self, name: str) -> None:
        self.lines.append(name)

    def line(self, text: str) -> None:
        self.lines.append(text)

    def done(self, name: str, status: str, seconds: float, text: str) -> None:
        self.lines.append(f"{name} {status} {text} {seconds:.1f}")

    def note(self, text: str) -> None:
        self.lines.append(text)

    def warn(self, text: str) -> None:
        self.lines.append(text)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Place:
    """Names, ports and a state folder that nothing else uses."""

    def __init__(self, engine: DockerEngine, client: docker.DockerClient) -> None:
        self.engine = engine
        self.client = client
        self.name = f"bg-test-edge-{secrets.token_hex(4)}"
        # Short, for the path of a Unix socket is.
        self.root = Path(tempfile.mkdtemp(prefix="bge-")) / "state"
        self.port = free_port()
        self.said = Heard()
        self._made: list[str] = []

    @property
    def state(self) -> State:
        return State(self.root)

    def settings(self, site: str = "web", hosts: tuple[str, ...] = (), **edge: Any) -> Settings:
        base = {
            "name": self.name,
            "state_dir": str(self.root),
            "listen": [f"127.0.0.1:{self.port}"],
        }
        return Settings.model_validate({"site": site, "hosts": hosts, "edge": base | edge})

    def up(self, *, recreate: bool = False, **edge: Any) -> Result:
        return edge_commands.up(
            self.settings(**_NAMED | edge), self.engine, self.said, recreate=recreate
        )

    def down(self, *, force: bool = False) -> Result:
        return edge_commands.down(self.settings(), self.engine, self.said, force=force)

    def running(self, **edge: Any) -> RunningEdge:
        return find(self.engine, self.settings(**_NAMED | edge))

    def inspect(self) -> dict[str, Any]:
        facts: dict[str, Any] = self.client.api.inspect_container(self.name)
        return facts

    def restart(self) -> None:
        """As a host's reboot does: the same container, started anew."""
        self.client.containers.get(self.name).restart(timeout=2)

    def backend(self, body: str, config: Mapping[str, Any] | None = None) -> Upstream:
        """A container on the edge's network that answers everything with `body`."""
        image = ensure(self.engine, "bundled", self.said.line).tags[0]
        name = f"{self.name}-{secrets.token_hex(3)}"
        folder = self.root.parent / name
        folder.mkdir()
        (folder / "caddy.json").write_text(json.dumps(config or _answering(body)))
        plan = ContainerPlan(
            name=name,
            image=image,
            network=self.name,
            command=("run", "--config", "/config/caddy.json"),
            env={"HOME": "/tmp"},
            mounts=(MountPlan(type="bind", source=str(folder), target="/config"),),
            tmpfs=("/tmp",),
            stop_grace=1.0,
        )
        self._made.append(name)
        self.engine.create(plan)
        self.engine.start(name)
        _wait_for((self._address(name), 80))
        return Upstream(name, 80)

    def _address(self, name: str) -> str:
        facts = self.engine.inspect(name)
        assert facts is not None and facts.running, self.engine.logs(name, 20)
        return facts.networks[self.name]

    def remove(self) -> None:
        for name in [*self._made, self.name]:
            with suppress(EngineError):
                self.engine.remove(name)
        with suppress(EngineError):
            self.engine.remove_network(self.name)
        shutil.rmtree(self.root.parent, ignore_errors=True)


def _wait_for(address: tuple[str, int]) -> None:
    for left in poll.ticks(20, 0.02):
        try:
            return socket.create_connection(address, timeout=max(left, 0.1)).close()
        except OSError:
            continue
    raise AssertionError(f"nothing listens on {address}")


def _answering(body: str) -> dict[str, Any]:
    handler = {"handler": "static_response", "body": body}
    server = {"listen": [":80"], "routes": [{"handle": [handler]}]}
    return {
        "admin": {"disabled": True},
        "apps": {"http": {"servers": {"s": server | {"automatic_https": {"disable": True}}}}},
    }


@contextmanager
def place_of(client: docker.DockerClient) -> Iterator[Place]:
    place = Place(connect(), client)
    try:
        yield place
    finally:
        place.remove()
        place.engine.close()
