"""Long exchanges that run across a switch, and tell whether and when they were cut.

    with SlowDownload(url, seconds=5) as download:
        ...                                  # a release
        download.report().assert_whole()     # waits for its end

Each has begun, with its first bytes received, before the block is entered. `running` after
the release shows that it did run across it. They ask the paths of `kit/site/server.py`.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import ssl
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import SplitResult, urlsplit

from kit.load.clients import LIMIT, PATIENCE, connect

MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamReport:
    kind: str
    whole: bool  # ended as it should, with everything that was to come
    reason: str  # why it is not whole
    received: int  # bytes, events or echoes
    seconds: float  # from the request to the end or the cut
    version: str = ""  # the release that served it

    def assert_whole(self) -> None:
        assert self.whole, (
            f"the {self.kind} was cut after {self.seconds:.1f} s"
            f" and {self.received} received: {self.reason}"
        )


class Cut(Exception):
    """The exchange ended before it should have."""


class Stream(AbstractContextManager["Stream"], ABC):
    kind = "stream"

    def __init__(
        self,
        url: str,
        *,
        host: str = "",
        seconds: float = 10.0,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self.url: SplitResult = urlsplit(url)
        self.host = host
        self.length = seconds
        self.context = context
        self.received = 0
        self.version = ""
        self._started = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._began = self._ended = 0.0
        self._reason = "it never ended"

    @abstractmethod
    def _run(self) -> None:
        """To the end. Raises Cut, OSError or HTTPException where it does not come."""

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        self._thread.start()
        deadline = self._began + PATIENCE
        while not self._started.wait(0.02):
            if not self.running or time.monotonic() > deadline:
                raise Cut(f"the {self.kind} did not begin: {self._reason}")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join(self.length + PATIENCE)

    def report(self) -> StreamReport:
        """Wait for its end, and say how it came."""
        self._thread.join(self.length + PATIENCE)
        return StreamReport(
            kind=self.kind,
            whole=not self._reason,
            reason=self._reason,
            received=self.received,
            seconds=(self._ended or time.monotonic()) - self._began,
            version=self.version,
        )

    def _work(self) -> None:
        try:
            self._run()
            self._reason = ""
        except (Cut, OSError, http.client.HTTPException) as error:
            self._reason = f"{type(error).__name__}: {error}"
        finally:
            self._ended = time.monotonic()

    @contextmanager
    def _open(self, path: str) -> Iterator[http.client.HTTPResponse]:
        with closing(connect(self.url, self.host, self.context)) as connection:
            connection.request("GET", path, headers={"Host": self.host or self.url.netloc})
            with connection.getresponse() as response:
                if response.status != 200:
                    raise Cut(f"answered with status {response.status}")
                self.version = response.getheader("X-Kit-Version") or ""
                yield response

    def _begun(self) -> None:
        self._started.set()

    def _leave(self) -> None:
        """Raise when the block is left early: nobody waits for the rest."""
        if self._stop.is_set():
            raise Cut("left before its end")


class SlowDownload(Stream):
    """`size` bytes that take `seconds`."""

    kind = "download"

    def __init__(self, url: str, *, size: int = 20 * MEGABYTE, **rest: Any) -> None:
        super().__init__(url, **rest)
        self.size = size

    def _run(self) -> None:
        with self._open(f"/slow?bytes={self.size}&seconds={self.length}") as response:
            while piece := response.read1(65536):
                self.received += len(piece)
                self._begun()
                self._leave()
        if self.received != self.size:
            raise Cut(f"{self.received} of {self.size} bytes came")


class EventStream(Stream):
    """Server-sent events, numbered; none may be missing, and the last says `end`."""

    kind = "event stream"

    def _run(self) -> None:
        with self._open(f"/events?seconds={self.length}") as response:
            name = ""
            while line := response.readline():
                text = line.decode().rstrip("\n")
                if text.startswith("event: "):
                    name = text.removeprefix("event: ")
                elif text.startswith("data: ") and name == "end":
                    response.read()  # the whole chunked body must end as it should
                    return
                elif text.startswith("data: "):
                    self._take(json.loads(text.removeprefix("data: ")))
                    self._leave()
        raise Cut("no last event came")

    def _take(self, event: dict[str, Any]) -> None:
        if event["number"] != self.received:
            raise Cut(f"event {event['number']} came in place of {self.received}")
        self.received += 1
        self._begun()


class WebSocketSession(Stream):
    """A message each 100 ms, each echoed, until its report is asked for.

    It is whole when it is this side that closed it and the server answered the close.
    """

    kind = "websocket"

    def __init__(self, url: str, *, seconds: float = LIMIT, **rest: Any) -> None:
        super().__init__(url, seconds=seconds, **rest)

    def report(self) -> StreamReport:
        self._stop.set()
        return super().report()

    def _run(self) -> None:
        asyncio.run(self._talk())

    async def _talk(self) -> None:
        """On one thread: the blocking client reads and writes one TLS connection from two, which
        OpenSSL does not allow and Python 3.11 does not prevent (python/cpython#124984)."""
        from websockets.asyncio.client import connect as open_session
        from websockets.exceptions import WebSocketException

        secure = self.url.scheme == "https"
        port = self.url.port or (443 if secure else 80)
        name = f"{self.host}:{port}" if self.host else self.url.netloc
        plain = socket.create_connection((self.url.hostname, port), PATIENCE)
        try:
            async with open_session(
                f"{'wss' if secure else 'ws'}://{name}/ws",
                sock=plain,
                ssl=self.context if secure else None,
                open_timeout=PATIENCE,
                close_timeout=PATIENCE,
                ping_interval=None,
                proxy=None,
            ) as session:
                while not self._stop.is_set():
                    if time.monotonic() - self._began > self.length:
                        raise Cut("nobody asked for its report in time")
                    message = f"message {self.received}"
                    await session.send(message)
                    if await asyncio.wait_for(session.recv(), PATIENCE) != message:
                        raise Cut("another message came back")
                    self.received += 1
                    self._begun()
                    await asyncio.sleep(0.1)
            if session.close_code != 1000:
                raise Cut(f"closed with {session.close_code}")
        except (WebSocketException, TimeoutError) as error:
            raise Cut(f"{type(error).__name__}: {error}") from error
        finally:
            plain.close()
