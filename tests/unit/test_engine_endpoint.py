"""The engine that is meant is the engine that is used; a doubt is an error."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from bluegreen.engine.endpoint import DEFAULT_SOCKET, resolve
from bluegreen.errors import NotFit


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A docker configuration folder with the context "prod", made as the CLI makes it."""
    add_context(tmp_path, "prod", {"Host": "tcp://10.0.0.9:2376", "SkipTLSVerify": False})
    return tmp_path


def add_context(folder: Path, name: str, endpoint: dict[str, object]) -> Path:
    key = hashlib.sha256(name.encode()).hexdigest()
    meta = folder / "contexts" / "meta" / key
    meta.mkdir(parents=True)
    document = {"Name": name, "Metadata": {}, "Endpoints": {"docker": endpoint}}
    (meta / "meta.json").write_text(json.dumps(document))
    return folder / "contexts" / "tls" / key / "docker"


def test_nothing_said_means_the_default_socket(tmp_path: Path) -> None:
    assert resolve({"HOME": str(tmp_path)}).url == DEFAULT_SOCKET


def test_the_host_goes_before_the_context(config: Path) -> None:
    environ = {
        "DOCKER_HOST": "unix:///run/x.sock",
        "DOCKER_CONTEXT": "prod",
        "DOCKER_CONFIG": str(config),
    }
    assert resolve(environ).url == "unix:///run/x.sock"


def test_the_named_context_goes_before_the_current_one(config: Path) -> None:
    (config / "config.json").write_text('{"currentContext": "gone"}')

    found = resolve({"DOCKER_CONTEXT": "prod", "DOCKER_CONFIG": str(config)})

    assert found.url == "tcp://10.0.0.9:2376"


def test_the_current_context_is_followed(config: Path) -> None:
    (config / "config.json").write_text('{"currentContext": "prod"}')

    assert resolve({"DOCKER_CONFIG": str(config)}).url == "tcp://10.0.0.9:2376"


@pytest.mark.parametrize("where", ["environment", "config.json"])
def test_an_unknown_context_is_an_error_and_never_the_local_engine(
    config: Path, where: str
) -> None:
    environ = {"DOCKER_CONFIG": str(config)}
    if where == "environment":
        environ["DOCKER_CONTEXT"] = "prdo"
    else:
        (config / "config.json").write_text('{"currentContext": "prdo"}')

    with pytest.raises(NotFit, match="no docker context 'prdo'") as raised:
        resolve(environ)

    assert "docker context ls" in raised.value.hint


def test_a_broken_configuration_is_an_error_for_it_may_name_a_context(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")

    with pytest.raises(NotFit, match=r"config\.json cannot be read"):
        resolve({"DOCKER_CONFIG": str(tmp_path)})


def test_the_default_context_is_the_default_socket(config: Path) -> None:
    assert resolve({"DOCKER_CONTEXT": "default", "DOCKER_CONFIG": str(config)}).url == (
        DEFAULT_SOCKET
    )


def test_ssh_is_refused_with_two_ways_that_work() -> None:
    with pytest.raises(NotFit, match="over ssh") as raised:
        resolve({"DOCKER_HOST": "ssh://deploy@web1"})

    assert "run bluegreen on deploy@web1 itself" in raised.value.hint
    assert "ssh -nNT -L" in raised.value.hint


@pytest.mark.parametrize("url", ["fd://", "npipe:////./pipe/docker_engine", "localhost:2375"])
def test_other_transports_are_refused(url: str) -> None:
    with pytest.raises(NotFit, match="not an endpoint"):
        resolve({"DOCKER_HOST": url})


def test_a_contexts_certificates_are_used_and_handed_to_the_cli(config: Path) -> None:
    folder = add_context(config, "tls", {"Host": "tcp://h:2376", "SkipTLSVerify": False})
    folder.mkdir(parents=True)
    (folder / "ca.pem").touch()

    found = resolve({"DOCKER_CONTEXT": "tls", "DOCKER_CONFIG": str(config)})

    assert found.tls is not None
    assert found.tls.verify
    assert found.tls.file("ca.pem") == str(folder / "ca.pem")
    assert found.tls.file("key.pem") is None
    assert found.cli_environment() == {
        "DOCKER_HOST": "tcp://h:2376",
        "DOCKER_TLS_VERIFY": "1",
        "DOCKER_CERT_PATH": str(folder),
    }


def test_any_text_turns_verification_on_as_in_the_cli(tmp_path: Path) -> None:
    found = resolve(
        {
            "DOCKER_HOST": "tcp://h:2376",
            "DOCKER_TLS_VERIFY": "0",
            "DOCKER_CERT_PATH": str(tmp_path),
        }
    )
    assert found.tls is not None
    assert found.tls.verify


@pytest.mark.parametrize(("url", "local"), [(DEFAULT_SOCKET, True), ("tcp://h:2375", False)])
def test_only_a_socket_is_local(url: str, local: bool) -> None:
    assert resolve({"DOCKER_HOST": url}).local is local
