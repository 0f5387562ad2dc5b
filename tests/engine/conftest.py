"""Fixtures on a real engine. Without one the tests fail: a skipped proof proves nothing."""

from __future__ import annotations

from collections.abc import Iterator

import docker
import pytest
from docker.errors import DockerException

from kit.site.host import Host
from kit.site.two_versions import TwoVersions


@pytest.fixture(scope="session")
def client() -> Iterator[docker.DockerClient]:
    """The engine, as the tests look at it; the code under test has its own way to it."""
    try:
        client = docker.from_env()
        client.ping()
    except DockerException as error:
        pytest.fail(f"no Docker engine answers ({type(error).__name__}): run scripts/engine")
    yield client
    client.close()


@pytest.fixture
def bare_host(client: docker.DockerClient) -> Iterator[Host]:
    """A host without an edge; all that a test makes on it is removed."""
    host = Host(client)
    yield host
    host.remove()


@pytest.fixture
def host(bare_host: Host) -> Host:
    """A host with an edge of its own, up."""
    bare_host.up()
    return bare_host


@pytest.fixture(scope="session")
def shared_host(client: docker.DockerClient) -> Iterator[Host]:
    """One edge for tests that only add sites to it and leave it as it is."""
    host = Host(client)
    try:
        host.up()
        yield host
    finally:
        host.remove()


@pytest.fixture(scope="module")
def two_versions(client: docker.DockerClient) -> Iterator[TwoVersions]:
    """A site that the tests of one file release in turn; each of them leaves it in order."""
    host = Host(client)
    try:
        host.up()
        config = {"drain": {"timeout": "5s"}, "gate": {"passes": 1, "timeout": "10s"}}
        yield TwoVersions.begun(host.site(config=config))
    finally:
        host.remove()
