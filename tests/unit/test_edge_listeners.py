"""The edge's preview socket, which is away for a moment when the edge is restarted."""

from __future__ import annotations

import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bluegreen.edge import Stored, site
from bluegreen.edge.caddy.admin import Admin
from bluegreen.edge.site import Listeners
from bluegreen.errors import EdgeError, EdgeUnreachable
from bluegreen.model import Exchange
from bluegreen.settings import EdgeSettings
from bluegreen.state.folder import State

_BODY = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_MISSING = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
_NO_ANSWER = Exchange(via="preview", url="", host="", error="the connection broke")


@pytest.fixture
def state() -> Iterator[State]:
    with tempfile.TemporaryDirectory(prefix="bgl-") as folder:  # a socket's path must be short
        state = State(Path(folder))
        state.sock.mkdir()
        yield state


@pytest.fixture
def listeners(state: State) -> Listeners:
    return Listeners(state, Stored(edge=EdgeSettings()), Admin(state.admin_socket))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site, "COMES_BACK", 0.2)


def answers(path: Path, answer: bytes = _BODY) -> socket.socket:
    """A server of one connection."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                if connection.recv(65536):  # else somebody only knocked
                    connection.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    return server


def test_an_edge_that_comes_back_is_waited_for(state: State, listeners: Listeners) -> None:
    servers: list[socket.socket] = []
    later = threading.Timer(0.5, lambda: servers.append(answers(state.preview_socket)))
    later.start()
    assert listeners.read_shared("web/live") == "ok"
    later.join()
    servers[0].close()


@pytest.mark.usefixtures("impatient")
def test_an_edge_that_does_not_is_unreachable(listeners: Listeners) -> None:
    """That says nothing of its mounts, nor of the container that was asked for."""
    with pytest.raises(EdgeUnreachable, match="the edge does not answer") as caught:
        listeners.read_shared("web/live")
    assert "--recreate" not in caught.value.hint
    with pytest.raises(EdgeUnreachable, match="the connection broke"):
        listeners.through_preview(lambda: _NO_ANSWER)


@pytest.mark.usefixtures("impatient")
def test_an_edge_that_answers_wrongly_is_not(state: State, listeners: Listeners) -> None:
    server = answers(state.preview_socket, _MISSING)
    with pytest.raises(EdgeError, match="does not see") as caught:
        listeners.read_shared("web/live")
    assert "--recreate" in caught.value.hint
    assert listeners.through_preview(lambda: _NO_ANSWER) is _NO_ANSWER
    server.close()
