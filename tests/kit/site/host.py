"""A host for a test: an edge of its own, its sites, and the removal of all that it made.

host.up()                                      # bluegreen edge up
site = host.site("v1")                         # a project under a name of its own
site.bluegreen("release", expect=0)
host.get(site).version                         # "v1"
site.write("v2"); site.bluegreen("release")
"""

from __future__ import annotations

import http.client
import secrets
import shutil
import socket
import ssl
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import docker
from docker.errors import APIError, NotFound
from docker.models.containers import Container

from bluegreen.model import (
    IMAGE_SITE_LABEL,
    SITE_LABEL,
    image_repository,
    is_container_of,
    is_image_of,
)
from bluegreen.state.folder import State
from kit.load.clients import Answer, connect
from kit.site import images
from kit.site.command import Bluegreen, Ran
from kit.site.projects import Project, version_of, write_config, write_project

_EDGE_PREFIX = "bg-test-"


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
