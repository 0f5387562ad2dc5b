"""Load clients that never retry, and count exactly what was lost.

    with NoRetryClient(url, host="web.test") as load:
        ...                       # a release
    load.report().assert_nothing_lost()

A client runs from entering the block until `report()` or its end. One that stopped by
itself before, at its `limit`, says so instead of calling a part of the story the whole.
Addresses are loopback; `host` is what the request asks for.
"""

from __future__ import annotations

import http.client
import itertools
import socket
import ssl
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import SplitResult, urlsplit

from kit.site.projects import version_of

LIMIT = 180.0  # seconds after which a forgotten client stops
PATIENCE = 30.0  # seconds for one answer


@dataclass(frozen=True, slots=True)
class Failure:
    at: float  # seconds after the client began
    reason: str
    took: float = 0.0  # seconds that the request had been under way

    @property
    def asked(self) -> float:
        """When it was sent, in seconds after the client began."""
        return self.at - self.took

    def __str__(self) -> str:
        return f"{self.at:.3f} s: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadReport:
    requests: int  # sent, or tried
    failures: tuple[Failure, ...]  # one each: no answer, a broken one, or the wrong status
    statuses: Mapping[int, int]
    versions: Mapping[str, int]  # what the answers named; "" where they named none
    seconds: float
    ran_out: bool = False  # stopped by its limit: what came later was not under load
    lost: int = 0
    details: Mapping[str, int] = field(default_factory=dict)

    def assert_nothing_lost(self, at_least: int = 1) -> None:
        assert not self.ran_out, f"the load ended by itself after {self.seconds:.0f} s"
        first = "\n  ".join(str(failure) for failure in self.failures[:10])
        assert self.lost == 0, (
            f"{self.lost} of {self.requests} requests lost, statuses {dict(self.statuses)},"
            f" {dict(self.details)}:\n  {first}"
        )
        assert self.requests >= at_least, f"only {self.requests} requests were sent"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    version: str


#: What it means to get no whole answer.
LOSSES = (OSError, http.client.HTTPException)
#: Asks once for a path. Raises one of `LOSSES` when no whole answer came.
Ask = Callable[[str], Answer]
#: Says what is wrong with an answer; "" when nothing is.
Check = Callable[[Answer], str]


def answered_2xx(answer: Answer) -> str:
    return "" if 200 <= answer.status < 300 else f"status {answer.status}"


class Client(AbstractContextManager["Client"], ABC):
    """Threads that ask, each with a requester of its own."""

    def __init__(
        self,
        url: str,
        *,
        host: str = "",
        paths: Sequence[str] = ("/",),
        threads: int = 4,
        pause: float = 0.0,
        check: Check = answered_2xx,
        limit: float = LIMIT,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self.url: SplitResult = urlsplit(url)
        self.host = host
        self.paths = tuple(paths)
        self.pause = pause
        self.check = check
        self.limit = limit
        self.context = context
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._work, args=(number,), daemon=True)
            for number in range(threads)
        ]
        self._requests = 0
        self._failures: list[Failure] = []
        self._statuses: Counter[int] = Counter()
        self._versions: Counter[str] = Counter()
        self._began = self._ended = 0.0
        self._ran_out = False

    @abstractmethod
    def asking(self) -> AbstractContextManager[Ask]:
        """What one thread asks with."""

    @property
    def sent(self) -> int:
        """Requests so far."""
        return self._requests

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._began

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._finish()

    def wait_for(self, requests: int) -> None:
        """Until it has sent so many: a machine may be slow, and the trouble over soon."""
        while self._requests < requests and not self._ran_out and not self._stop.wait(0.01):
            pass

    def report(self) -> LoadReport:
        """Stop, and say what came of it."""
        self._finish()
        return self.so_far()

    def so_far(self) -> LoadReport:
        """What has come of it, without stopping."""
        with self._lock:
            return LoadReport(
                requests=self._requests,
                failures=tuple(sorted(self._failures, key=lambda failure: failure.at)),
                statuses=dict(self._statuses),
                versions=dict(self._versions),
                seconds=(self._ended or time.monotonic()) - self._began,
                ran_out=self._ran_out,
                lost=len(self._failures),
            )

    def _finish(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(PATIENCE + 10)
            if thread.is_alive():
                raise TimeoutError("a request has hung beyond its own deadline")
        self._ended = self._ended or time.monotonic()

    def _work(self, number: int) -> None:
        with self.asking() as ask:
            for turn in itertools.count(number):
                if self._stop.is_set():
                    return
                if self.elapsed > self.limit:
                    self._ran_out = True
                    return
                path = self.paths[turn % len(self.paths)]
                answer, asked = None, self.elapsed
                try:
                    answer = ask(path)
                    wrong = self.check(answer)
                except LOSSES as error:
                    wrong = f"{type(error).__name__}: {error}"
                self._count(answer, wrong and f"{path}: {wrong}", asked)
                if self.pause:
                    self._stop.wait(self.pause)

    def _count(self, answer: Answer | None, reason: str, asked: float) -> None:
        with self._lock:
            self._requests += 1
            if answer is not None:
                self._statuses[answer.status] += 1
                self._versions[answer.version] += 1
            if reason:
                now = self.elapsed
                self._failures.append(Failure(now, reason, now - asked))


class NoRetryClient(Client):
    """HTTP/1.1, with a new connection for every request or one kept alive a thread.

    `body` makes it a POST; the default check of a POST wants the same bytes back.
    """

    def __init__(
        self, url: str, *, keep_alive: bool = False, body: bytes | None = None, **rest: Any
    ) -> None:
        if body is not None:
            rest.setdefault("check", lambda answer: _echoed(answer, body))
        super().__init__(url, **rest)
        self.keep_alive = keep_alive
        self.body = body

    @contextmanager
    def asking(self) -> Iterator[Ask]:
        connection: http.client.HTTPConnection | None = None

        def ask(path: str) -> Answer:
            nonlocal connection
            used, connection = connection or connect(self.url, self.host, self.context), None
            try:
                answer, reusable = self._exchange(used, path)
            except BaseException:
                used.close()
                raise
            if reusable:
                connection = used
            else:
                used.close()
            return answer

        yield ask
        if connection:
            connection.close()

    def _exchange(self, connection: http.client.HTTPConnection, path: str) -> tuple[Answer, bool]:
        headers = {"Host": self.host or self.url.netloc}
        if not self.keep_alive:
            headers["Connection"] = "close"
        connection.request("GET" if self.body is None else "POST", path, self.body, headers)
        response = connection.getresponse()
        body = response.read()
        version = response.getheader("X-Kit-Version") or version_of(body)
        return Answer(response.status, body, version), self.keep_alive and not response.will_close


def trusting(*authorities: Path) -> ssl.SSLContext:
    """A context that trusts these certificate authorities and no others."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for authority in authorities:
        context.load_verify_locations(authority)
    return context


def connect(
    url: SplitResult, host: str = "", context: ssl.SSLContext | None = None
) -> http.client.HTTPConnection:
    """A connection to the address in `url` that asks for `host`, also in its TLS handshake."""
    port = url.port or (443 if url.scheme == "https" else 80)
    address = url.hostname or "127.0.0.1"
    plain = socket.create_connection((address, port), PATIENCE)
    connection = http.client.HTTPConnection(address, port, timeout=PATIENCE)
    connection.sock = plain
    if url.scheme == "https":
        try:
            connection.sock = (context or ssl.create_default_context()).wrap_socket(
                plain, server_hostname=host or address
            )
        except BaseException:
            plain.close()
            raise
    return connection


def _echoed(answer: Answer, body: bytes) -> str:
    return answered_2xx(answer) or ("" if answer.body == body else "another body came back")
