"""Caddy's admin API over its Unix socket.

The admin server is itself replaced by each load, which may cut a connection (EOF) whether
or not the request was applied. So: one connection a call, reads are retried, and after a
write whose answer was lost the configuration is read and compared.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from bluegreen.errors import EdgeError, EdgeUnreachable
from bluegreen.lib.unix_socket import knock

_T = TypeVar("_T")
#: Seconds in which the engine has an edge that died running again (its restart policy).
COMES_BACK = 5.0
_HEADERS = {"Connection": "close"}


class Admin:
    """One edge's admin API. Raises EdgeError and EdgeUnreachable only."""

    def __init__(
        self, socket: Path, *, patience: float = COMES_BACK, timeout: float = 10.0
    ) -> None:
        """`patience`: seconds in which a read is asked again; 0 = once. `timeout`: seconds that
        one call may be silent."""
        self._socket = socket
        self._patience = patience
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
            answer = self._call("POST", "/load", json=config)
        except httpx.ConnectError as error:
            raise self._unreachable(error) from error
        except httpx.TransportError as error:
            if self.config() == config:
                return
            raise EdgeError(
                f"the edge did not take its new configuration: {_reason(error)}",
                hint="bluegreen edge status",
            ) from error
        if answer.status_code != httpx.codes.OK:
            raise EdgeError(f"Caddy refused the configuration: {_refusal(answer)}")

    def tagged(self, path: str) -> tuple[Any, str]:
        """What stands at `path` (`/id/<@id>/…` or `/config/…`), and its tag for `patch`."""
        answer = self._read(path)
        return answer.json(), answer.headers.get("Etag", "")

    def patch(self, tag: str, value: list[Any] | dict[str, Any]) -> bool:
        """Replace what `tag` names, if it still is what the tag was given for.

        False when it is not (412): read again and decide. Caddy loads the whole
        configuration anew for it.
        """
        if not value:
            raise ValueError("an empty value is never sent: Caddy takes it for null")
        path = tag.strip('"').partition(" ")[0]
        try:
            answer = self._call("PATCH", path, json=value, headers={"If-Match": tag})
        except httpx.ConnectError as error:
            raise self._unreachable(error) from error
        except httpx.TransportError:
            return bool(self.tagged(path)[0] == value)
        if answer.status_code == httpx.codes.PRECONDITION_FAILED:
            return False
        if answer.status_code != httpx.codes.OK:
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

    def _read(self, path: str) -> httpx.Response:
        answer = self._retried(lambda: self._call("GET", path))
        if answer.status_code != httpx.codes.OK:
            raise EdgeError(f"the edge's admin API refused {path}: {_refusal(answer)}")
        return answer

    def _retried(self, call: Callable[[], _T]) -> _T:
        retrying = Retrying(
            retry=retry_if_exception_type(httpx.TransportError),
            stop=stop_after_delay(self._patience),
            wait=wait_random_exponential(multiplier=0.05, max=0.5),
            reraise=True,
        )
        try:
            return retrying(call)
        except httpx.TransportError as error:
            raise self._unreachable(error) from error

    def _call(
        self, method: str, path: str, *, json: Any = None, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        try:
            knock(self._socket, self._timeout)
        except OSError as error:
            raise httpx.ConnectError(error.strerror or str(error)) from error
        # verify=False: plain HTTP on a socket; building a context with all roots takes 30 ms.
        transport = httpx.HTTPTransport(uds=str(self._socket), verify=False, trust_env=False)
        with httpx.Client(transport=transport, trust_env=False, timeout=self._timeout) as client:
            return client.request(
                method, f"http://edge{path}", json=json, headers=_HEADERS | (headers or {})
            )

    def _unreachable(self, error: httpx.TransportError) -> EdgeUnreachable:
        return EdgeUnreachable(
            f"the edge's admin API does not answer on {self._socket}: {_reason(error)}",
            hint="bluegreen edge status",
        )


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


def _refusal(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["error"])
    except (ValueError, KeyError, TypeError):
        return f"status {answer.status_code}"
