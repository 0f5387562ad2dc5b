"""One GET with a deadline, against real sockets that misbehave."""

from __future__ import annotations

import hashlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from bluegreen import probe

Serve = Callable[[socket.socket, bytes], None]


@contextmanager
def listening(serve: Serve) -> Iterator[str]:
    """The origin of a server that hands each request's head to `serve`."""
    server = socket.create_server(("127.0.0.1", 0))
    connections: list[socket.socket] = []

    def talk(connection: socket.socket) -> None:
        with connection:
            head = b""
            try:
                while chunk := connection.recv(65536):
                    head += chunk
                    if head.endswith(b"\r\n\r\n"):
                        serve(connection, head)
                        head = b""
            except OSError:
                return

    def accept() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            connections.append(connection)
            threading.Thread(target=talk, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(5)
        for connection in connections:
            connection.close()


def _answer(body: bytes, *headers: str, status: str = "200 OK") -> Serve:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    message = "\r\n".join(lines).encode() + b"\r\n\r\n" + body
    return lambda connection, _: connection.sendall(message)


def test_an_answer_is_told_with_its_bytes_proof() -> None:
    """Size and digest are of the body as it came; the type has no parameters."""
    body = "grüße".encode()
    serve = _answer(
        body,
        "Content-Type: Text/HTML; charset=utf-8",
        "Last-Modified: Tue, 24 Nov 2026 22:00:00 GMT",
    )
    with listening(serve) as origin, probe.Client(origin, via="public") as client:
        found = client.ask("/x?y=z", host="www.test", timeout=5)
    assert (found.status, found.media_type, found.head) == (200, "text/html", "grüße")
    assert (found.size, found.sha256) == (len(body), hashlib.sha256(body).hexdigest())
    assert found.last_modified == "Tue, 24 Nov 2026 22:00:00 GMT"
    assert (found.url, found.host, found.via, found.error) == (
        f"{origin}/x?y=z",
        "www.test",
        "public",
        "",
    )


def test_the_request_says_what_a_probe_must() -> None:
    """The host that users ask for, no compression, and headers of the caller's."""
    heads: list[bytes] = []

    def serve(connection: socket.socket, head: bytes) -> None:
        heads.append(head)
        _answer(b"")(connection, head)

    with listening(serve) as origin, probe.Client(origin, via="preview") as client:
        client.ask("/ä b", host="www.test", timeout=5, headers={"Bluegreen-Dial": "a:80"})
    lines = heads[0].lower().split(b"\r\n")
    assert lines[0] == b"get /%c3%a4%20b http/1.1"
    assert {b"host: www.test", b"accept-encoding: identity", b"bluegreen-dial: a:80"} <= set(lines)
    assert sum(line.startswith(b"host:") for line in lines) == 1


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    """Followed to the public name, a probe would prove the live release instead."""
    serve = _answer(b"", "Location: https://www.test/", status="301 Moved Permanently")
    with listening(serve) as origin, probe.Client(origin, via="preview") as client:
        found = client.ask("/", host="www.test", timeout=5)
    assert (found.status, found.location) == (301, "https://www.test/")


@pytest.mark.parametrize("where", ["head", "body"])
def test_a_server_that_drips_is_cut_at_the_deadline(where: str) -> None:
    """Each byte in time, and the whole never."""

    def serve(connection: socket.socket, _: bytes) -> None:
        start = b"HTTP/1.1 200 OK\r\nX-Drip: "
        if where == "body":
            start = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"
        connection.sendall(start)
        while True:
            connection.sendall(b"x")
            time.sleep(0.02)

    with listening(serve) as origin, probe.Client(origin, via="public") as client:
        found = client.ask("/", host="www.test", timeout=0.5)
    assert found.status == 0
    assert "no whole answer within 0.5 s" in found.error
    assert 0.4 < found.seconds < 5


def test_a_body_beyond_its_bound_is_not_read() -> None:
    """A probe must not be a way to fill the memory."""
    with (
        listening(_answer(b"x" * 5000)) as origin,
        probe.Client(origin, via="public") as client,
    ):
        found = client.ask("/", host="www.test", timeout=5, max_body=4999)
        assert (found.status, found.sha256) == (0, "")
        assert "a body of more than 4999 bytes" in found.error
        assert client.ask("/", host="www.test", timeout=5, max_body=5000).status == 200


def test_a_body_that_ends_too_soon_is_no_answer() -> None:
    """Half a bundle with status 200 is a broken page."""

    def serve(connection: socket.socket, _: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        connection.shutdown(socket.SHUT_WR)

    with listening(serve) as origin, probe.Client(origin, via="public") as client:
        found = client.ask("/", host="www.test", timeout=5)
    assert found.status == 0
    assert found.error.startswith("status 200, then ")


def test_nobody_there_is_said_in_the_systems_words(tmp_path: Path) -> None:
    """No exception: a probe's failure is evidence."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with probe.Client(f"http://127.0.0.1:{port}", via="public") as client:
        assert "refused" in client.ask("/", host="www.test", timeout=5).error
    with probe.Client("http://x", via="preview", uds=tmp_path / "none.sock") as client:
        assert "No such file" in client.ask("/", host="www.test", timeout=5).error


def test_what_the_edge_says_of_a_failure_is_the_error() -> None:
    """A 502 of the edge's is not a page of the candidate's."""
    serve = _answer(b"", "Bluegreen-Error: no such host", status="502 Bad Gateway")
    with (
        listening(serve) as origin,
        probe.Client(origin, via="preview", edge_error_header="Bluegreen-Error") as client,
    ):
        found = client.ask("/", host="www.test", timeout=5)
    assert (found.status, found.error) == (502, "no such host")


def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """They would answer in the edge's place."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with listening(_answer(b"direct")) as origin, probe.Client(origin, via="public") as client:
        assert client.ask("/", host="www.test", timeout=5).head == "direct"


def test_many_threads_ask_through_one_client() -> None:
    """Each with a deadline of its own, over connections that they share."""
    connections: set[int] = set()

    def serve(connection: socket.socket, head: bytes) -> None:
        connections.add(id(connection))
        _answer(head.split(b" ")[1])(connection, head)

    paths = [f"/{number}" for number in range(60)]
    with (
        listening(serve) as origin,
        probe.Client(origin, via="public") as client,
        ThreadPoolExecutor(6) as pool,
    ):
        found = pool.map(lambda path: client.ask(path, host="www.test", timeout=10).head, paths)
        assert list(found) == paths
    assert len(connections) <= 6
