"""The base images serve as bases, and every behaviour does what its name says."""

from __future__ import annotations

import http.client
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.errors import APIError, BuildError
from docker.models.containers import Container

from kit.load.clients import NoRetryClient
from kit.load.streams import EventStream, SlowDownload, WebSocketSession
from kit.site.projects import Behaviour, Fault, write_project

Start = Callable[..., Container]


class BuildBroke(Exception):
    """With the build's log."""


@pytest.fixture
def start(client: docker.DockerClient, tmp_path: Path) -> Iterator[Start]:
    """Build a project with the classic builder, and start a container from it."""
    made: list[Container] = []

    def build_and_start(behaviour: Behaviour, **options: Any) -> Container:
        write_project(tmp_path, "v1", behaviour=behaviour, files=12)
        try:
            image, _ = client.images.build(path=str(tmp_path), rm=True, forcerm=True)
        except BuildError as error:
            # A label would not be on it yet: the last layer that was built is the debris.
            log = "".join(line.get("stream", "") for line in error.build_log)
            images.append(re.findall(r"---> ([0-9a-f]{12})\n", log)[-1])
            raise BuildBroke(log) from None
        images.append(str(image.id))
        container = client.containers.create(image, init=True, **options)
        made.append(container)
        container.start()
        return container

    images: list[str] = []
    yield build_and_start
    for container in made:
        container.remove(force=True, v=True)
    for image in images:
        client.images.remove(image)


def until(true: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + 20
    while not (found := true()):
        assert time.monotonic() < deadline, f"never came: {what}"
        time.sleep(0.02)
    return found


def address(container: Container) -> str:
    container.reload()
    return str(container.attrs["NetworkSettings"]["Networks"]["bridge"]["IPAddress"])


def ask(container: Container, *, port: int = 80, peer: str = "") -> int:
    """The status of the page; 0 where nothing listens. `peer`: whom an edge would name."""
    connection = http.client.HTTPConnection(address(container), port, timeout=5)
    try:
        connection.request("GET", "/", headers={"X-Forwarded-For": peer} if peer else {})
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def ended(container: Container) -> dict[str, Any]:
    container.wait(timeout=20)
    container.reload()
    state: dict[str, Any] = container.attrs["State"]
    return state


@pytest.mark.parametrize("behaviour", [Behaviour.STATIC, Behaviour.STREAMS], ids=lambda b: b.name)
def test_a_plain_site_serves_its_files_with_their_types(
    start: Start, tmp_path: Path, behaviour: Behaviour
) -> None:
    container = start(behaviour)
    until(lambda: ask(container) == 200, "an answer")
    types = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
    types |= {".png": "image/png", ".svg": "image/svg+xml", ".woff2": "font/woff2"}
    types |= {".json": "application/json", ".txt": "text/plain"}
    for file in (tmp_path / "dist").rglob("*.*"):
        path = "/" + str(file.relative_to(tmp_path / "dist"))
        connection = http.client.HTTPConnection(address(container), timeout=5)
        connection.request("GET", path.removesuffix("index.html"))
        response = connection.getresponse()
        assert response.read() == file.read_bytes()
        assert (response.getheader("Content-Type") or "").split(";")[0] == types[file.suffix]
        assert response.getheader("Last-Modified")
        connection.close()


def test_the_server_carries_streams_echoes_and_a_keep_alive_load(start: Start) -> None:
    container = start(Behaviour.STREAMS)
    until(lambda: ask(container) == 200, "an answer")
    url = f"http://{address(container)}"
    with (
        SlowDownload(url, size=3_000_000, seconds=1) as download,
        EventStream(url, seconds=1) as events,
        WebSocketSession(url) as session,
        NoRetryClient(url, keep_alive=True) as load,
        NoRetryClient(url, paths=["/echo"], body=b"x" * 100_000) as posts,
    ):
        for stream in (download, events, session):
            report = stream.report()
            report.assert_whole()
        assert download.version == "v1"
        load.report().assert_nothing_lost(at_least=50)
        posts.report().assert_nothing_lost(at_least=50)
    began = time.monotonic()
    container.stop(timeout=10)
    assert ended(container)["ExitCode"] == 0
    assert time.monotonic() - began < 8, "stopped by itself, not killed"


@pytest.mark.parametrize(
    "behaviour", [Behaviour.EXITS, Behaviour.EXITS_WITH_HEALTHCHECK, Behaviour.CRASHES]
)
def test_one_that_exits_does_so_with_code_3(start: Start, behaviour: Behaviour) -> None:
    assert ended(start(behaviour))["ExitCode"] == 3


def test_one_that_takes_all_memory_is_killed_for_it(start: Start) -> None:
    state = ended(start(Behaviour.OOM, mem_limit="32m", memswap_limit="32m"))
    assert state["OOMKilled"]


def test_one_that_is_unhealthy_says_so_while_it_answers(start: Start) -> None:
    container = start(Behaviour.UNHEALTHY)

    def health() -> bool:
        container.reload()
        return bool(container.attrs["State"]["Health"]["Status"] == "unhealthy")

    until(health, "unhealthy")
    assert ask(container) == 200
    assert "cold" in container.attrs["State"]["Health"]["Log"][-1]["Output"]


def test_one_that_never_listens_stays_up_and_refuses(start: Start) -> None:
    container = start(Behaviour.NEVER_LISTENS)
    until(lambda: b"not listening" in container.logs(), "its log line")
    assert ask(container) == 0
    container.reload()
    assert container.status == "running"
    container.stop(timeout=10)
    assert ended(container)["ExitCode"] == 0


def test_one_on_another_port_or_on_loopback_is_not_on_port_80(start: Start) -> None:
    other, loopback = start(Behaviour.OTHER_PORT), start(Behaviour.LOOPBACK_ONLY)
    until(lambda: ask(other, port=8081) == 200, "an answer on its port")
    until(lambda: b"listening on 127.0.0.1:80" in loopback.logs(), "its log line")
    assert ask(other) == ask(loopback) == 0


def test_one_that_answers_wrongly_answers_wrongly(start: Start) -> None:
    errors, redirects = start(Behaviour.ANSWERS_500), start(Behaviour.REDIRECTS)
    preview = start(Behaviour.PREVIEW_ONLY)
    assert until(lambda: ask(errors), "an answer") == 500
    assert until(lambda: ask(redirects), "an answer") == 301
    assert until(lambda: ask(preview), "an answer") == 200
    assert ask(preview, peer="127.0.0.1") == 200
    assert ask(preview, peer="192.0.2.7") == 500


def test_an_unknown_user_cannot_start(start: Start) -> None:
    with pytest.raises(APIError):
        start(Behaviour.UNKNOWN_USER)


def test_an_unknown_command_is_found_by_init_after_the_start(start: Start) -> None:
    """Without init it is the engine that refuses; with it the start succeeds."""
    assert ended(start(Behaviour.UNKNOWN_COMMAND))["ExitCode"] == 127


def test_a_build_that_fails_says_why(start: Start) -> None:
    with pytest.raises(BuildBroke, match="cannot resolve"):
        start(Behaviour.BUILD_FAILS)


@pytest.mark.parametrize("fault", [f for f in Fault if f is not Fault.NONE])
def test_a_fault_is_one_file_that_is_not_as_it_should_be(tmp_path: Path, fault: Fault) -> None:
    whole = write_project(tmp_path / "whole", "v1", files=12)
    broken = write_project(tmp_path / "broken", "v1", files=12, fault=fault)
    differs = {path for path in whole.files if broken.files.get(path) != whole.files[path]}
    assert len(differs) == 1
    if fault is Fault.CHUNK_MISSING:
        (chunk,) = differs
        assert chunk.encode() in broken.index
        assert not (broken.folder / "dist" / chunk).exists()
