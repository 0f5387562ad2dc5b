"""The load clients see every loss that they are there to see, and no loss that was none."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from kit.load.clients import Client, LoadReport, NoRetryClient, connect, trusting
from kit.load.http2 import Http2Client
from kit.load.streams import Cut, EventStream, SlowDownload, Stream, WebSocketSession
from kit.load.wrk import Wrk
from kit.site import images, server
from kit.site.host import free_port
from kit.site.projects import build, version_of, write_project

Process = subprocess.Popen[bytes]
Load = Callable[[str], Client | Wrk]

LOADS: dict[str, Load] = {
    "new connections": lambda url: NoRetryClient(url),
    "keep-alive": lambda url: NoRetryClient(url, keep_alive=True),
    "POST": lambda url: NoRetryClient(url, paths=["/echo"], body=b"x" * 2000),
    "wrk": lambda url: Wrk(url, connections=8),
}
STREAMS: tuple[type[Stream], ...] = (SlowDownload, EventStream, WebSocketSession)

each_load = pytest.mark.parametrize("load", LOADS.values(), ids=LOADS.keys())
each_stream = pytest.mark.parametrize("stream", STREAMS, ids=lambda kind: kind.kind)


@pytest.fixture
def web_root(tmp_path: Path) -> Path:
    """The files of version 1."""
    for path, data in build("v1", files=12).items():
        target = tmp_path / "www" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return tmp_path / "www"


@contextlib.contextmanager
def serving(web_root: Path, **env: str) -> Iterator[tuple[str, Process]]:
    """The kit's server as a process of this machine."""
    port = free_port()
    settings = {"BIND": "127.0.0.1", "PORT": str(port), "WEB_ROOT": str(web_root), **env}
    process = subprocess.Popen(
        [sys.executable, "-I", server.__file__], env={**os.environ, "VERSION": "v1", **settings}
    )
    try:
        wait_for_listener(port)
        yield f"http://127.0.0.1:{port}", process
    finally:
        process.kill()
        process.wait()


def wait_for_listener(port: int) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert time.monotonic() < deadline, f"nothing listens on {port}"
            time.sleep(0.02)


def run_until(load: Client | Wrk, enough: int) -> None:
    """Until it has sent `enough` requests; wrk tells no number, so a moment has to do."""
    if isinstance(load, Wrk):
        time.sleep(1)
        return
    deadline = time.monotonic() + 30
    while load.sent < enough:
        assert time.monotonic() < deadline, f"only {load.sent} requests in 30 s"
        time.sleep(0.01)


class DropsSome(socketserver.StreamRequestHandler):
    """Answers requests on a kept connection, but closes on every 50th without an answer."""

    lock = threading.Lock()
    asked = dropped = 0

    def handle(self) -> None:
        while line := self.rfile.readline():
            size = 0
            while (header := self.rfile.readline()).strip():
                if header.lower().startswith(b"content-length:"):
                    size = int(header.split(b":")[1])
            body = self.rfile.read(size)
            with self.lock:
                type(self).asked += 1
                drop = self.asked % 50 == 0
                type(self).dropped += drop
            if drop:
                return
            body = body or line
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


class CutsShort(socketserver.StreamRequestHandler):
    """Promises more than it sends."""

    def handle(self) -> None:
        while self.rfile.readline().strip():
            pass
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nnot a hundred")


class Listener(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128


@contextlib.contextmanager
def listening(handler: type[socketserver.BaseRequestHandler]) -> Iterator[str]:
    with Listener(("127.0.0.1", 0), handler) as listener:
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{listener.server_address[1]}"
        listener.shutdown()


@each_load
def test_nothing_is_lost_on_a_server_that_is_left_alone(load: Load, web_root: Path) -> None:
    with serving(web_root) as (url, _), load(url) as running:
        run_until(running, 200)
        report = running.report()
    report.assert_nothing_lost(at_least=200)
    assert set(report.statuses) == {200}


@each_load
def test_a_killed_server_is_counted_as_losses(load: Load, web_root: Path) -> None:
    with serving(web_root) as (url, process), load(url) as running:
        run_until(running, 50)
        process.kill()
        process.wait()
        time.sleep(0.3)
        report = running.report()
    assert report.lost > 0
    with pytest.raises(AssertionError, match="requests lost"):
        report.assert_nothing_lost()


@each_load
def test_the_count_of_losses_is_exact(load: Load) -> None:
    """As many as the server dropped: none is tried again, none is counted twice.

    wrk does not wait for what is in flight when it is stopped: so many it may not see.
    """

    class Handler(DropsSome):
        lock = threading.Lock()

    with listening(Handler) as url, load(url) as running:
        run_until(running, 500)
        report = running.report()
    assert Handler.dropped > 0
    unseen = running.connections if isinstance(running, Wrk) else 0
    assert Handler.dropped - unseen <= report.lost <= Handler.dropped


def test_an_answer_that_stops_short_is_a_loss() -> None:
    with listening(CutsShort) as url, NoRetryClient(url) as load:
        run_until(load, 10)
        report = load.report()
    assert report.lost == report.requests
    assert "IncompleteRead" in report.failures[0].reason


@pytest.mark.parametrize("behaviour", ["error", "redirect"])
@each_load
def test_an_answer_that_is_not_2xx_is_a_loss(load: Load, behaviour: str, web_root: Path) -> None:
    with serving(web_root, BEHAVIOUR=behaviour) as (url, _), load(url) as running:
        run_until(running, 20)
        report = running.report()
    assert report.lost >= 20
    assert set(report.statuses) == {500 if behaviour == "error" else 301}


def test_another_body_than_the_one_sent_is_a_loss() -> None:
    class Mangles(DropsSome):
        def handle(self) -> None:
            while self.rfile.readline().strip():
                pass
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno")

    with listening(Mangles) as url, NoRetryClient(url, body=b"yes") as load:
        run_until(load, 10)
        report = load.report()
    assert report.lost == report.requests
    assert "another body" in report.failures[0].reason


def test_a_load_that_ended_by_itself_does_not_pass(web_root: Path) -> None:
    """What came after its limit was not under load."""
    with serving(web_root) as (url, _), NoRetryClient(url, limit=0.2) as load:
        time.sleep(0.6)
        with pytest.raises(AssertionError, match="ended by itself"):
            load.report().assert_nothing_lost()
    with serving(web_root) as (url, _), Wrk(url, limit=1, connections=4) as wrk:
        time.sleep(2)
        with pytest.raises(AssertionError, match="ended by itself"):
            wrk.report().assert_nothing_lost()


def test_no_requests_are_not_a_proof() -> None:
    report = LoadReport(requests=0, failures=(), statuses={}, versions={}, seconds=1)
    with pytest.raises(AssertionError, match="only 0 requests"):
        report.assert_nothing_lost()


def test_answers_are_counted_by_the_version_that_their_bytes_name(web_root: Path) -> None:
    with serving(web_root, VERSION="") as (url, _), NoRetryClient(url) as load:
        run_until(load, 20)
        load_report = load.report()
    assert set(load_report.versions) == {"v1"}


@each_stream
def test_a_stream_that_is_left_alone_is_whole(stream: type[Stream], web_root: Path) -> None:
    with serving(web_root) as (url, _), stream(url, seconds=1.5) as running:
        report = running.report()
    report.assert_whole()
    assert report.received > 0


@each_stream
def test_a_killed_server_cuts_a_stream(stream: type[Stream], web_root: Path) -> None:
    with serving(web_root) as (url, process), stream(url, seconds=20) as running:
        assert running.running
        process.kill()
        process.wait()
        wait_for_end(running)
        report = running.report()
    assert not report.whole
    assert report.seconds < 15
    with pytest.raises(AssertionError, match=f"{stream.kind} was cut"):
        report.assert_whole()


def wait_for_end(running: Stream) -> None:
    deadline = time.monotonic() + 10
    while running.running:
        assert time.monotonic() < deadline, f"the {running.kind} did not notice"
        time.sleep(0.01)


def test_a_graceful_stop_finishes_a_download_and_says_goodbye_to_a_websocket(
    web_root: Path,
) -> None:
    """SIGTERM, as an engine stops a container: 1001 is a cut, however polite."""
    with (
        serving(web_root) as (url, process),
        SlowDownload(url, seconds=1.5) as download,
        EventStream(url, seconds=1.5) as events,
        WebSocketSession(url) as session,
    ):
        process.send_signal(signal.SIGTERM)
        wait_for_end(session)
        download.report().assert_whole()
        events.report().assert_whole()
        closed = session.report()
        assert process.wait(10) == 0
    assert not closed.whole
    assert "1001" in closed.reason


@each_stream
def test_a_stream_that_cannot_begin_says_so_at_once(stream: type[Stream]) -> None:
    with pytest.raises(Cut, match="did not begin"), stream(f"http://127.0.0.1:{free_port()}"):
        pass


def wait_for_certificate(url: str, context: ssl.SSLContext) -> None:
    """Caddy listens before its own authority has signed anything."""
    deadline = time.monotonic() + 20
    while True:
        try:
            connect(urlsplit(url), "web.test", context).close()
            return
        except ssl.SSLError:
            assert time.monotonic() < deadline, "no certificate came"
            time.sleep(0.02)


@contextlib.contextmanager
def caddy_over_tls(
    tmp_path: Path, web_root: Path, protocols: str
) -> Iterator[tuple[str, ssl.SSLContext, Process]]:
    """A Caddy of this machine with a certificate of its own authority for web.test."""
    port = free_port()
    config = tmp_path / "Caddyfile"
    config.write_text(
        "{\n\tadmin off\n\tskip_install_trust\n\tauto_https disable_redirects\n"
        f"\tservers {{\n\t\tprotocols {protocols}\n\t}}\n}}\n"
        f"https://web.test:{port} {{\n\tbind 127.0.0.1\n\ttls internal\n"
        f"\troot * {web_root}\n\tfile_server\n}}\n"
    )
    home = {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    argv = [str(images.caddy_binary()), "run", "--config", str(config), "--adapter", "caddyfile"]
    with (tmp_path / "caddy.log").open("wb") as log:
        process = subprocess.Popen(argv, env={**os.environ, **home}, stderr=log)
        try:
            wait_for_listener(port)
            url = f"https://127.0.0.1:{port}"
            context = trusting(tmp_path / "caddy/pki/authorities/local/root.crt")
            wait_for_certificate(url, context)
            yield url, context, process
        finally:
            process.kill()
            process.wait()


def test_http2_loses_nothing_on_a_server_that_is_left_alone(tmp_path: Path, web_root: Path) -> None:
    with (
        caddy_over_tls(tmp_path, web_root, "h2") as (url, context, _),
        Http2Client(url, host="web.test", context=context) as load,
    ):
        run_until(load, 200)
        report = load.report()
    report.assert_nothing_lost(at_least=200)
    assert set(report.versions) == {"v1"}


def test_http2_counts_what_a_killed_server_lost(tmp_path: Path, web_root: Path) -> None:
    with (
        caddy_over_tls(tmp_path, web_root, "h2") as (url, context, process),
        Http2Client(url, host="web.test", context=context) as load,
    ):
        run_until(load, 50)
        process.kill()
        process.wait()
        time.sleep(0.3)
        report = load.report()
    assert report.lost > 0


def test_http2_does_not_fall_back_to_http1(tmp_path: Path, web_root: Path) -> None:
    with (
        caddy_over_tls(tmp_path, web_root, "h1") as (url, context, _),
        Http2Client(url, host="web.test", context=context, pause=0.01) as load,
    ):
        run_until(load, 5)
        report = load.report()
    assert report.lost == report.requests


def test_a_project_is_the_same_for_the_same_version_and_names_only_what_is_there(
    tmp_path: Path,
) -> None:
    one = write_project(tmp_path / "one", "v1")
    again = write_project(tmp_path / "again", "v1")
    other = write_project(tmp_path / "one", "v2")
    assert len(one.files) == len(other.files) == 50
    assert one.files == again.files
    assert one.index != other.index
    assert (version_of(one.index), version_of(other.index)) == ("v1", "v2")
    on_disk = {
        str(path.relative_to(other.folder / "dist")): path.read_bytes()
        for path in (other.folder / "dist").rglob("*")
        if path.is_file()
    }
    assert on_disk == dict(other.files), "a version leaves nothing of the one before"
