"""Images from a registry: Debian's own, on loopback, open and behind a login."""

from __future__ import annotations

import base64
import io
import json
import os
import secrets
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bluegreen import builder
from bluegreen.engine import DockerEngine, connect
from bluegreen.errors import BuildFailed
from kit.engine.registry import registry

USER, PASSWORD = "deployer", "correct horse"
# `htpasswd -nbB` of the two above; registries take bcrypt alone.
HTPASSWD = "deployer:$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e\n"


@dataclass
class Heard:
    lines: list[str] = field(default_factory=list)

    def line(self, text: str) -> None:
        self.lines.append(text)

    note = warn = step = line

    def done(self, name: str, status: str, seconds: float, text: str) -> None:
        raise AssertionError(f"a builder ends no step: {name} {status} {seconds} {text}")


@pytest.fixture
def engine(docker_config: Path) -> Iterator[DockerEngine]:
    assert docker_config.is_dir()
    engine = connect()
    yield engine
    engine.close()


@pytest.fixture
def docker_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The operator's docker configuration: empty, but for what a test logs in to."""
    folder = tmp_path / "docker"
    folder.mkdir()
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))
    monkeypatch.setenv("DOCKER_HOST", "unix:///var/run/docker.sock")
    return folder


@pytest.fixture
def tags(engine: DockerEngine) -> Iterator[list[str]]:
    """Tags to remove in the end."""
    made: list[str] = []
    yield made
    for tag in made:
        engine.remove_image(tag)


@pytest.fixture
def open_registry(tmp_path: Path) -> Iterator[str]:
    with registry(tmp_path) as address:
        yield address


@pytest.fixture
def closed_registry(tmp_path: Path) -> Iterator[str]:
    with registry(tmp_path, HTPASSWD) as address:
        yield address


def log_in(folder: Path, address: str, password: str) -> None:
    """What `docker login` writes."""
    login = base64.b64encode(f"{USER}:{password}".encode()).decode()
    (folder / "config.json").write_text(json.dumps({"auths": {address: {"auth": login}}}))


def push(engine: DockerEngine, ref: str, content: str, login: bool = False) -> str:
    """Make an image of one file, push it, and forget it; its id."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        entry = tarfile.TarInfo("file")
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content.encode()))
    identity = engine.import_image([file.getvalue()], ref, ('CMD ["x"]',))
    repository, _, tag = ref.rpartition(":")
    options = {"auth_config": {"username": USER, "password": PASSWORD}} if login else {}
    for message in engine.api.push(repository, tag=tag, stream=True, decode=True, **options):
        assert "errorDetail" not in message, message
    engine.remove_image(ref)
    assert engine.image(ref) is None
    return identity


def own_tag() -> str:
    return f"bluegreen-test/{secrets.token_hex(4)}:1"


def test_an_image_that_the_engine_lacks_is_pulled_pinned_and_held_by_its_own_tag(
    engine: DockerEngine, open_registry: str, tags: list[str]
) -> None:
    """Its id, its digest, and a tag that nothing else moves."""
    ref, own = f"{open_registry}/team/web:1", own_tag()
    identity = push(engine, ref, "one")
    tags += [ref, own]
    say = Heard()

    built = builder.prebuilt(engine, ref, own, False, say)

    assert built.image_id == identity
    assert built.digest.startswith(f"{open_registry}/team/web@sha256:")
    image = engine.image(own)
    assert image is not None
    assert image.id == identity
    assert say.lines[0] == f"pulling {ref}"
    assert any(line.startswith("Digest: sha256:") for line in say.lines)
    assert len(say.lines) < 10, "a pull is told in few lines"


def test_pull_true_takes_what_the_tag_names_now_and_pull_false_what_is_here(
    engine: DockerEngine, open_registry: str, tags: list[str]
) -> None:
    ref, first, second, third = f"{open_registry}/web:live", own_tag(), own_tag(), own_tag()
    tags += [ref, first, second, third]
    old = push(engine, ref, "old")
    assert builder.prebuilt(engine, ref, first, False, Heard()).image_id == old
    engine.remove_image(ref)
    new = push(engine, ref, "new")
    engine.tag(old, ref)

    assert builder.prebuilt(engine, ref, second, False, Heard()).image_id == old
    assert builder.prebuilt(engine, ref, third, True, Heard()).image_id == new

    image = engine.image(first)
    assert image is not None
    assert image.id == old, "an earlier release keeps its image when the tag moves"


def test_a_digest_is_taken_by_its_word(
    engine: DockerEngine, open_registry: str, tags: list[str]
) -> None:
    ref, own = f"{open_registry}/web:1", own_tag()
    identity = push(engine, ref, "by digest")
    pulled = builder.prebuilt(engine, ref, own, False, Heard())
    tags += [ref, own]

    again = own_tag()
    tags += [again, pulled.digest]
    built = builder.prebuilt(engine, pulled.digest, again, True, Heard())

    assert built.image_id == identity
    assert built.digest == pulled.digest


def test_an_image_that_the_registry_lacks_is_told_as_that(
    engine: DockerEngine, open_registry: str
) -> None:
    push(engine, f"{open_registry}/web:1", "there")

    for ref in (f"{open_registry}/web:2", f"{open_registry}/other:1"):
        with pytest.raises(BuildFailed, match="the registry has no such image") as raised:
            builder.prebuilt(engine, ref, own_tag(), False, Heard())
        assert raised.value.exit_code == 3
        assert raised.value.evidence["status"] == 404
        assert raised.value.hint


def test_a_registry_that_is_away_is_told_as_that(engine: DockerEngine) -> None:
    with pytest.raises(BuildFailed, match="cannot be reached by the engine") as raised:
        builder.prebuilt(engine, "127.0.0.1:9/web:1", own_tag(), False, Heard())

    assert raised.value.evidence["status"] == 503
    assert "127.0.0.1:9" in raised.value.hint


def test_the_operators_own_login_is_used(
    docker_config: Path, closed_registry: str, tags: list[str]
) -> None:
    log_in(docker_config, closed_registry, PASSWORD)
    ref, own = f"{closed_registry}/web:1", own_tag()
    engine = connect()
    identity = push(engine, ref, "closed", login=True)
    tags += [ref, own]

    assert builder.prebuilt(engine, ref, own, False, Heard()).image_id == identity
    engine.close()


def test_the_operators_credential_helper_is_asked(
    docker_config: Path,
    closed_registry: str,
    tags: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As clouds have it: the login is nowhere in the configuration."""
    helpers = tmp_path / "bin"
    helpers.mkdir()
    answer = json.dumps({"ServerURL": closed_registry, "Username": USER, "Secret": PASSWORD})
    helper = helpers / "docker-credential-test"
    helper.write_text(f"#!/bin/sh\ncat > /dev/null\necho '{answer}'\n")
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{helpers}:{os.environ['PATH']}")
    (docker_config / "config.json").write_text(
        json.dumps({"credHelpers": {closed_registry: "test"}})
    )
    ref, own = f"{closed_registry}/web:1", own_tag()
    engine = connect()
    identity = push(engine, ref, "by helper", login=True)
    tags += [ref, own]

    assert builder.prebuilt(engine, ref, own, False, Heard()).image_id == identity
    engine.close()


@pytest.mark.parametrize("password", ["", "wrong horse"], ids=["no login", "a wrong login"])
def test_a_refused_login_is_told_as_that_and_without_the_password(
    docker_config: Path, closed_registry: str, password: str
) -> None:
    if password:
        log_in(docker_config, closed_registry, password)
    engine = connect()
    ref = f"{closed_registry}/web:1"
    say = Heard()

    with pytest.raises(BuildFailed, match="the registry refused the login") as raised:
        builder.prebuilt(engine, ref, own_tag(), False, say)
    engine.close()

    assert raised.value.evidence["status"] == 401
    assert raised.value.hint.startswith(f"docker login {closed_registry}")
    assert "wrong horse" not in str(raised.value) + raised.value.hint + "\n".join(say.lines)


def test_a_credential_helper_that_is_missing_is_named(
    docker_config: Path, closed_registry: str
) -> None:
    (docker_config / "config.json").write_text(
        json.dumps({"credHelpers": {closed_registry: "no-such-helper"}})
    )
    engine = connect()

    with pytest.raises(BuildFailed, match="docker-credential-no-such-helper"):
        builder.prebuilt(engine, f"{closed_registry}/web:1", own_tag(), False, Heard())
    engine.close()


def test_a_base_image_is_pulled_for_a_build_with_the_operators_login(
    docker_config: Path, closed_registry: str, tags: list[str], tmp_path: Path
) -> None:
    log_in(docker_config, closed_registry, PASSWORD)
    base, own = f"{closed_registry}/base:1", own_tag()
    engine = connect()
    push(engine, base, "base", login=True)
    tags += [base, own]
    context = tmp_path / "context"
    context.mkdir()
    (context / "Dockerfile").write_text(f"FROM {base}\nCOPY Dockerfile /x\n")

    built = builder.build(
        builder.require(),
        engine,
        builder.BuildRequest(context=context, tag=own, pull=True, timeout=120),
        Heard(),
    )
    engine.close()

    assert built.image_id
