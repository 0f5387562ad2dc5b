"""One site on the running edge: what a release acts through (`ports.Edge`)."""

from __future__ import annotations

import secrets
import ssl
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path

from bluegreen import probe
from bluegreen.edge.caddy.admin import COMES_BACK, Admin
from bluegreen.edge.caddy.config import LOCALHOST
from bluegreen.edge.caddy.switches import Switch
from bluegreen.edge.registry import Stored
from bluegreen.errors import EdgeError, EdgeUnreachable
from bluegreen.lib import poll
from bluegreen.lib.unix_socket import knock
from bluegreen.model import MAX_BODY, Exchange, Upstream
from bluegreen.settings import Listen
from bluegreen.state import durable
from bluegreen.state.folder import NONCE, State

#: What the preview listener is told by; see caddy/edge.json.
_ASK = "Bluegreen-Ask"
_DIAL = "Bluegreen-Dial"
_PROTO = "Bluegreen-Proto"
_ERROR = "Bluegreen-Error"
_READ_TIMEOUT = 5.0  # seconds
_INTERVAL = 0.1  # seconds
_MOUNT_ANEW = "bluegreen edge up --recreate"


class Listeners:
    """The edge's preview and public listeners, as the host reaches them."""

    def __init__(self, state: State, stored: Stored, admin: Admin) -> None:
        self._state = state
        self._stored = stored
        self._admin = admin

    @cached_property
    def preview(self) -> probe.Client:
        return probe.Client(
            "http://preview",
            via="preview",
            uds=self._state.preview_socket,
            edge_error_header=_ERROR,
        )

    def through_preview(self, ask: Callable[[], Exchange]) -> Exchange:
        """What a container answers through it. Raises EdgeUnreachable where it is the edge that
        is gone: that says nothing of the container."""
        for _ in poll.ticks(COMES_BACK, _INTERVAL):
            answer = ask()
            if answer.status or self._takes_connections():
                return answer
        raise _unreachable(answer)

    def _takes_connections(self) -> bool:
        try:
            knock(self._state.preview_socket, _READ_TIMEOUT)
        except OSError:
            return False
        return True

    def public(self, host: str) -> probe.Client:
        """Its connections are for `host`: over TLS the name is said once a connection."""
        return probe.Client(
            self.origin, via="public", tls=self._trust() if self.secure else None, sni=host
        )

    @property
    def secure(self) -> bool:
        return self._stored.edge.tls != "off"

    @property
    def origin(self) -> str:
        """Where the host reaches the public listener: scheme://address:port."""
        return url_of(public_entry(self._stored))

    def read_shared(self, path: str, *, store: bool = False) -> str:
        """A file below sites/ or store/ as the edge sees it. EdgeError where it sees none,
        EdgeUnreachable where it does not answer."""
        for _ in poll.ticks(COMES_BACK, _INTERVAL):
            answer = self.preview.ask(
                f"/{path}",
                host=LOCALHOST,
                timeout=_READ_TIMEOUT,
                headers={_ASK: "store" if store else "pointers"},
            )
            if answer.status:
                break
        else:
            raise _unreachable(answer)
        if answer.status != 200:
            raise EdgeError(
                f"the edge does not see {self._shared(store) / path}:"
                f" {answer.error or f'status {answer.status}'}",
                hint=_MOUNT_ANEW,
            )
        return answer.head.removesuffix("\n")

    def _shared(self, store: bool) -> Path:
        return self._state.store if store else self._state.sites

    def check_mount(self, folder: str = ".", *, site: str = "", store: bool = False) -> None:
        """The edge sees what is written into this folder below sites/, or below store/.

        A nonce is read back through it: a mount that was replaced or shadowed shows.
        """
        nonce = secrets.token_hex(16)
        # A name of its own: another site's command may be at the same.
        path = self._shared(store) / folder / f"{NONCE}{site}-{nonce[:8]}"
        try:
            durable.write(path, nonce.encode(), 0o644)
            seen = self.read_shared(f"{folder}/{path.name}", store=store)
        finally:
            durable.remove(path)
        if seen != nonce:
            raise EdgeError(
                f"the edge reads another folder than {self._shared(store)}: its mount was replaced",
                hint=_MOUNT_ANEW,
            )

    def _trust(self) -> ssl.SSLContext:
        if self._stored.edge.tls == "internal":
            return ssl.create_default_context(cadata=self._admin.root_certificate())
        # The edge is asked by its address on this host: what is proven here are its bytes.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context


def _unreachable(answer: Exchange) -> EdgeUnreachable:
    return EdgeUnreachable(
        f"the edge does not answer: {answer.error}",
        hint="bluegreen edge status; if it does not run: bluegreen edge up",
    )


def public_entry(stored: Stored) -> Listen:
    """The first address that users' requests reach, not the one that leads them to TLS."""
    wanted = "http" if stored.edge.tls == "off" else "https"
    return next(entry for entry in stored.edge.listen if entry.scheme == wanted)


def reachable(entry: Listen) -> str:
    """The address to ask; one that stands for every interface is asked on loopback."""
    every = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}
    return every.get(entry.host_ip, entry.host_ip)


def url_of(entry: Listen) -> str:
    host = reachable(entry)
    return f"{entry.scheme}://{f'[{host}]' if ':' in host else host}:{entry.port}"


class SiteEdge:
    """Implements `ports.Edge`."""

    def __init__(
        self, *, kind: str, switch: Switch, admin: Admin, listeners: Listeners, host: str
    ) -> None:
        """`host`: what users ask for; "" where the site answers to any."""
        self.switch_kind = kind
        self._switch = switch
        self._admin = admin
        self._listeners = listeners
        self._host = host or LOCALHOST

    def live(self) -> Upstream | None:
        return self._switch.live()

    def prepare(self, new: Upstream | None, old: Upstream | None) -> None:
        self._switch.prepare(new, old)

    def switch(self, to: Upstream | None) -> None:
        self._switch.switch(to)

    def tidy(self) -> None:
        self._switch.tidy()

    def in_flight(self, upstream: Upstream) -> int:
        return self._admin.in_flight(str(upstream))

    def preview(
        self,
        upstream: Upstream,
        path: str,
        *,
        timeout: float,
        headers: Mapping[str, str] | None = None,
        keep_body: bool = False,
        max_body: int = MAX_BODY,
    ) -> Exchange:
        told = {_DIAL: str(upstream), _PROTO: "https" if self._listeners.secure else "http"}
        return self._listeners.through_preview(
            lambda: self._listeners.preview.ask(
                path,
                host=self._host,
                timeout=timeout,
                headers={**(headers or {}), **told},
                keep_body=keep_body,
                max_body=max_body,
            )
        )

    def public(
        self,
        path: str,
        *,
        timeout: float,
        headers: Mapping[str, str] | None = None,
        keep_body: bool = False,
        max_body: int = MAX_BODY,
    ) -> Exchange:
        return self._public.ask(
            path,
            host=self._host,
            timeout=timeout,
            headers=headers,
            max_body=max_body,
            keep_body=keep_body,
        )

    @cached_property
    def _public(self) -> probe.Client:
        return self._listeners.public(self._host)
