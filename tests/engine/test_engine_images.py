"""The engine's contract for images and networks, on a real engine."""

from __future__ import annotations

import io
import json
import secrets
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from bluegreen.engine import DockerEngine, connect
from bluegreen.errors import EngineError, NotFit
from bluegreen.model import ContainerPlan
from kit.site import images


@pytest.fixture
def engine() -> Iterator[DockerEngine]:
    engine = connect()
    yield engine
    engine.close()


@pytest.fixture
def repository(engine: DockerEngine) -> Iterator[str]:
    """Unique; its tags are removed."""
    name = f"bluegreen-test/{secrets.token_hex(4)}"
    yield name
    for image in engine.images(name):
        for tag in image.tags:
            if tag.startswith(name):
                engine.remove_image(tag)


def layer(content: str) -> Iterator[bytes]:
    """A tar of one file, in more than one piece."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        entry = tarfile.TarInfo("file")
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content.encode()))
    whole = file.getvalue()
    yield whole[:700]
    yield whole[700:]


def test_an_image_is_made_from_a_tar_with_what_is_said_of_it(
    engine: DockerEngine, repository: str
) -> None:
    changes = ('LABEL a="b c"', 'CMD ["x"]', 'HEALTHCHECK CMD ["true"]')

    identity = engine.import_image(layer("1"), f"{repository}:1", changes)

    image = engine.image(f"{repository}:1")
    assert image is not None
    assert image.id == identity
    assert image.tags == (f"{repository}:1",)
    assert image.labels == {"a": "b c"}
    assert image.has_healthcheck
    assert image.size > 0
    assert engine.image(identity) == image


def test_no_image_is_none(engine: DockerEngine, repository: str) -> None:
    assert engine.image(f"{repository}:none") is None


def test_a_tag_is_given_and_taken_and_the_image_stays_with_its_other_tag(
    engine: DockerEngine, repository: str
) -> None:
    identity = engine.import_image(layer("2"), f"{repository}:1", ())

    engine.tag(identity, f"{repository}:2")
    engine.tag(identity, f"{repository}:2")
    assert {image.tags for image in engine.images(repository)} == {
        (f"{repository}:1", f"{repository}:2")
    }

    engine.remove_image(f"{repository}:1")
    engine.remove_image(f"{repository}:1")
    image = engine.image(identity)
    assert image is not None
    assert image.tags == (f"{repository}:2",)


def test_a_repository_lists_its_own_tags_only(engine: DockerEngine, repository: str) -> None:
    engine.import_image(layer("3"), f"{repository}:1", ())
    engine.import_image(layer("4"), f"{repository}-other:1", ())
    engine.import_image(layer("5"), f"{repository}/below:1", ())
    try:
        assert [image.tags for image in engine.images(repository)] == [(f"{repository}:1",)]
    finally:
        engine.remove_image(f"{repository}-other:1")
        engine.remove_image(f"{repository}/below:1")


def test_an_image_that_a_stopped_container_needs_is_kept_and_counted_as_used(
    engine: DockerEngine, repository: str
) -> None:
    identity = engine.import_image(layer("6"), f"{repository}:1", ('CMD ["x"]',))
    name = f"bg-test-{secrets.token_hex(4)}"
    engine.create(ContainerPlan(name=name, image=f"{repository}:1", network="bridge"))
    try:
        assert identity in engine.images_in_use()
        with pytest.raises(EngineError, match="is using") as raised:
            engine.remove_image(f"{repository}:1")
        assert raised.value.status == 409
    finally:
        engine.remove(name)
    assert identity not in engine.images_in_use()


def test_what_lost_its_tag_is_dangling_and_removed_by_its_id(
    engine: DockerEngine, repository: str
) -> None:
    label = {"test.run": repository}
    changes = (f"LABEL test.run={repository}",)
    old = engine.import_image(layer("7"), f"{repository}:1", changes)
    engine.import_image(layer("8"), f"{repository}:1", changes)

    assert [image.id for image in engine.dangling(label)] == [old]
    assert [image.id for image in engine.dangling({"test.run": ""}) if image.id == old] == [old]

    engine.remove_image(old)
    assert engine.dangling(label) == ()


# --- networks --------------------------------------------------------------------------


@pytest.fixture
def network(engine: DockerEngine) -> Iterator[str]:
    name = f"bg-test-{secrets.token_hex(4)}"
    yield name
    engine.remove_network(name)


def test_a_network_is_made_once_and_carries_its_labels(engine: DockerEngine, network: str) -> None:
    assert not engine.network_exists(network)
    assert engine.network_labels(network) is None

    assert engine.ensure_network(network, {"a": "b"})
    assert not engine.ensure_network(network, {"a": "other"})

    assert engine.network_exists(network)
    assert engine.network_labels(network) == {"a": "b"}
    assert engine.network_labels(network[:-1]) is None, "a part of a name is no name"

    engine.remove_network(network)
    engine.remove_network(network)
    assert not engine.network_exists(network)


def test_a_foreign_network_of_that_name_shows_by_its_labels(
    engine: DockerEngine, network: str, client: docker.DockerClient
) -> None:
    client.networks.create(network)

    assert not engine.ensure_network(network, {"a": "b"})
    assert engine.network_labels(network) == {}


def test_a_network_with_someone_on_it_stays(
    engine: DockerEngine, network: str, client: docker.DockerClient
) -> None:
    engine.ensure_network(network, {})
    someone = client.containers.create(
        images.busybox(), ["sleep", "60"], network=network, name=f"{network}-c", init=True
    )
    try:
        someone.start()
        with pytest.raises(EngineError, match="active endpoints") as raised:
            engine.remove_network(network)
        assert f"docker network inspect {network}" in raised.value.hint
    finally:
        someone.remove(force=True)


# --- which engine ----------------------------------------------------------------------


def test_an_engine_is_found_through_a_context_of_the_docker_cli(tmp_path: Path) -> None:
    environ = {"DOCKER_CONFIG": str(tmp_path), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    made = ["docker", "context", "create", "here", "--docker", "host=unix:///var/run/docker.sock"]
    subprocess.run(made, env=environ, check=True, capture_output=True)
    subprocess.run(
        ["docker", "context", "use", "here"], env=environ, check=True, capture_output=True
    )
    assert json.loads((tmp_path / "config.json").read_text())["currentContext"] == "here"

    engine = connect(environ=environ)

    assert engine.facts().id
    assert engine.endpoint.source.startswith("currentContext")
    engine.close()
    with pytest.raises(NotFit, match="no docker context 'elsewhere'"):
        connect(environ=environ | {"DOCKER_CONTEXT": "elsewhere"})
