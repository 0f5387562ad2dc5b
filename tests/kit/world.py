"""A host for a test: an edge of its own, its sites, and the removal of all that it made.

    host.up()                                      # bluegreen edge up
    site = host.site("v1")                         # a project under a name of its own
    site.bluegreen("release", expect=0)
    host.get(site).version                         # "v1"
    site.write("v2"); site.bluegreen("release")

The command runs as a process of its own, as it does for people and for CI; its interpreter and
its imports are those of a warm parent (kit/warm.py).
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import docker
from docker.errors import APIError, NotFound
from docker.models.containers import Container

import bluegreen
from bluegreen.model import (
    IMAGE_SITE_LABEL,
    SITE_LABEL,
    image_repository,
    is_container_of,
    is_image_of,
)
from bluegreen.state.folder import State
from kit import images, warm
from kit.loads import Answer, connect
from kit.projects import Project, version_of, write_config, write_project

PATIENCE = 180.0  # seconds for one command
_EDGE_PREFIX = "bg-test-"
#: Modules of the kit that must run before anything is imported.
_COLD = frozenset({"kit.clocks"})
_SOURCES = (str(Path(bluegreen.__file__).parent.parent), str(Path(__file__).parent.parent))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A command that has ended."""

    argv: tuple[str, ...]
    code: int  # negative: the signal that ended it
    stdout: str
    stderr: str
    seconds: float

    @property
    def document(self) -> dict[str, Any]:
        """The JSON document: the only thing on stdout."""
        try:
            found: dict[str, Any] = json.loads(self.stdout)
        except ValueError as error:
            raise AssertionError(f"no JSON document on stdout: {self}") from error
        return found

    @property
    def outcome(self) -> str:
        return str(self.document["outcome"])

    @property
    def error(self) -> dict[str, Any]:
        """The document's error; empty when there is none."""
        return self.document.get("error") or {}

    def step(self, name: str) -> dict[str, Any]:
        return next(step for step in self.document["steps"] if step["name"] == name)

    def expect(self, code: int) -> Ran:
        assert self.code == code, f"exit code {self.code}, not {code}: {self}"
        return self

    def __str__(self) -> str:
        return (
            f"{' '.join(self.argv)}: exit code {self.code} after {self.seconds:.1f} s\n"
            f"--- stdout\n{self.stdout}\n--- stderr\n{self.stderr}"
        )


class Running:
    """A command under way; its output is read as it comes."""

    def __init__(
        self, argv: tuple[str, ...], folder: Path, env: Mapping[str, str], module: Sequence[str]
    ) -> None:
        self.argv = argv
        self._began = time.monotonic()
        self._process = _start([*module, *argv], folder, env)
        self.lines: list[str] = []  # of stderr, so far
        self._out: list[str] = []
        self._readers = [
            threading.Thread(target=self._read, args=(stream, kept), daemon=True)
            for stream, kept in (
                (self._process.stdout, self._out),
                (self._process.stderr, self.lines),
            )
        ]
        for reader in self._readers:
            reader.start()

    @staticmethod
    def _read(stream: Any, kept: list[str]) -> None:
        with stream:
            kept.extend(iter(stream.readline, ""))

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def over(self) -> bool:
        return self._process.poll() is not None

    def wait_for(self, text: str, timeout: float = PATIENCE) -> None:
        """Until a line of its progress holds `text`."""
        deadline = time.monotonic() + timeout
        while not any(text in line for line in self.lines):
            if self.over or time.monotonic() > deadline:
                raise AssertionError(f"{text!r} never came: {self.lines}")
            time.sleep(0.005)

    def send(self, number: signal.Signals) -> None:
        """To the command alone, as an operator's kill does."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """The whole group at once, as a lost host does."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def wait(self, timeout: float = PATIENCE) -> Ran:
        try:
            code = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.argv} hung: {''.join(self.lines)}") from None
        for reader in self._readers:
            reader.join(10)
        return Ran(
            argv=self.argv,
            code=code,
            stdout="".join(self._out),
            stderr="".join(self.lines),
            seconds=time.monotonic() - self._began,
        )


def _start(
    argv: list[str], folder: Path, env: Mapping[str, str]
) -> warm.Process | subprocess.Popen[str]:
    if argv[0] not in _COLD:
        return warm.start(argv, folder, env)
    return subprocess.Popen(
        [sys.executable, "-m", *argv],
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


class Bluegreen:
    """Runs the command in one folder, with --json."""

    def __init__(
        self,
        folder: Path,
        env: Mapping[str, str] | None = None,
        module: Sequence[str] = ("bluegreen",),
    ) -> None:
        self.folder = folder
        self.env = dict(env or {})
        self.module = tuple(module)

    def through(self, *module: str) -> Bluegreen:
        """The same command by a module of the kit, in place of the one that comes last now:
        kit.clocks sets a clock and runs what follows, kit.halting is the command itself."""
        return Bluegreen(self.folder, self.env, (*self.module[:-1], *module))

    def amid(self, **env: str) -> Bluegreen:
        """The same command with more in its environment."""
        return Bluegreen(self.folder, {**self.env, **env}, self.module)

    def __call__(
        self, *argv: str, expect: int | None = None, timeout: float = PATIENCE, as_json: bool = True
    ) -> Ran:
        ran = self.start(*argv, as_json=as_json).wait(timeout)
        return ran if expect is None else ran.expect(expect)

    def start(self, *argv: str, as_json: bool = True) -> Running:
        kept = {key: value for key, value in os.environ.items() if key[:10] != "BLUEGREEN_"}
        path = os.pathsep.join(filter(None, (*_SOURCES, kept.get("PYTHONPATH", ""))))
        env = {**kept, "PYTHONPATH": path, **self.env}
        return Running((*argv, "--json") if as_json else argv, self.folder, env, self.module)


@dataclass(slots=True)
class Site:
    """One site of a host: its folder, and the command in it."""

    host: Host
    name: str
    project: Project
    bluegreen: Bluegreen
    _overlay: dict[str, Any] = field(default_factory=dict)

    @property
    def hostname(self) -> str:
        """What its users ask for; "" where it takes any host."""
        hosts = self._overlay.get("hosts", [])
        return str(hosts[0]) if hosts else ""

    def write(
        self, version: str, *, config: Mapping[str, Any] | None = None, **rest: Any
    ) -> Project:
        """The next version in place of this one; `rest` as for `write_project`."""
        overlay = _laid_over(self._overlay, config or {})
        self.project = write_project(
            self.project.folder, version, site=self.name, config=overlay, **rest
        )
        return self.project

    def image_of(self, version: str, **rest: Any) -> str:
        """An image of that version which somebody else built: for `release --image`."""
        project = self.write(version, **rest)
        tag = f"{images.PREFIX}/{self.name}:{version}"
        self.host.client.images.build(path=str(project.folder), tag=tag, rm=True)
        self.host.given.append(tag)
        return tag

    def containers(self) -> list[Container]:
        return self.host.containers_of(self.name)

    def images(self) -> list[str]:
        return self.host.images_of(self.name)

    def live(self) -> str:
        """What the pointer says."""
        return State(self.host.state_dir).pointer(self.name).read_text().strip()


class Host:
    """An edge under a name of its own on a free port, its state in a short-lived folder."""

    def __init__(
        self,
        client: docker.DockerClient,
        *,
        address: str = "127.0.0.1",
        env: Mapping[str, str] | None = None,
        **edge: Any,
    ) -> None:
        """`address`: where its ports are published; `env`: how its commands find `client`'s
        engine, where it is not the machine's own."""
        self.client = client
        self.address = address
        self.env = dict(env or {})
        self.name = _EDGE_PREFIX + secrets.token_hex(3)
        # Not pytest's folder: a Unix socket's path may be 107 characters long.
        self.root = Path(tempfile.mkdtemp(prefix="bg-"))
        self.state_dir = self.root / "state"
        self.port = free_port()
        self.edge: dict[str, Any] = {
            "name": self.name,
            "state_dir": str(self.state_dir),
            "listen": [f"{address}:{self.port}"],
            **edge,
        }
        self.sites: list[Site] = []
        self.given: list[str] = []  # images that bluegreen did not make

    @property
    def url(self) -> str:
        scheme = "http" if self.edge.get("tls", "off") == "off" else "https"
        return f"{scheme}://{self.address}:{self.port}"

    def bluegreen(self, *argv: str, **rest: Any) -> Ran:
        """A command that is about the host: `host.bluegreen("edge", "status")`."""
        folder = self.root / "edge"
        write_config(folder, "host", {"edge": self.edge})
        return Bluegreen(folder, self.env)(*argv, **rest)

    def up(self, *argv: str) -> Ran:
        return self.bluegreen("edge", "up", *argv, expect=0)

    def site(
        self, version: str = "v1", *, config: Mapping[str, Any] | None = None, **rest: Any
    ) -> Site:
        """A site under a name that nothing else on this machine has, its files written."""
        name = f"s{secrets.token_hex(3)}"
        folder = self.root / name
        folder.mkdir()
        overlay = _laid_over({"hosts": [f"{name}.test"], "edge": self.edge}, config or {})
        project = write_project(folder, version, site=name, config=overlay, **rest)
        site = Site(self, name, project, Bluegreen(folder, self.env), overlay)
        self.sites.append(site)
        return site

    def get(self, site: Site, path: str = "/", *, context: ssl.SSLContext | None = None) -> Answer:
        """One request through the public listener, as the site's users send it."""
        connection = connect(urlsplit(self.url), site.hostname, context)
        try:
            headers = {"Host": site.hostname} if site.hostname else {}
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
        return Answer(response.status, body, version_of(body))

    def wait_until_it_answers(self, timeout: float = 30.0) -> None:
        """Until the public listener takes connections: after a restart of the edge."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                with closing(connect(urlsplit(self.url))) as connection:
                    connection.request("GET", "/")
                    connection.getresponse().read()
                    return
            except (OSError, http.client.HTTPException):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def containers_of(self, site: str) -> list[Container]:
        """Running or not, by label; the edge's own is never among them."""
        found: list[Container] = self.client.containers.list(
            all=True, filters={"label": f"{SITE_LABEL}={site}"}
        )
        return found

    def images_of(self, site: str) -> list[str]:
        """Every tag in the site's repository."""
        repository = image_repository(site)
        tags = [tag for image in self.client.images.list(name=repository) for tag in image.tags]
        return sorted(tag for tag in tags if tag.startswith(f"{repository}:"))

    def edge_container(self) -> Container:
        return self.client.containers.get(self.name)

    def remove(self) -> None:
        """Everything that this host made, whatever state it is in."""
        sweep(self.client, self.name, *(site.name for site in self.sites))
        for site in self.sites:
            for tag in site.images():  # a test's own, in a repository that no other test has
                _gone(self.client.images.remove, tag)
        for tag in self.given:
            _gone(self.client.images.remove, tag, force=True)
        shutil.rmtree(self.root)


def sweep(client: docker.DockerClient, edge: str, *sites: str) -> None:
    """Remove these sites' containers and images, then the edge's container and network.

    What is absent is well; what carries our label under a foreign name is not ours.
    """
    for site in sites:
        for container in client.containers.list(
            all=True, filters={"label": f"{SITE_LABEL}={site}"}
        ):
            if is_container_of(site, str(container.name)):
                _gone(container.remove, force=True, v=True)
    _gone(lambda: client.containers.get(edge).remove(force=True, v=True))
    for site in sites:
        for image in client.images.list(name=image_repository(site)):
            for tag in image.tags:
                if is_image_of(site, tag):
                    _gone(client.images.remove, tag)
        loose = {"label": f"{IMAGE_SITE_LABEL}={site}", "dangling": True}
        for image in client.images.list(filters=loose):
            _gone(client.images.remove, image.id)
    _gone(lambda: client.networks.get(edge).remove())


def free_port() -> int:
    """A TCP port on loopback that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _laid_over(base: Mapping[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    both = dict(base)
    for key, value in overlay.items():
        both[key] = {**both.get(key, {}), **value} if isinstance(value, Mapping) else value
    return both


def _gone(remove: Callable[..., None], *args: Any, **options: Any) -> None:
    try:
        remove(*args, **options)
    except NotFound:
        pass
    except APIError as error:
        if error.status_code != 409 or "already in progress" not in str(error.explanation):
            raise
