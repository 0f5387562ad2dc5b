"""The adapter against a server that answers, lies, hangs and drops: no vendor error leaves it.

A real docker-py speaks HTTP over a real Unix socket to a scripted server.
"""

from __future__ import annotations

import json
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from bluegreen.engine import DockerEngine, connect
from bluegreen.errors import EngineError, EngineUnreachable, NotFit
from bluegreen.model import ContainerPlan

VERSION = {"ApiVersion": "1.41", "MinAPIVersion": "1.12", "Version": "20.10"}
PLAN = ContainerPlan(name="bg-x", image="i:1", network="n", labels={"mine": "1"})


@dataclass
class Script:
    """What the server answers: the next of a path's answers, the last one again and again."""

    environ: dict[str, str]  # with which the server is found
    answers: dict[tuple[str, str], list[tuple[int, Any]]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    def on(self, method: str, path: str, *answers: tuple[int, Any]) -> None:
        self.answers[method, path] = list(answers)

    def next(self, method: str, path: str) -> tuple[int, Any]:
        self.asked.append((method, path))
        waiting = self.answers.get((method, path), [(404, {"message": f"no script for {path}"})])
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]

    def count(self, method: str, path: str) -> int:
        return self.asked.count((method, path))


DROP = (0, "drop")  # the connection closes with no answer
HANG = (0, "hang")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def address_string(self) -> str:
        return "socket"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Tests read what the server was asked from its script."""

    def _answer(self) -> None:
        script: Script = self.server.script  # type: ignore[attr-defined]
        if self.headers.get("Transfer-Encoding"):
            while size := int(self.rfile.readline(), 16):
                self.rfile.read(size + 2)
            self.rfile.readline()
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = self.path.partition("?")[0].removeprefix("/v1.41")
        status, body = script.next(self.command, path)
        if status == 0:
            if body == "hang":
                script.released.wait(20)
            self.close_connection = True
            return
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_DELETE = _answer  # noqa: N815


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Script]:
    script = Script({"DOCKER_HOST": f"unix://{tmp_path}/engine.sock", "HOME": str(tmp_path)})
    script.on("GET", "/version", (200, VERSION))
    script.on("GET", "/networks", (200, [{"Name": "n", "Id": "n1"}, {"Name": "m", "Id": "m1"}]))
    with Server(str(tmp_path / "engine.sock"), Handler) as server:
        server.script = script  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield script
        script.released.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def engine(script: Script) -> Iterator[DockerEngine]:
    engine = connect(timeout=0.5, environ=script.environ)
    yield engine
    engine.close()


def container(name: str = "bg-x", **state: Any) -> dict[str, Any]:
    facts = {"Status": "created", "Running": False, "StartedAt": "0001-01-01T00:00:00Z"}
    return {
        "Id": "a" * 64,
        "Name": f"/{name}",
        "Image": "sha256:1",
        "State": facts | state,
        "Config": {"Image": "i:1", "Labels": {"mine": "1"}},
        "HostConfig": {"RestartPolicy": {"Name": "no"}},
        "NetworkSettings": {"Networks": {"n": {}}},
    }


BY_NAME, BY_ID = "/containers/bg-x/json", f"/containers/{'a' * 64}/json"


# --- connect ---------------------------------------------------------------------------


def test_no_socket_says_how_to_start_the_engine(tmp_path: Path) -> None:
    with pytest.raises(EngineUnreachable, match="there is no socket") as raised:
        connect(environ={"DOCKER_HOST": f"unix://{tmp_path}/none.sock"})
    assert "systemctl start docker" in raised.value.hint


def test_a_socket_that_nobody_listens_on_fails_at_once(tmp_path: Path) -> None:
    path = tmp_path / "dead.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))

    with pytest.raises(EngineUnreachable, match="connection refused"):
        connect(environ={"DOCKER_HOST": f"unix://{path}"})


def test_an_engine_that_hangs_is_given_up_after_the_timeout(script: Script) -> None:
    script.on("GET", "/version", HANG)

    with pytest.raises(EngineUnreachable, match="took too long"):
        connect(timeout=0.2, environ=script.environ)


def test_an_engine_that_is_too_new_is_not_fit(script: Script) -> None:
    script.on("GET", "/version", (200, {"ApiVersion": "9.9", "MinAPIVersion": "9.0"}))

    with pytest.raises(NotFit, match=r"speaks API 9\.0 and later"):
        connect(environ=script.environ)


@pytest.mark.parametrize(("server", "agreed"), [("1.41", "1.41"), ("1.55", "1.45")])
def test_the_api_version_is_the_newest_that_both_know(
    script: Script, server: str, agreed: str
) -> None:
    script.on("GET", "/version", (200, VERSION | {"ApiVersion": server}))

    engine = connect(environ=script.environ)

    assert engine.api.api_version == agreed
    engine.close()


def test_logins_that_cannot_be_read_are_told(
    script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    (tmp_path / "config.json").write_text('{"auths": {"r.example": {"auth": "%%%"}}}')

    with pytest.raises(NotFit, match=r"registry logins in docker's config\.json"):
        connect(environ=script.environ)


# --- reads -----------------------------------------------------------------------------


@pytest.mark.parametrize("trouble", [DROP, (503, {"message": "starting"})])
def test_a_read_is_tried_again_while_the_engine_is_away(
    engine: DockerEngine, script: Script, trouble: tuple[int, Any]
) -> None:
    script.on("GET", BY_NAME, trouble, trouble, (200, container()))

    found = engine.inspect("bg-x")

    assert found is not None
    assert found.name == "bg-x"
    assert script.count("GET", BY_NAME) == 3


def test_a_read_ends_after_four_tries(engine: DockerEngine, script: Script) -> None:
    script.on("GET", BY_NAME, DROP)

    with pytest.raises(EngineUnreachable, match="gave no answer when asked to inspect bg-x"):
        engine.inspect("bg-x")

    assert script.count("GET", BY_NAME) == 4


@pytest.mark.parametrize(
    ("path", "act"),
    [
        ("/images/create", lambda engine: engine.pull("i:1", lambda _: None)),
        ("/images/create", lambda engine: engine.import_image([b""], "i:1", ())),
    ],
    ids=["a pull", "an import"],
)
def test_what_moves_an_image_does_not_wait_for_ever(
    script: Script, path: str, act: Callable[[DockerEngine], None]
) -> None:
    """The vendor's client does; an engine that hangs would hold a release, signals and all."""
    script.on("POST", path, HANG)
    engine = connect(timeout=0.05, environ=script.environ)
    with pytest.raises(EngineUnreachable, match="it took too long"):
        act(engine)
    engine.close()


def test_an_archive_without_its_header_is_a_broken_answer(
    engine: DockerEngine, script: Script
) -> None:
    """Cut off in its head it has no body: an empty image, if one believed it."""
    script.on("GET", BY_ID, (200, container()))
    script.on("GET", f"/containers/{'a' * 64}/archive", (200, ""))
    with pytest.raises(EngineUnreachable):
        engine.archive("a" * 64, "/srv/www")


def test_a_full_disk_has_a_status_of_its_own(engine: DockerEngine, script: Script) -> None:
    full = {"message": "write /var/lib/docker/x: no space left on device"}
    script.on("POST", "/containers/create", (500, full))
    with pytest.raises(EngineError, match="no space left") as raised:
        engine.create(PLAN)
    assert raised.value.status == EngineError.FULL
    assert raised.value.hint.startswith("free space")


def test_a_refusal_is_not_tried_again(engine: DockerEngine, script: Script) -> None:
    script.on("GET", BY_NAME, (500, {"message": "broken\n  inside"}))

    with pytest.raises(EngineError, match="could not inspect bg-x: broken inside") as raised:
        engine.inspect("bg-x")

    assert raised.value.status == 500
    assert script.count("GET", BY_NAME) == 1


def test_the_beginning_of_an_id_is_not_a_container(engine: DockerEngine, script: Script) -> None:
    """The engine answers for "cafe" with any container whose id begins so."""
    script.on("GET", "/containers/cafe/json", (200, container(name="stranger")))

    assert engine.inspect("cafe") is None
    engine.remove("cafe")
    engine.stop("cafe", 1)

    assert {method for method, _ in script.asked} == {"GET"}


def test_what_vanishes_between_list_and_look_is_left_out(
    engine: DockerEngine, script: Script
) -> None:
    gone = "b" * 64
    script.on("GET", "/containers/json", (200, [{"Id": gone}, {"Id": "a" * 64}]))
    script.on("GET", f"/containers/{gone}/json", (404, {"message": "No such container"}))
    script.on("GET", BY_ID, (200, container()))

    assert [found.name for found in engine.containers({"mine": ""})] == ["bg-x"]


def test_answers_of_the_newest_engines_leave_out_what_is_empty(
    engine: DockerEngine, script: Script
) -> None:
    script.on("GET", "/images/i:1/json", (200, {"Id": "sha256:1", "Config": {}}))

    image = engine.image("i:1")

    assert image is not None
    assert (image.tags, image.labels, image.has_healthcheck) == ((), {}, False)


# --- writes ----------------------------------------------------------------------------


def test_a_write_is_never_sent_twice(engine: DockerEngine, script: Script) -> None:
    script.on("POST", "/containers/create", DROP)
    script.on("GET", BY_NAME, (404, {"message": "No such container"}))

    with pytest.raises(EngineUnreachable, match="no such new container is there"):
        engine.create(PLAN)

    assert script.count("POST", "/containers/create") == 1


def test_a_create_whose_answer_was_lost_is_found_by_its_labels(
    engine: DockerEngine, script: Script
) -> None:
    script.on("POST", "/containers/create", DROP)
    script.on("GET", BY_NAME, (200, container()))

    assert engine.create(PLAN) == "a" * 64


def test_a_running_container_is_never_taken_for_the_one_just_created(
    engine: DockerEngine, script: Script
) -> None:
    script.on("POST", "/containers/create", DROP)
    script.on("GET", BY_NAME, (200, container(Status="running", Running=True)))

    with pytest.raises(EngineUnreachable):
        engine.create(PLAN)


def test_a_start_whose_answer_was_lost_is_looked_up(engine: DockerEngine, script: Script) -> None:
    script.on("GET", BY_NAME, (200, container()))
    script.on("POST", f"/containers/{'a' * 64}/start", DROP)
    script.on("GET", BY_ID, (200, container(Status="running", StartedAt="2026-01-01T00:00:00Z")))

    engine.start("bg-x")


def test_a_start_that_did_not_happen_is_an_error(engine: DockerEngine, script: Script) -> None:
    script.on("GET", BY_NAME, (200, container()))
    script.on("POST", f"/containers/{'a' * 64}/start", DROP)
    script.on("GET", BY_ID, (200, container()))

    with pytest.raises(EngineUnreachable):
        engine.start("bg-x")


def test_a_stop_whose_answer_was_lost_is_looked_up(engine: DockerEngine, script: Script) -> None:
    script.on("GET", BY_NAME, (200, container(Status="running", Running=True)))
    script.on("POST", f"/containers/{'a' * 64}/stop", DROP)
    script.on("GET", BY_ID, (200, container(Status="exited")))

    engine.stop("bg-x", 0)


def test_a_removal_in_progress_is_waited_for(engine: DockerEngine, script: Script) -> None:
    script.on("GET", BY_NAME, (200, container()))
    script.on(
        "DELETE",
        f"/containers/{'a' * 64}",
        (409, {"message": "removal of container a is already in progress"}),
    )
    removing = (200, container(Status="removing"))
    script.on("GET", BY_ID, removing, removing, (404, {"message": "No such container"}))

    engine.remove("bg-x")

    assert script.count("GET", BY_ID) == 3


def test_a_container_that_cannot_join_a_network_is_not_left_behind(
    engine: DockerEngine, script: Script
) -> None:
    plan = ContainerPlan(name="bg-x", image="i:1", network="n", networks=("m",))
    script.on("POST", "/containers/create", (201, {"Id": "a" * 64}))
    script.on("POST", "/networks/m/connect", (404, {"message": "network m not found"}))
    script.on("GET", BY_ID, (200, container()), (404, {"message": "No such container"}))
    script.on("DELETE", f"/containers/{'a' * 64}", (204, ""))

    with pytest.raises(EngineError, match="network m not found") as raised:
        engine.create(plan)

    assert "docker network create" in raised.value.hint
    assert script.count("DELETE", f"/containers/{'a' * 64}") == 1


def test_what_the_engine_cannot_honour_is_said(script: Script) -> None:
    said: list[str] = []
    engine = connect(environ=script.environ, warn=said.append)
    script.on("POST", "/containers/create", (201, {"Id": "a", "Warnings": ["no swap limit"]}))

    engine.create(PLAN)
    engine.close()

    assert said == ["the engine says of bg-x: no swap limit"]


def test_a_log_that_cannot_be_read_is_no_log(engine: DockerEngine, script: Script) -> None:
    script.on("GET", BY_NAME, (200, container()))
    script.on(
        "GET",
        f"/containers/{'a' * 64}/logs",
        (500, {"message": "configured logging driver does not support reading"}),
    )

    assert engine.logs("bg-x", 10) == ()
