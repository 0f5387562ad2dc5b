"""Caddy's admin API over its Unix socket.

The admin server is itself replaced by each load, which may cut a connection (EOF) whether
or not the request was applied. So: one connection a call, reads are retried, and after a
write whose answer was lost the configuration is read and compared.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpcore
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from bluegreen.errors import EdgeError, EdgeUnreachable
from bluegreen.knock import knock

_T = TypeVar("_T")
_OK, _PRECONDITION_FAILED = 200, 412
#: No answer: nobody there, cut off, or too slow.
_TRANSPORT = (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException)


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    etag: str
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Admin:
    """One edge's admin API. Raises EdgeError and EdgeUnreachable only."""

    def __init__(self, socket: Path, *, attempts: int = 4, timeout: float = 10.0) -> None:
        """`attempts`: of a read; `timeout`: seconds that one call may be silent."""
        self._socket = socket
        self._attempts = attempts
        self._timeout = timeout

    def config(self) -> dict[str, Any]:
        """The running configuration, as it was loaded."""
        config: dict[str, Any] = self._read("/config/").json() or {}
        return config

    def load(self, config: dict[str, Any]) -> None:
        """Replace the whole configuration; once this returns, Caddy serves it.

        A configuration that Caddy refuses changes nothing. EdgeError has Caddy's reason.
        """
        if not config.get("admin"):
            # An empty body is accepted and wipes everything; without its `admin` block a
            # configuration moves the admin API, even when it is refused.
            raise ValueError("a configuration without an admin block is never loaded")
        try:
            answer = self._call("POST", "/load", config)
        except httpcore.ConnectError as error:
            raise self._unreachable(error) from error
        except _TRANSPORT as error:
            if self.config() == config:
                return
            raise EdgeError(
                f"the edge did not take its new configuration: {_reason(error)}",
                hint="bluegreen edge status",
            ) from error
        if answer.status != _OK:
            raise EdgeError(f"Caddy refused the configuration: {_refusal(answer)}")

    def tagged(self, path: str) -> tuple[Any, str]:
        """What stands at `path` (`/id/<@id>/…` or `/config/…`), and its tag for `patch`."""
        answer = self._read(path)
        return answer.json(), answer.etag

    def patch(self, tag: str, value: list[Any] | dict[str, Any]) -> bool:
        """Replace what `tag` names, if it still is what the tag was given for.

        False when it is not (412): read again and decide. Caddy loads the whole
        configuration anew for it.
        """
        if not value:
            raise ValueError("an empty value is never sent: Caddy takes it for null")
        path = tag.strip('"').partition(" ")[0]
        try:
            answer = self._call("PATCH", path, value, {"If-Match": tag})
        except httpcore.ConnectError as error:
            raise self._unreachable(error) from error
        except _TRANSPORT:
            return bool(self.tagged(path)[0] == value)
        if answer.status == _PRECONDITION_FAILED:
            return False
        if answer.status != _OK:
            raise EdgeError(f"Caddy refused the change: {_refusal(answer)}")
        return True

    def in_flight(self, address: str) -> int:
        """Requests that the upstream dialled as `address` still serves: since Caddy 2.11.2 also
        when no configuration names it any more (caddy#7517).

        With `reload`, those of a release that is live for the second time count anew from 0.
        """
        rows = self._read("/reverse_proxy/upstreams").json() or []
        return sum(int(row["num_requests"]) for row in rows if row["address"] == address)

    def root_certificate(self) -> str:
        """The root of the edge's own authority (tls = "internal"), in PEM."""
        return str(self._read("/pki/ca/local").json()["root_certificate"])

    def _read(self, path: str) -> _Answer:
        answer = self._retried(lambda: self._call("GET", path))
        if answer.status != _OK:
            raise EdgeError(f"the edge's admin API refused {path}: {_refusal(answer)}")
        return answer

    def _retried(self, call: Callable[[], _T]) -> _T:
        retrying = Retrying(
            retry=retry_if_exception_type(_TRANSPORT),
            stop=stop_after_attempt(self._attempts),
            wait=wait_random_exponential(multiplier=0.05, max=1.0),
            reraise=True,
        )
        try:
            return retrying(call)
        except _TRANSPORT as error:
            raise self._unreachable(error) from error

    def _call(
        self, method: str, path: str, value: Any = None, headers: dict[str, str] | None = None
    ) -> _Answer:
        try:
            knock(self._socket, self._timeout)
        except OSError as error:
            raise httpcore.ConnectError(error.strerror or str(error)) from error
        told = [("Connection", "close"), *(headers or {}).items()]
        if value is not None:
            told.append(("Content-Type", "application/json"))
        silent = dict.fromkeys(("connect", "read", "write", "pool"), self._timeout)
        with httpcore.ConnectionPool(uds=str(self._socket)) as pool:
            answer = pool.request(
                method,
                f"http://edge{path}",
                headers=told,
                content=None if value is None else json.dumps(value).encode(),
                extensions={"timeout": silent},
            )
        found = {name.lower(): text.decode("latin-1") for name, text in answer.headers}
        return _Answer(answer.status, found.get(b"etag", ""), answer.content)

    def _unreachable(self, error: Exception) -> EdgeUnreachable:
        return EdgeUnreachable(
            f"the edge's admin API does not answer on {self._socket}: {_reason(error)}",
            hint="bluegreen edge status",
        )


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


def _refusal(answer: _Answer) -> str:
    try:
        return str(answer.json()["error"])
    except (ValueError, KeyError, TypeError):
        return f"status {answer.status}"
