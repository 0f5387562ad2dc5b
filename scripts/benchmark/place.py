"""What all the measurements stand on: an edge, two images of one site, plain containers beside.

Everything is named after the edge, which has a name of its own, and goes with `Place.remove`.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, NotFound

from kit.site import images
from kit.site.host import Host, Site
from kit.site.projects import Project

PREFIX = "bluegreen-bench"
COMMAND = Path(sys.executable).with_name("bluegreen")
#: What a person's bluegreen.toml leaves at its defaults stays at them; the kit's are for tests.
DEFAULTS: dict[str, Any] = {
    "gate": {"timeout": "60s", "interval": "20ms"},
    "drain": {"timeout": "30s"},
    "container": {"stop_grace": "10s"},
}
_ANSWERS_WITHIN = 30.0  # seconds
_PROBE_EVERY = 0.02


@dataclass(frozen=True, slots=True)
class Ran:
    seconds: float
    document: dict[str, Any]

    def step(self, name: str) -> float:
        return next((s["seconds"] for s in self.document["steps"] if s["name"] == name), 0.0)


class Place:
    def __init__(self, client: docker.DockerClient, base: str) -> None:
        self.client = client
        self.base = base
        self.host = Host(client)
        self._numbers = itertools.count()
        self._containers: list[str] = []
        self._images: list[str] = []
        self.host.up()

    # --- images and sites ---------------------------------------------------

    def site(self, config: Mapping[str, Any] | None = None) -> Site:
        return self.host.site("v0", config={**DEFAULTS, **(config or {})})

    def built(self, site: Site, *versions: str) -> list[str]:
        """An image for each version, made once and given to every contender alike."""
        made = []
        for version in versions:
            project = site.write(version)
            self._rebase(project)
            ref = f"{PREFIX}/{site.name}:{version}"
            run("docker", "build", "--quiet", "--tag", ref, str(project.folder))
            self._images.append(ref)
            made.append(ref)
        return made

    def _rebase(self, project: Project) -> None:
        """From a base that goes with this bench, not from the one that tests share."""
        file = project.folder / "Dockerfile"
        lines = file.read_text().splitlines(keepends=True)
        file.write_text("".join([f"FROM {self.base}\n", *lines[1:]]))

    def bluegreen(self, site: Site, *argv: str) -> Ran:
        """The command as a person's shell runs it; its whole time, start and end included."""
        began = time.perf_counter()
        done = subprocess.run(
            [COMMAND, *argv, "--json"],
            cwd=site.project.folder,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.perf_counter() - began
        if done.returncode:
            raise RuntimeError(f"bluegreen {' '.join(argv)}: {done.stderr[-2000:]}{done.stdout}")
        return Ran(seconds, json.loads(done.stdout))

    # --- plain containers ---------------------------------------------------

    def name(self, stem: str) -> str:
        name = f"{self.host.name}-{stem}-{next(self._numbers)}"
        self._containers.append(name)
        return name

    def start(self, stem: str, image: str, *command: str, options: tuple[str, ...] = ()) -> str:
        """A container on the edge's network that answers on port 80."""
        name = self.name(stem)
        network = ("--network", self.host.name)
        run("docker", "run", "--detach", "--init", "--name", name, *network, *options, image,
            *command)  # fmt: skip
        return name

    def address(self, name: str) -> str:
        attrs = self.client.containers.get(name).attrs
        return str(attrs["NetworkSettings"]["Networks"][self.host.name]["IPAddress"])

    @property
    def edge_url(self) -> str:
        """The edge at its own address: Docker's proxy on loopback is nobody's production."""
        return f"http://{self.address(self.host.name)}:{self.host.port}"

    def remove(self) -> None:
        for name in self._containers:
            with suppress(NotFound):
                self.client.containers.get(name).remove(force=True, v=True)
        self.host.remove()
        for ref in self._images:
            with suppress(NotFound, APIError):
                self.client.images.remove(ref)


@contextmanager
def places() -> Iterator[Callable[[], AbstractContextManager[Place]]]:
    """What makes a place of its own for each measurement; their images go at the end."""
    with closing(docker.from_env()) as client:
        before = _edge_images(client)
        base = images.caddy(prefix=PREFIX)

        @contextmanager
        def one() -> Iterator[Place]:
            place = Place(client, base)
            try:
                yield place
            finally:
                place.remove()

        try:
            yield one
        finally:
            for tag in {base, *(_edge_images(client) - before)}:
                with suppress(APIError):  # another edge on this host runs from it by now
                    client.images.remove(tag)


def _edge_images(client: docker.DockerClient) -> set[str]:
    return {tag for image in client.images.list(name="bluegreen-edge") for tag in image.tags}


def environment() -> dict[str, str]:
    """A user's: nothing of this bench's own, and no setting of bluegreen."""
    hidden = ("BLUEGREEN_", "PYTHON", "FORCE_COLOR")
    return {name: value for name, value in os.environ.items() if not name.startswith(hidden)}


def run(*argv: str, env: Mapping[str, str] | None = None) -> float:
    """Seconds that it took. Raises RuntimeError with what it said."""
    began = time.perf_counter()
    done = subprocess.run(
        argv, env={**environment(), **(env or {})}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: {done.stderr[-2000:]}")
    return time.perf_counter() - began


def wait_for(url: str) -> None:
    """Until it answers with a 2xx, asked every 20 ms."""
    deadline = time.monotonic() + _ANSWERS_WITHIN
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_PROBE_EVERY)


def there(*programs: str) -> list[str]:
    return [name for name in programs if shutil.which(name)]
