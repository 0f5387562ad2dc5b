"""The others: each set up as its own documentation has it, and asked for the same.

A peer puts `image` in front of users and is done when the new one answers. `url` is where its
users ask; `None` where it has no way of its own to them.
"""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any, Protocol

from benchmark.place import Place, run, there, wait_for
from bluegreen.edge.caddy.admin import Admin
from kit.site.host import free_port

_FLOOR = Path(__file__).with_name("floor.sh")
_EDGE_IMAGE = "bluegreen-edge"
_SOCKETS = 0o777  # of a folder that a Caddy of any user makes its admin socket in


class Peer(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def url(self) -> str | None: ...

    def release(self, image: str) -> float:
        """Seconds that it took."""
        ...

    def down(self) -> None: ...


class Floor:
    """`floor.sh`: run, probe every 20 ms, rename the pointer, stop, remove."""

    name = "floor"
    url: str | None = None

    def __init__(self, place: Place, image: str) -> None:
        self._place = place
        self._pointer = place.host.root / "floor"
        self._live = place.start("floor", image)

    def release(self, image: str) -> float:
        new = self._place.name("floor")
        took = run(str(_FLOOR), image, new, self._live, self._place.host.name, str(self._pointer))
        self._live = new
        return took

    def down(self) -> None:
        run("docker", "rm", "--force", self._live)


class Compose:
    """`docker compose up --force-recreate` of one service that publishes its port."""

    name = "compose"

    def __init__(self, place: Place, image: str) -> None:
        self._folder = place.host.root / "compose"
        self._folder.mkdir()
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        service = {
            "image": "${IMAGE}",
            "init": True,
            "restart": "unless-stopped",
            "ports": [f"127.0.0.1:{port}:80"],
        }
        document = {"name": f"{place.host.name}-compose", "services": {"web": service}}
        (self._folder / "compose.yaml").write_text(json.dumps(document))
        self.release(image)

    def release(self, image: str) -> float:
        began = time.perf_counter()
        self._compose("up", "--detach", "--force-recreate", image=image)
        wait_for(self.url)
        return time.perf_counter() - began

    def down(self) -> None:
        self._compose("down")

    def _compose(self, *argv: str, image: str = "none") -> None:
        file = str(self._folder / "compose.yaml")
        run("docker", "compose", "--file", file, *argv, env={"IMAGE": image})


class Rollout:
    """`docker rollout web`, behind nothing: it needs a proxy that watches the engine."""

    name = "docker rollout"
    url: str | None = None

    def __init__(self, place: Place, image: str) -> None:
        self._folder = place.host.root / "rollout"
        self._folder.mkdir()
        check = {"test": ["CMD", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1/"],
                 "interval": "1s"}  # fmt: skip
        service = {"image": "${IMAGE}", "init": True, "healthcheck": check}
        document = {"name": f"{place.host.name}-rollout", "services": {"web": service}}
        self._file = self._folder / "compose.yaml"
        self._file.write_text(json.dumps(document))
        self._compose("compose", "--file", str(self._file), "up", "--detach", image=image)

    def release(self, image: str) -> float:
        return self._compose("rollout", "--file", str(self._file), "web", image=image)

    def down(self) -> None:
        self._compose("compose", "--file", str(self._file), "down")

    def _compose(self, *argv: str, image: str = "none") -> float:
        return run("docker", *argv, env={"IMAGE": image})


class Static:
    """A Caddy with one upstream in its configuration, and its metrics on, as the edge has them.

    A release runs the new container, probes it, reloads Caddy with it, and removes the old one.
    """

    name = "Caddy reload"

    def __init__(self, place: Place, image: str, hosts: int = 1) -> None:
        self._place = place
        self._hosts = hosts
        self.live = place.start("static", image)
        self._folder = place.host.root / place.name("caddy")
        self._folder.mkdir()
        self._folder.chmod(_SOCKETS)
        self._dial = f"{self.live}:80"
        (self._folder / "caddy.json").write_text(json.dumps(self.config(self._dial)))
        mount = f"type=bind,source={self._folder},target=/run/caddy"
        self.container = place.start(
            "caddy",
            edge_image(place),
            "run",
            "--config",
            "/run/caddy/caddy.json",
            options=("--mount", mount, "--env", "HOME=/tmp"),
        )
        self.url = f"http://{place.address(self.container)}"
        self.admin = Admin(self._folder / "admin.sock")
        wait_for(self.url)

    def config(self, dial: str) -> dict[str, Any]:
        proxy = {"handler": "reverse_proxy", "upstreams": [{"dial": dial}]}
        routes: list[dict[str, Any]] = [
            {"match": [{"host": [f"s{n}.test"]}], "handle": [proxy], "terminal": True}
            for n in range(1, self._hosts)
        ]
        public = {
            "listen": [":80"],
            "automatic_https": {"disable": True},
            "routes": [*routes, {"handle": [proxy]}],
        }
        return {
            "admin": {"listen": "unix//run/caddy/admin.sock|0666", "config": {"persist": False}},
            "logging": {"logs": {"default": {"level": "WARN"}}},
            "apps": {"http": {"metrics": {}, "servers": {"public": public}}},
        }

    def reload(self, dial: str = "") -> float:
        """Load the configuration with another upstream; by default with the same, really."""
        self._dial = dial or self._dial
        began = time.perf_counter()
        self.admin.load(self.config(self._dial))
        return time.perf_counter() - began

    def release(self, image: str) -> float:
        began = time.perf_counter()
        new = self._place.start("static", image)
        wait_for(f"http://{self._place.address(new)}/")
        self.reload(f"{new}:80")
        run("docker", "stop", self.live)
        run("docker", "rm", self.live)
        self.live = new
        return time.perf_counter() - began

    def down(self) -> None:
        run("docker", "rm", "--force", self.live, self.container)


class KamalProxy:
    """kamal-proxy's own part: run the new one, `kamal-proxy deploy`, which checks and drains,
    stop the old one."""

    name = "kamal-proxy"

    def __init__(self, place: Place, image: str) -> None:
        self._place = place
        program = there("kamal-proxy")[0]
        mount = f"type=bind,source={Path(program).resolve()},target=/bin/kamal-proxy,readonly"
        self.container = place.name("kamal")
        options = ("--mount", mount, "--tmpfs", "/tmp", "--env", "HOME=/tmp")
        run("docker", "run", "--detach", "--init", "--name", self.container, "--network",
            place.host.name, *options, place.base, "/bin/kamal-proxy", "run", "--http-port", "80",
            "--https-port", "443")  # fmt: skip
        self.url = f"http://{place.address(self.container)}"
        self._live = place.start("behind-kamal", image)
        self._deploy(self._live)

    def _deploy(self, name: str) -> None:
        run("docker", "exec", self.container, "/bin/kamal-proxy", "deploy", "bench",
            "--target", f"{name}:80", "--health-check-path", "/")  # fmt: skip

    def release(self, image: str) -> float:
        began = time.perf_counter()
        new = self._place.start("behind-kamal", image)
        self._deploy(new)
        run("docker", "stop", self._live)
        run("docker", "rm", self._live)
        self._live = new
        return time.perf_counter() - began

    def down(self) -> None:
        run("docker", "rm", "--force", self._live, self.container)


def edge_image(place: Place) -> str:
    """The Caddy that the edge runs: the same binary for both."""
    attrs = place.client.containers.get(place.host.name).attrs
    return str(attrs["Config"]["Image"])


def optional_peers() -> list[type[Rollout | KamalProxy]]:
    found: list[type[Rollout | KamalProxy]] = []
    if _has_rollout():
        found.append(Rollout)
    if there("kamal-proxy"):
        found.append(KamalProxy)
    return found


def _has_rollout() -> bool:
    """An unknown verb gets the docker command's own help, and exit code 0."""
    asked = subprocess.run(
        ["docker", "rollout", "--help"], capture_output=True, text=True, check=False
    )
    return "docker rollout" in asked.stdout
