"""The edge's configuration: what must hold in every rendering, and that Caddy takes it."""

from __future__ import annotations

import json
import subprocess
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from bluegreen.edge import Route
from bluegreen.edge.caddy import config
from bluegreen.edge.managed.image import binary
from bluegreen.model import IDLE
from bluegreen.settings import EdgeSettings

_CERTIFICATES = ("0123456789abcdef",)


def _edge(**keys: Any) -> EdgeSettings:
    return EdgeSettings.model_validate({"listen": [":80", ":443"]} | keys)


def _render(*routes: Route, mode: int = 0o600, **keys: Any) -> dict[str, Any]:
    return config.render(
        _edge(**keys),
        {route.site: route for route in routes},
        socket_mode=mode,
        certificates=_CERTIFICATES,
    )


def _servers(rendered: dict[str, Any]) -> dict[str, Any]:
    servers: dict[str, Any] = rendered["apps"]["http"]["servers"]
    return servers


_ONE = Route(site="one", hosts=("one.test",))
_TWO = Route(site="two", hosts=("*.two.test",), switch_kind="reload", dial="bg-two:80")
_ALL = Route(site="all")


@pytest.mark.parametrize("tls", ["off", "acme", "internal", "files"])
def test_caddy_takes_every_kind_of_rendering(tls: str, tmp_path: Path) -> None:
    """Provisioned by the real binary, with and without sites and a plain port."""
    certs = tmp_path / "certs"
    certs.mkdir()
    pair = certs / _CERTIFICATES[0]
    subprocess.run(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=x"
        f" -keyout {pair}.key -out {pair}.crt",
        shell=True,
        check=True,
        capture_output=True,
    )
    for routes, listen in product([(), (_ONE, _TWO, _ALL)], [[":443"], [":80", ":443"]]):
        rendered = _render(*routes, tls=tls, listen=listen, trusted_proxies=["10.0.0.0/8"])
        path = tmp_path / "caddy.json"
        path.write_text(json.dumps(rendered).replace("/certs/", f"{certs}/"))
        ran = subprocess.run(
            [binary(), "validate", "--config", path],
            env={"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr


def test_the_admin_block_is_the_same_whatever_else_changes() -> None:
    """A configuration with another one moves the admin API, even when Caddy refuses it."""
    first = _render()
    for tls in ("off", "acme", "internal", "files"):
        assert _render(_ONE, _TWO, tls=tls)["admin"] == first["admin"]
    assert first["admin"] == {
        "listen": "unix//run/bluegreen/sock/admin.sock|0600",
        "config": {"persist": False},
    }


def test_rendering_twice_gives_the_same() -> None:
    """Nothing of one rendering is left in the next: what runs is compared with what is wanted."""
    first = _render(_ONE)
    _render(_TWO, tls="internal", mode=0o660)
    assert _render(_ONE) == first


def test_a_switch_changes_nothing_in_a_pointers_configuration() -> None:
    """Its upstream is the pointer's path, never the container."""
    [upstream] = _servers(_render(_ONE))["public"]["routes"][0]["handle"][0]["upstreams"]
    assert upstream == {"dial": "{file./run/bluegreen/sites/one/live}"}


def test_a_reload_sites_upstream_is_static() -> None:
    """A container by its name, or the idle listener while none is live."""
    idle = Route(site="idle", hosts=("i.test",), switch_kind="reload")
    rendered = _render(_TWO, idle)
    assert config.dial_of(rendered, "two") == "bg-two:80"
    assert config.dial_of(rendered, "idle") == IDLE
    assert config.dial_of(rendered, "nobody") == ""


def test_the_first_match_is_the_right_one() -> None:
    """Exact hosts stand before wildcards, the site without hosts after both, 404 last."""
    wild = Route(site="a-wild", hosts=("*.test",))
    routes = _servers(_render(_ALL, wild, _ONE))["public"]["routes"]
    assert [route.get("@id", "404") for route in routes] == [
        "site.one",
        "site.a-wild",
        "site.all",
        "404",
    ]
    assert "match" not in routes[2]


def test_no_health_state_sticks_to_a_placeholder() -> None:
    """Neither active nor passive checks; dials are retried and the pool is short-lived."""
    proxy = _servers(_render(_ONE, try_duration="7s"))["public"]["routes"][0]["handle"][0]
    assert "health_checks" not in proxy
    assert proxy["load_balancing"] == {"try_duration": "7000ms", "try_interval": "50ms"}
    assert proxy["transport"]["keep_alive"] == {"idle_timeout": "4s"}
    assert proxy["stream_close_delay"] == "24h"


def test_the_preview_dials_as_the_site_does_and_never_retries() -> None:
    """A candidate that is not there must show at once."""
    servers = _servers(_render(_ONE))
    site = servers["public"]["routes"][0]["handle"][0]
    preview = servers["preview"]["routes"][-1]["handle"][0]
    assert preview["transport"] == site["transport"]
    assert "load_balancing" not in preview


def test_every_socket_has_the_mode_of_the_state_folder() -> None:
    """0660 where a group may act."""
    rendered = _render(mode=0o660)
    listeners = [rendered["admin"]["listen"]]
    listeners += [_servers(rendered)[name]["listen"][0] for name in ("idle", "preview")]
    assert all(address.endswith(".sock|0660") for address in listeners)


def test_without_tls_every_address_is_plain() -> None:
    """And Caddy fetches no certificate."""
    rendered = _render(_ONE, listen=[":80", "127.0.0.1:8080", "10.0.0.1:8080"])
    public = _servers(rendered)["public"]
    assert public["listen"] == [":80", ":8080"]
    assert public["automatic_https"] == {"disable": True}
    assert "tls" not in rendered["apps"] and "redirect" not in _servers(rendered)


def test_with_tls_plain_http_leads_there() -> None:
    """Through our own server, on which Caddy answers ACME's HTTP challenge."""
    rendered = _render(_ONE, tls="acme", email="me@example.com")
    http, servers = rendered["apps"]["http"], _servers(rendered)
    assert (http["http_port"], http["https_port"]) == (80, 443)
    assert servers["public"]["listen"] == [":443"]
    assert servers["public"]["protocols"] == ["h1", "h2"]
    assert servers["public"]["automatic_https"] == {"disable_redirects": True}
    [handler] = servers["redirect"]["routes"][0]["handle"]
    assert handler["headers"]["Location"] == ["https://{http.request.host}{http.request.uri}"]
    [policy] = rendered["apps"]["tls"]["automation"]["policies"]
    assert policy == {"issuers": [{"module": "acme", "email": "me@example.com"}]}


def test_the_edges_own_authority_is_not_installed_anywhere() -> None:
    """The edge is not root, and the host's trust is not ours to change."""
    authorities = _render(tls="internal")["apps"]["pki"]["certificate_authorities"]
    assert authorities == {"local": {"install_trust": False}}


def test_the_package_holds_the_base_that_the_source_has() -> None:
    """`caddy/edge.json` is the base: it is valid and has no public server of its own."""
    source = Path(__file__).parents[2] / "caddy" / "edge.json"
    assert json.loads(source.read_text()) == json.loads(config._base_text())
    assert "public" not in _servers(json.loads(source.read_text()))
