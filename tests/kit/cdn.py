"""A CDN in small: a proxy on loopback, before an edge, that keeps and changes what it is told to.

    with Cdn(host.url, site.hostname, kept={"/"}) as cdn:
        cdn.url                  # http://127.0.0.1:…
        cdn.get("/")             # kept from now on, whatever its headers say
        cdn.purge()

A kept answer comes with `Age` and `X-Cache: HIT`. `change` gets each path and reply, and gives
the reply that users get.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import closing
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from kit.load.clients import connect

#: Of one connection, or made anew for the next.
_NOT_HANDED_ON = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}
)
_TIMEOUT = 10.0  # seconds


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: Mapping[str, str]  # lower-case; without a length it is the body's
    body: bytes


Change = Callable[[str, Reply], Reply]


class Cdn:
    def __init__(
        self,
        edge: str,
        host: str,
        *,
        kept: Collection[str] = (),
        change: Change | None = None,
    ) -> None:
        """`edge`: its public URL; `host`: the Host header; `kept`: paths answered only once by
        the edge."""
        self._edge = urlsplit(edge)
        self._host = host
        self._keeps = frozenset(kept)
        self._change = change
        self._kept: dict[tuple[str, str], tuple[Reply, float]] = {}
        handler = type("Handler", (_Handler,), {"cdn": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def get(self, path: str) -> Reply:
        """As a user asks."""
        with closing(connect(urlsplit(self.url), "")) as user:
            return _ask(user, path, {"Accept-Encoding": "identity"})

    def purge(self) -> None:
        self._kept.clear()

    def reply(self, path: str, encoding: str) -> Reply:
        key = (path, encoding)
        if key in self._kept:
            reply, since = self._kept[key]
            told = {"x-cache": "HIT", "age": str(int(time.monotonic() - since))}
        else:
            with closing(connect(self._edge, self._host)) as edge:
                reply = _ask(edge, path, {"Host": self._host, "Accept-Encoding": encoding})
            told = {"x-cache": "MISS"}
            if path in self._keeps:
                self._kept[key] = (reply, time.monotonic())
        reply = Reply(reply.status, {**reply.headers, **told}, reply.body)
        return self._change(path, reply) if self._change else reply

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


class _Handler(BaseHTTPRequestHandler):
    cdn: Cdn
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        reply = self.cdn.reply(self.path, self.headers.get("Accept-Encoding", "identity"))
        self.send_response(reply.status)
        headers = {"content-length": str(len(reply.body)), **reply.headers}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)

    def log_message(self, *_: Any) -> None:
        """Not on the test's output."""


def _ask(connection: http.client.HTTPConnection, path: str, headers: Mapping[str, str]) -> Reply:
    connection.timeout = _TIMEOUT
    connection.request("GET", path, headers=dict(headers))
    came = connection.getresponse()
    sent = {name.lower(): value for name, value in came.getheaders()}
    kept = {name: value for name, value in sent.items() if name not in _NOT_HANDED_ON}
    return Reply(came.status, kept, came.read())
