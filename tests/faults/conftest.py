"""Faults on fakes run in virtual time; those on a real engine need one, as tests/engine does."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from kit.fakes.fast import fast
from kit.fakes.world import World

#: A file system in memory, where there is one: what is synced is not what is tested here.
_MEMORY = Path("/dev/shm")


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as path:
        yield Path(path)


@pytest.fixture
def world(folder: Path) -> Iterator[World]:
    with fast():
        yield World(folder)


@pytest.fixture
def reloading(folder: Path) -> Iterator[World]:
    with fast():
        yield World(folder, switch="reload")


@pytest.fixture(scope="session")
def client() -> Iterator[docker.DockerClient]:
    client = docker.from_env()
    client.ping()
    yield client
    client.close()
