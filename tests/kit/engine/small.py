"""A second Docker engine, whose disk is small enough to be filled.

    with SmallEngine(folder, "500m") as engine:
        host = Host(engine.client, address=engine.ip, env=engine.env)
        engine.disk.fill()

It has a network namespace of its own, and with it bridges and packet filters of its own: the
machine's engine does not notice it. Its ports are reached at `ip`.
"""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import docker

from kit.faults.disks import Disk

_PATIENCE = 60.0  # seconds for dockerd to answer
_NAME = "bg-test-small"  # at most 13 letters, for a link's name has 15
_OUTSIDE, _INSIDE = "10.213.77.1", "10.213.77.2"


class SmallEngine(AbstractContextManager["SmallEngine"]):
    def __init__(self, folder: Path, size: str) -> None:
        self.ip = _INSIDE
        self.disk = Disk(folder / "data", size)
        self._folder = folder
        self._stack = ExitStack()
        self.client: docker.DockerClient

    @property
    def address(self) -> str:
        return f"unix://{self._folder}/engine.sock"

    @property
    def env(self) -> Mapping[str, str]:
        return {"DOCKER_HOST": self.address}

    def take(self, machine: docker.DockerClient, ref: str) -> None:
        """An image that the machine's engine has."""
        self.client.images.load(b"".join(machine.images.get(ref).save(named=True)))

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self.disk)
            _ip("netns", "add", _NAME)
            stack.callback(_ip, "netns", "del", _NAME)
            self._connect()
            self.client = self._start(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def _connect(self) -> None:
        """The link goes with the namespace."""
        outside, inside = f"{_NAME}-o", f"{_NAME}-i"
        _ip("link", "add", outside, "type", "veth", "peer", "name", inside, "netns", _NAME)
        _ip("addr", "add", f"{_OUTSIDE}/30", "dev", outside)
        _ip("link", "set", outside, "up")
        _ip("-n", _NAME, "addr", "add", f"{_INSIDE}/30", "dev", inside)
        _ip("-n", _NAME, "link", "set", inside, "up")
        _ip("-n", _NAME, "link", "set", "lo", "up")

    def _start(self, stack: ExitStack) -> docker.DockerClient:
        log = stack.enter_context((self._folder / "dockerd.log").open("wb"))
        # Images in its own folder, not in the machine's containerd, which it may well share.
        config = self._folder / "daemon.json"
        config.write_text(json.dumps({"features": {"containerd-snapshotter": False}}))
        daemon = subprocess.Popen(
            [
                # `ip netns exec` would mount another /sys, without the control groups.
                *("nsenter", f"--net=/run/netns/{_NAME}", "dockerd"),
                *("--data-root", self.disk.folder, "--exec-root", self._folder / "exec"),
                *("--pidfile", self._folder / "pid", "--host", self.address),
                *("--config-file", config, "--containerd-namespace", _NAME),
                *("--containerd-plugins-namespace", f"{_NAME}-plugins"),
            ],
            stdout=log,
            stderr=log,
        )
        stack.callback(_end, daemon)
        self._wait_for(daemon)
        client = docker.DockerClient(self.address, timeout=int(_PATIENCE))
        stack.callback(client.close)
        client.ping()
        return client

    def _wait_for(self, daemon: subprocess.Popen[bytes]) -> None:
        """Until it takes connections; its first answers may still be a moment away."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            with socket.socket(socket.AF_UNIX) as door, suppress(OSError):
                door.connect(str(self._folder / "engine.sock"))
                return
            said = (self._folder / "dockerd.log").read_text()[-2000:]
            assert daemon.poll() is None, f"dockerd ended: {said}"
            assert time.monotonic() < deadline, f"dockerd does not answer: {said}"
            time.sleep(0.1)


def _end(daemon: subprocess.Popen[bytes]) -> None:
    daemon.terminate()
    daemon.wait(_PATIENCE)


def _ip(*argv: str) -> None:
    subprocess.run(["ip", *argv], check=True, timeout=30)
