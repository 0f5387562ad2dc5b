"""The admin API's client against a server that does what Caddy does in its worst moments."""

from __future__ import annotations

import json
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bluegreen.edge.caddy.admin import Admin
from bluegreen.errors import EdgeError, EdgeUnreachable

Answer = bytes | None  # None: the connection is cut without one


class Caddy:
    """Answers each request by a function of its method, path and body; counts them."""

    def __init__(self, answer: Callable[[str, str, Any], Answer]) -> None:
        self.asked: list[str] = []
        self._answer = answer
        self._folder = tempfile.TemporaryDirectory(prefix="bga-")
        self.socket = Path(self._folder.name) / "admin.sock"
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._server.bind(str(self.socket))
        self._server.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as lines:
                request = lines.readline().decode().split(" ")
                if len(request) < 2:
                    continue  # somebody only knocked
                length = 0
                while (line := lines.readline().strip()) != b"":
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.partition(b":")[2])
                body = json.loads(lines.read(length)) if length else None
                self.asked.append(f"{request[0]} {request[1]}")
                answer = self._answer(request[0], request[1], body)
                if answer is not None:
                    connection.sendall(answer)

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join(5)
        self._folder.cleanup()


@contextmanager
def caddy(answer: Callable[[str, str, Any], Answer]) -> Iterator[Caddy]:
    server = Caddy(answer)
    try:
        yield server
    finally:
        server.close()


def _ok(body: Any, status: str = "200 OK", **headers: str) -> bytes:
    content = json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(content)}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


_CONFIG = {"admin": {"listen": "unix//x"}}


def test_a_read_that_a_load_cut_is_asked_again() -> None:
    """The admin server is itself replaced by a load; its connections then end without answer."""
    answers = iter([None, None, _ok(_CONFIG)])
    with caddy(lambda *_: next(answers)) as server:
        assert Admin(server.socket).config() == _CONFIG
        assert server.asked == ["GET /config/"] * 3


def test_a_load_whose_answer_was_lost_is_looked_up_and_not_sent_again() -> None:
    """Applied is applied."""
    running: dict[str, Any] = {}

    def answer(method: str, _: str, body: Any) -> Answer:
        if method == "POST":
            running.update(body)
            return None
        return _ok(running)

    with caddy(answer) as server:
        Admin(server.socket).load(_CONFIG)
        assert server.asked == ["POST /load", "GET /config/"]


def test_a_load_that_was_lost_before_it_was_applied_is_an_error() -> None:
    """What runs is not what was sent: nobody may persist it."""
    with (
        caddy(lambda method, *_: None if method == "POST" else _ok({"old": 1})) as server,
        pytest.raises(EdgeError, match="did not take"),
    ):
        Admin(server.socket).load(_CONFIG)


def test_caddys_reason_for_a_refusal_is_told() -> None:
    """It names the module and the line that it did not like."""
    with (
        caddy(lambda *_: _ok({"error": "unknown module: x"}, "400 Bad Request")) as server,
        pytest.raises(EdgeError, match="unknown module: x"),
    ):
        Admin(server.socket).load(_CONFIG)


def test_nothing_empty_is_ever_sent(tmp_path: Path) -> None:
    """Caddy takes an empty body for a configuration, and the site is gone."""
    admin = Admin(tmp_path / "none.sock")
    with pytest.raises(ValueError, match="admin block"):
        admin.load({})
    with pytest.raises(ValueError, match="empty value"):
        admin.patch('"/config/x 1"', [])


def test_a_patch_goes_where_its_tag_says_and_only_if_nothing_changed() -> None:
    """The tag has the expanded path; the one of `@id` in it would be refused."""
    with caddy(
        lambda method, *_: (
            _ok(None, "412 Precondition Failed")
            if method == "PATCH"
            else _ok([{"dial": "a:1"}], Etag='"/config/apps/x/upstreams 9f"')
        )
    ) as server:
        admin = Admin(server.socket)
        value, tag = admin.tagged("/id/proxy.web/upstreams")
        assert value == [{"dial": "a:1"}]
        assert admin.patch(tag, [{"dial": "b:1"}]) is False
        assert server.asked[-1] == "PATCH /config/apps/x/upstreams"


@pytest.mark.parametrize("applied", [True, False])
def test_a_patch_whose_answer_was_lost_is_looked_up(applied: bool) -> None:
    """Then it is known whether to try again."""
    now = [{"dial": "b:1" if applied else "a:1"}]
    with caddy(lambda method, *_: None if method == "PATCH" else _ok(now)) as server:
        assert Admin(server.socket).patch('"/config/u 1"', [{"dial": "b:1"}]) is applied


def test_requests_in_flight_are_those_of_the_one_upstream() -> None:
    """Absent is none."""
    rows = [{"address": "a:80", "num_requests": 2}, {"address": "a:8080", "num_requests": 5}]
    with caddy(lambda *_: _ok(rows)) as server:
        admin = Admin(server.socket)
        assert [admin.in_flight(address) for address in ("a:80", "b:80")] == [2, 0]


def test_an_edge_that_is_away_is_said_with_the_socket_and_the_reason(tmp_path: Path) -> None:
    """In the words of the operating system."""
    missing = tmp_path / "admin.sock"
    with pytest.raises(EdgeUnreachable, match="No such file or directory") as caught:
        Admin(missing, patience=0.1).config()
    assert str(missing) in caught.value.message
    assert caught.value.exit_code == 7


def test_an_edge_that_comes_back_in_time_is_waited_for() -> None:
    """The engine starts a container again that died by itself: reads outlast that."""
    with caddy(lambda *_: _ok(_CONFIG)) as server:
        hidden = server.socket.rename(server.socket.with_suffix(".later"))
        appears = threading.Timer(0.5, hidden.rename, (server.socket,))
        appears.start()
        assert Admin(server.socket, patience=30).config() == _CONFIG
        appears.join()
