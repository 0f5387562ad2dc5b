"""The engine behind a socket of a test's own: it can go away, be slow, fall silent, break off.

with EngineDoor(folder / "engine.sock") as door:
    door.slow(1.5)                             # each answer comes so much later
    door.hang(r"POST .*/containers/create")    # from this request on no answer comes at all
    door.break_off(r"GET .*/archive", 4096)    # such an answer ends after so many bytes
    Bluegreen(folder, {"DOCKER_HOST": door.address})("release")
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Self

ENGINE = Path("/var/run/docker.sock")

_REQUEST = re.compile(rb"(GET|HEAD|POST|PUT|DELETE) (\S+) HTTP/1")


class EngineDoor(AbstractContextManager["EngineDoor"]):
    """A Unix socket that leads to the engine until `cut()`.

    What a test names is a pattern of "METHOD /path?query". Every request reaches the engine,
    whatever becomes of its answer: that is what makes a lost answer hard.
    """

    def __init__(self, path: Path, engine: Path = ENGINE) -> None:
        self.path = path
        self.asked: list[str] = []  # every request, as "METHOD /path?query"
        self._engine = engine
        self._open: set[socket.socket] = set()
        self._is_cut = False
        self._is_silent = False
        self._delay = 0.0
        self._hangs_at = ""
        self._breaks_off = ("", 0)
        self._listener = socket.socket(socket.AF_UNIX)

    @property
    def address(self) -> str:
        return f"unix://{self.path}"

    def slow(self, seconds: float) -> None:
        """Each answer comes so much later than the engine gives it."""
        self._delay = seconds

    def hang(self, what: str) -> None:
        """From the first request like `what` on nothing is answered, on any connection."""
        self._hangs_at = what

    def break_off(self, what: str, after: int) -> None:
        """The answer to each request like `what` ends after so many bytes, its head included."""
        self._breaks_off = (what, after)

    def __enter__(self) -> Self:
        self._listener.bind(str(self.path))
        self._listener.listen(64)
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.cut()

    def cut(self) -> None:
        """Every connection breaks, and no other is taken: the socket is gone."""
        self._is_cut = True
        self.path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for end in tuple(self._open):
            _break(end)

    def _serve(self) -> None:
        while not self._is_cut:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            engine = socket.socket(socket.AF_UNIX)
            self._open |= {client, engine}
            engine.connect(str(self._engine))
            passage = _Passage(self, client, engine)
            for direction in (passage.ask, passage.answer):
                threading.Thread(target=direction, daemon=True).start()

    def _heard(self, request: str) -> tuple[float, int | None]:
        """How late its answer comes, in seconds, and of how many bytes it is (None: whole)."""
        self.asked.append(request)
        if self._hangs_at and re.search(self._hangs_at, request):
            self._is_silent = True
        what, after = self._breaks_off
        return self._delay, after if what and re.search(what, request) else None


class _Passage:
    """One connection. A client of the engine sends its next request when it has the answer."""

    def __init__(self, door: EngineDoor, client: socket.socket, engine: socket.socket) -> None:
        self._door = door
        self._client = client
        self._engine = engine
        self._answering = True  # what the client says next may be a request
        self._not_before = 0.0
        self._left: int | None = None

    def ask(self) -> None:
        with contextlib.suppress(OSError):
            while data := self._client.recv(65536):
                request = _REQUEST.match(data) if self._answering else None
                if request is not None:
                    self._answering = False
                    delay, self._left = self._door._heard(b" ".join(request.groups()).decode())
                    self._not_before = time.monotonic() + delay
                self._engine.sendall(data)
        _end_of(self._engine)

    def answer(self) -> None:
        with contextlib.suppress(OSError):
            while data := self._engine.recv(65536):
                time.sleep(max(0.0, self._not_before - time.monotonic()))
                if self._door._is_silent:
                    continue
                self._answering = True
                if self._left is None:
                    self._client.sendall(data)
                    continue
                self._client.sendall(data[: self._left])
                self._left -= len(data)
                if self._left <= 0:
                    _break(self._client)
                    _break(self._engine)
        if not self._door._is_silent:
            _end_of(self._client)


def _end_of(end: socket.socket) -> None:
    """Nothing more is said here; the other direction may still be speaking."""
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_WR)


def _break(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
