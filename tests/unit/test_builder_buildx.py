"""The command line of buildx: what is asked, and where each value travels."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from bluegreen.builder import BuildRequest, Buildx, oci_labels
from bluegreen.builder.buildx import _folder, _hint, arguments, environment
from bluegreen.errors import BuildFailed
from bluegreen.model import EngineFacts
from bluegreen.settings.values import BuildSecret

TOOL = Buildx("/usr/bin/docker", (0, 13, 1))
ENGINE = EngineFacts(
    id="E",
    version="20.10",
    api="1.41",
    root_dir="/var/lib/docker",
    local=True,
    endpoint="unix:///run/d.sock",
    cli_environment={"DOCKER_HOST": "unix:///run/d.sock"},
)


def request(context: Path, **more: object) -> BuildRequest:
    return BuildRequest(context=context, tag="bluegreen/web:1", **more)  # type: ignore[arg-type]


def test_the_whole_command_line(tmp_path: Path) -> None:
    argv = arguments(
        TOOL,
        request(
            tmp_path,
            target="site",
            pull=True,
            no_cache=True,
            labels={"a": "b"},
            args={"MODE": "live"},
            secrets=[
                BuildSecret(id="npm", env="NPM_TOKEN"),
                BuildSecret(id="rc", src=Path("a,b.npmrc")),
            ],
        ),
        Path("/m.json"),
    )

    assert argv == [
        *("/usr/bin/docker", "buildx", "build", "--progress=plain", "--load"),
        *("--provenance=false", "--sbom=false", "--metadata-file", "/m.json"),
        *("--tag", "bluegreen/web:1", "--file", f"{tmp_path}/Dockerfile"),
        *("--target", "site", "--pull", "--no-cache", "--label", "a=b", "--build-arg", "MODE"),
        *("--secret", "id=npm,env=BLUEGREEN_BUILD_SECRET_0"),
        *("--secret", f'id=rc,"src={tmp_path}/a,b.npmrc"'),
        *("--", str(tmp_path)),
    ]


def test_no_value_of_an_argument_or_secret_stands_in_argv(tmp_path: Path) -> None:
    """Any user of the host can read it in /proc."""
    asked = request(
        tmp_path, args={"TOKEN": "hunter2"}, secrets=[BuildSecret(id="npm", env="NPM_TOKEN")]
    )

    assert "hunter2" not in " ".join(arguments(TOOL, asked, Path("/m")))
    variables = environment(ENGINE, asked, {"npm": "s3cret"})
    assert variables["TOKEN"] == "hunter2"
    assert variables["BLUEGREEN_BUILD_SECRET_0"] == "s3cret"


@pytest.mark.parametrize("name", ["PATH", "HOME", "DOCKER_HOST", "BUILDX_BUILDER", "GODEBUG"])
def test_an_argument_never_changes_what_the_docker_cli_itself_does(
    tmp_path: Path, name: str
) -> None:
    asked = request(tmp_path, args={name: "mine"})

    assert f"{name}=mine" in arguments(TOOL, asked, Path("/m"))
    assert environment(ENGINE, asked, {}).get(name) != "mine"


def test_the_child_reaches_the_engine_that_is_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONTEXT", "prod")
    monkeypatch.setenv("DOCKER_HOST", "tcp://elsewhere:2375")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")

    variables = environment(ENGINE, request(tmp_path), {})

    assert variables["DOCKER_HOST"] == "unix:///run/d.sock"
    assert {"DOCKER_CONTEXT", "DOCKER_TLS_VERIFY"}.isdisjoint(variables)


def test_an_old_buildx_is_not_asked_for_what_it_does_not_know(tmp_path: Path) -> None:
    argv = arguments(Buildx("docker", (0, 9, 1)), request(tmp_path), Path("/m"))

    assert "--provenance=false" not in argv


def test_a_missing_context_and_a_missing_dockerfile_are_named_in_full(tmp_path: Path) -> None:
    with pytest.raises(BuildFailed, match=f"{tmp_path}/gone is not a folder"):
        request(tmp_path / "gone").check()
    with pytest.raises(BuildFailed, match=f"no Dockerfile at {tmp_path}/web/Dockerfile") as raised:
        request(tmp_path, dockerfile="web/Dockerfile").check()
    assert "build.dockerfile" in raised.value.hint


def test_a_secret_that_is_not_there_is_named_before_anything_runs(tmp_path: Path) -> None:
    by_variable = request(
        tmp_path, secrets=[BuildSecret(id="npm", env="NPM_TOKEN")], environ={"OTHER": "x"}
    )
    with pytest.raises(BuildFailed, match="'npm' wants the variable NPM_TOKEN, which is not set"):
        by_variable.secret_values()

    by_file = request(tmp_path, secrets=[BuildSecret(id="npm", src=tmp_path / "gone")])
    with pytest.raises(BuildFailed, match=f"'npm' cannot be read from {tmp_path}/gone: no such"):
        by_file.secret_values()


def test_labels_hold_the_commits_time_and_nothing_that_is_unknown() -> None:
    """A value that changes with each build would give unchanged content another id."""
    labels = oci_labels(revision="3f2a9c1", created="", source="", title="web", site="web")

    assert labels == {
        "org.opencontainers.image.revision": "3f2a9c1",
        "org.opencontainers.image.title": "web",
        "dev.bluegreen.image.site": "web",
    }


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("failed to receive status: rpc error: code = Unavailable desc = EOF", "docker version"),
        ("failed to list workers: Unavailable: error reading from server: EOF", "docker version"),
        ("Cannot connect to the Docker daemon at unix:///x. Is it running?", "docker version"),
        ("write /x: no space left on device", "free space"),
        ("vite: cannot resolve ./App", "correct the Dockerfile"),
    ],
)
def test_the_hint_fits_what_failed(said: str, hint: str) -> None:
    assert hint in _hint(said)


def test_a_temporary_place_without_room_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "full"))
    with pytest.raises(BuildFailed, match="no temporary folder") as raised:
        _folder()
    assert "TMPDIR" in raised.value.hint
