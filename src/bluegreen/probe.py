"""HTTP checks with deadlines: one GET, one `Exchange`.

No answer is never an exception here: what went wrong stands in `Exchange.error`, because
a probe that fails is evidence and not a defect.

This speaks through httpx's own lower half, httpcore, for its network backend: httpx's
timeouts are per read, so a server that drips a byte now and then would hold a probe for ever.
"""

from __future__ import annotations

import hashlib
import ssl
import threading
import time
import weakref
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpcore

from bluegreen.lib.unix_socket import knock
from bluegreen.model import MAX_BODY, Exchange

HEAD_CHARACTERS = 300
#: They may hold secrets, and an exchange is kept as evidence.
_NEVER_KEPT = frozenset({b"set-cookie", b"www-authenticate"})
_PRINTABLE = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"


class Client:
    """Connections to one listener, kept for the next probe. Safe from several threads."""

    def __init__(
        self,
        origin: str,
        *,
        via: str,
        uds: Path | None = None,
        tls: ssl.SSLContext | None = None,
        sni: str = "",
        edge_error_header: str = "",
    ) -> None:
        """`origin` is scheme://host:port; over `uds` only its scheme counts.

        `edge_error_header`: a header in which the edge itself says why there is no answer.
        Proxies of the environment are never used: they would answer in the edge's place.
        """
        self._via = via
        self._origin = origin
        self._sni = {"sni_hostname": sni} if sni else {}
        self._edge_error_header = edge_error_header.lower().encode()
        self._clock = _Deadline()
        self._pool = httpcore.ConnectionPool(
            ssl_context=tls,
            uds=str(uds) if uds else None,
            max_connections=32,
            keepalive_expiry=4.0,
            network_backend=_Backend(self._clock),
        )
        # Whoever holds a client is not held to close it: its connections go with it.
        self._finalizer = weakref.finalize(self, self._pool.close)

    def ask(
        self,
        path: str,
        *,
        host: str,
        timeout: float,
        headers: Mapping[str, str] | None = None,
        max_body: int = MAX_BODY,
        keep_body: bool = False,
    ) -> Exchange:
        """One GET of `path` (percent-encoded, with its query); redirects are not followed.

        `timeout`: seconds for the whole exchange; `max_body`: bytes. `headers` go over ours,
        so that an Accept-Encoding in them is what is asked for; bodies are never decoded.
        """
        started = time.monotonic()
        self._clock.set(started + timeout)
        seen = _Seen(keep_body=keep_body)
        try:
            self._get(path, host, headers or {}, max_body, seen)
        except _TooBig:
            seen.error = f"{seen.so_far}a body of more than {max_body} bytes"
        except httpcore.TimeoutException:
            seen.error = f"{seen.so_far}no whole answer within {timeout:g} s"
        except (httpcore.NetworkError, httpcore.ProtocolError, ssl.SSLError, OSError) as error:
            seen.error = f"{seen.so_far}{_reason(error)}"
        return Exchange(
            via=self._via,
            url=self._origin + path,
            host=host,
            status=0 if seen.broken else seen.status,
            media_type=seen.media_type,
            location=seen.location,
            seconds=round(time.monotonic() - started, 4),
            size=seen.size,
            sha256=seen.digest.hexdigest() if seen.whole else "",
            head=seen.head.decode("utf-8", "replace")[:HEAD_CHARACTERS],
            error=seen.error,
            last_modified=seen.last_modified,
            headers=seen.headers,
            body=bytes(seen.body),
        )

    def _get(
        self, path: str, host: str, headers: Mapping[str, str], max_body: int, seen: _Seen
    ) -> None:
        asked = {"Host": host, "Accept-Encoding": "identity", "User-Agent": "bluegreen", **headers}
        # Printable ASCII stays as it is given; what a request line cannot carry is encoded.
        target = self._origin + quote(path, safe=_PRINTABLE)
        with self._pool.stream(
            "GET", target, headers=list(asked.items()), extensions=dict(self._sni)
        ) as response:
            seen.take_headers(response.status, response.headers, self._edge_error_header)
            for chunk in response.iter_stream():
                seen.take(chunk, max_body)
        seen.whole = True

    def close(self) -> None:
        self._finalizer()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class _TooBig(Exception):
    pass


class _Seen:
    """What has come of an answer so far."""

    def __init__(self, *, keep_body: bool) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = bytearray()
        self._keep_body = keep_body
        self.media_type = self.location = self.last_modified = self.error = ""
        self.size = 0
        self.head = b""
        self.digest = hashlib.sha256()
        self.whole = False

    @property
    def broken(self) -> bool:
        return not self.whole

    @property
    def so_far(self) -> str:
        return f"status {self.status}, then " if self.status else ""

    def take_headers(
        self, status: int, headers: Iterable[tuple[bytes, bytes]], edge_error_header: bytes
    ) -> None:
        named: dict[bytes, str] = {}
        for field, content in headers:
            name, value = field.lower(), content.decode("latin-1")
            # Several of a name are one list (RFC 9110, 5.3): a second policy counts too.
            named[name] = f"{named[name]}, {value}" if name in named else value
        self.status = status
        self.headers = {
            name.decode("latin-1"): value
            for name, value in named.items()
            if name not in _NEVER_KEPT
        }
        self.media_type = named.get(b"content-type", "").partition(";")[0].strip().lower()
        self.location = named.get(b"location", "")
        self.last_modified = named.get(b"last-modified", "")
        if edge_error_header:
            self.error = named.get(edge_error_header, "")

    def take(self, chunk: bytes, max_body: int) -> None:
        self.size += len(chunk)
        if self.size > max_body:
            raise _TooBig
        self.digest.update(chunk)
        if self._keep_body:
            self.body += chunk
        if len(self.head) < 4 * HEAD_CHARACTERS:  # UTF-8 needs up to four bytes a character
            self.head += chunk[: 4 * HEAD_CHARACTERS]


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__


class _Deadline(threading.local):
    """When the exchange that this thread runs must be over; a connection serves many."""

    at = float("inf")

    def set(self, at: float) -> None:
        self.at = at

    def left(self, timeout: float | None) -> float:
        left = self.at - time.monotonic()
        return max(0.0, left if timeout is None else min(left, timeout))


class _Backend(httpcore.SyncBackend):
    """Sockets on which every act ends at the deadline of the whole exchange."""

    def __init__(self, clock: _Deadline) -> None:
        self._clock = clock

    def connect_tcp(self, *args: Any, **kwargs: Any) -> httpcore.NetworkStream:
        kwargs["timeout"] = self._some(kwargs.get("timeout"))
        return _Stream(super().connect_tcp(*args, **kwargs), self._clock)

    def connect_unix_socket(self, path: str, *args: Any, **kwargs: Any) -> httpcore.NetworkStream:
        kwargs["timeout"] = self._some(kwargs.get("timeout"))
        try:
            knock(Path(path), kwargs["timeout"])
        except OSError as error:
            raise httpcore.ConnectError(f"{path}: {error.strerror or error}") from error
        return _Stream(super().connect_unix_socket(path, *args, **kwargs), self._clock)

    def _some(self, timeout: float | None) -> float:
        left = self._clock.left(timeout)
        if not left:
            raise httpcore.ConnectTimeout("the deadline has passed")
        return left


@dataclass(frozen=True, slots=True)
class _Stream(httpcore.NetworkStream):
    inner: httpcore.NetworkStream
    clock: _Deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        left = self.clock.left(timeout)
        if not left:
            raise httpcore.ReadTimeout("the deadline has passed")
        return self.inner.read(max_bytes, left)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        left = self.clock.left(timeout)
        if not left:
            raise httpcore.WriteTimeout("the deadline has passed")
        self.inner.write(buffer, left)

    def close(self) -> None:
        self.inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        left = self.clock.left(timeout)
        if not left:
            raise httpcore.ConnectTimeout("the deadline has passed")
        return _Stream(self.inner.start_tls(ssl_context, server_hostname, left), self.clock)

    def get_extra_info(self, info: str) -> Any:
        return self.inner.get_extra_info(info)
