"""Settings and routes → the edge's Caddy configuration. Pure but for reading its base.

The base is `caddy/edge.json`: the admin API, the `idle` listener that answers 503 while no
release is live, and the `preview` listener. Here come the public servers, TLS, and a route
for each site. A release changes none of it: what it changes is the pointer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from bluegreen.edge.caddy import asset_route
from bluegreen.model import IDLE
from bluegreen.settings import EdgeSettings
from bluegreen.state.folder import MOUNT_CERTS, MOUNT_SITES

#: What one probe or one user's request may cost before the edge says 502 (Caddy's own
#: default for a dial is 3 s, as long as a whole `try_duration`).
_TRANSPORT: dict[str, Any] = {
    "protocol": "http",
    "dial_timeout": "2s",
    # The pool is keyed by name, and Node closes idle connections after 5 s: caddy#6452.
    "keep_alive": {"idle_timeout": "4s"},
}
#: Websockets live through a load that another site caused.
_STREAM_CLOSE_DELAY = "24h"
_NO_SUCH_HOST = {
    "handle": [
        {
            "handler": "static_response",
            "status_code": 404,
            "headers": {"Content-Type": ["text/plain; charset=utf-8"]},
            "body": "No site here has this host name.\n",
        }
    ]
}
#: The name of the certificate for clients that name no host, or one that is not ours.
LOCALHOST = "localhost"
_CERTIFICATE_TAG = "operator"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """How the edge sends one site's requests on."""

    site: str
    hosts: tuple[str, ...] = ()  # none = any host that no other site has
    switch_kind: str = "pointer"  # pointer | reload
    dial: str = IDLE  # what a `reload` route holds; a pointer's stands in its file
    assets: tuple[str, ...] = ()  # path patterns that the asset store minds; none = no store
    order: str = "live"  # live | store: who answers first for them

    @property
    def upstream(self) -> str:
        """The text of the upstream's `dial`."""
        if self.switch_kind == "pointer":
            return f"{{file.{MOUNT_SITES}/{self.site}/live}}"
        return self.dial


def render(
    edge: EdgeSettings,
    routes: Mapping[str, Route],
    *,
    socket_mode: int,
    certificates: Sequence[str] = (),
) -> Json:
    """The whole configuration.

    `socket_mode`: of the admin, preview and idle sockets. `certificates`: for tls = "files",
    the names without suffix of each pair in the folder that is mounted at `MOUNT_CERTS`.
    """
    config = _base()
    http = config["apps"]["http"]
    servers = http["servers"]
    config["admin"]["listen"] += f"|{socket_mode:04o}"
    for server in servers.values():
        server["listen"] = [f"{address}|{socket_mode:04o}" for address in server["listen"]]
    servers["preview"]["routes"][-1]["handle"][0]["transport"] = _TRANSPORT
    servers["public"] = _public(edge, routes)
    if edge.tls != "off":
        _secure(edge, config, certificates)
    return config


def site_route(config: Json, site: str) -> Json | None:
    """The site's route in a configuration, or None."""
    try:
        found = config["apps"]["http"]["servers"]["public"]["routes"]
    except (KeyError, TypeError):
        return None
    return next((route for route in found if route.get("@id") == f"site.{site}"), None)


def site_store(config: Json, site: str) -> Json | None:
    """The site's way into its asset store in a configuration, or None."""
    try:
        found: Json | None = config["apps"]["http"]["servers"]["public"]["named_routes"].get(
            asset_route.store_name(site)
        )
    except (KeyError, TypeError, AttributeError):
        return None
    return found


def dial_of(config: Json, site: str) -> str:
    """What the site's upstream dials in a configuration; "" where it has no such route."""
    proxy = _with_id(site_route(config, site), proxy_id(site))
    try:
        return str(proxy["upstreams"][0]["dial"]) if proxy else ""
    except (KeyError, IndexError, TypeError):
        return ""


def _with_id(node: object, wanted: str) -> Json | None:
    """The object with this `@id`, itself or somewhere below `node`."""
    if isinstance(node, dict) and node.get("@id") == wanted:
        return node
    below = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return next((found for each in below if (found := _with_id(each, wanted))), None)


def proxy_id(site: str) -> str:
    return f"proxy.{site}"


def to_text(config: Json) -> bytes:
    return json.dumps(config, indent=1).encode() + b"\n"


def ports(edge: EdgeSettings, scheme: str) -> list[int]:
    """The ports that the edge listens on for `scheme`, each once, in the order given."""
    return list(dict.fromkeys(entry.port for entry in edge.listen if entry.scheme == scheme))


@cache
def _base_text() -> str:
    packaged = resources.files("bluegreen") / "caddy" / "edge.json"
    if packaged.is_file():
        return packaged.read_text()
    # An editable install has the source tree instead of the wheel's copy.
    return (Path(__file__).parents[4] / "caddy" / "edge.json").read_text()


def _base() -> Json:
    base: Json = json.loads(_base_text())
    return base


def _public(edge: EdgeSettings, routes: Mapping[str, Route]) -> Json:
    secure = edge.tls != "off"
    server: Json = {
        "listen": [f":{port}" for port in ports(edge, "https" if secure else "http")],
        "protocols": ["h1", "h2"] if secure else ["h1"],
        "automatic_https": {"disable_redirects": True} if secure else {"disable": True},
        "routes": [_route(edge, route) for route in sorted(routes.values(), key=_order)],
    }
    server["routes"].append(_NO_SUCH_HOST)
    stores = {
        asset_route.store_name(route.site): asset_route.lookup(route.site)
        for route in sorted(routes.values(), key=_order)
        if route.assets
    }
    if stores:
        server["named_routes"] = stores
    if edge.trusted_proxies:
        server["trusted_proxies"] = {"source": "static", "ranges": list(edge.trusted_proxies)}
        # From the right, up to the first that is not trusted: the left part is the client's.
        server["trusted_proxies_strict"] = 1
    return server


def _order(route: Route) -> tuple[bool, bool, str]:
    """Exact hosts, then wildcards, then the site without hosts: the first match wins."""
    return not route.hosts, any("*" in host for host in route.hosts), route.site


def _route(edge: EdgeSettings, route: Route) -> Json:
    proxy = {
        "@id": proxy_id(route.site),
        "handler": "reverse_proxy",
        "upstreams": [{"dial": route.upstream}],
        "load_balancing": {"try_duration": _duration(edge.try_duration), "try_interval": "50ms"},
        "transport": _TRANSPORT,
        "stream_close_delay": _STREAM_CLOSE_DELAY,
    }
    matched: Json = {"match": [{"host": list(route.hosts)}]} if route.hosts else {}
    handler = (
        asset_route.around(proxy, route.site, route.assets, route.order) if route.assets else proxy
    )
    return {"@id": f"site.{route.site}", **matched, "handle": [handler], "terminal": True}


def _secure(edge: EdgeSettings, config: Json, certificates: Sequence[str]) -> None:
    """Certificates for the public server, and plain HTTP that leads to it."""
    http, public = config["apps"]["http"], config["apps"]["http"]["servers"]["public"]
    https_ports, http_ports = ports(edge, "https"), ports(edge, "http")
    http["https_port"] = https_ports[0]
    if http_ports:
        # Caddy answers ACME's HTTP challenge on its `http_port`, before any route.
        http["http_port"] = http_ports[0]
        http["servers"]["redirect"] = _redirect(http_ports, https_ports[0])
    if edge.tls == "files":
        public["automatic_https"]["disable_certificates"] = True
        # With a tag, a client that names an unknown host gets one of these, not an alert.
        public["tls_connection_policies"] = [
            {"certificate_selection": {"any_tag": [_CERTIFICATE_TAG]}}
        ]
        config["apps"]["tls"] = {"certificates": {"load_files": _files(certificates)}}
        return
    issuer: Json = {"module": edge.tls}
    tls: Json = {"automation": {"policies": [{"issuers": [issuer]}]}}
    if edge.tls == "internal":
        public["tls_connection_policies"] = [{"default_sni": LOCALHOST, "fallback_sni": LOCALHOST}]
        tls["certificates"] = {"automate": [LOCALHOST]}
        config["apps"]["pki"] = {"certificate_authorities": {"local": {"install_trust": False}}}
    else:
        public["tls_connection_policies"] = [{}]
        if edge.email:
            issuer["email"] = edge.email
    config["apps"]["tls"] = tls


def _files(certificates: Sequence[str]) -> list[Json]:
    return [
        {
            "certificate": f"{MOUNT_CERTS}/{name}.crt",
            "key": f"{MOUNT_CERTS}/{name}.key",
            "tags": [_CERTIFICATE_TAG],
        }
        for name in certificates
    ]


def _redirect(http_ports: list[int], https_port: int) -> Json:
    port = "" if https_port == 443 else f":{https_port}"
    location = f"https://{{http.request.host}}{port}{{http.request.uri}}"
    return {
        "listen": [f":{number}" for number in http_ports],
        "protocols": ["h1"],
        "automatic_https": {"disable": True},
        "routes": [
            {
                "handle": [
                    {
                        "handler": "static_response",
                        "status_code": 308,
                        "headers": {"Location": [location]},
                    }
                ]
            }
        ],
    }


def _duration(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"
