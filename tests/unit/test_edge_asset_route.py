"""The edge's route for a site with assets: one proxy, one upstream, classes of headers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bluegreen.assets import CLASSES
from bluegreen.edge.caddy import config
from bluegreen.edge.caddy.config import Route
from bluegreen.edge.registry import Registry
from bluegreen.settings import EdgeSettings
from bluegreen.state.folder import State


def _render(*routes: Route) -> dict[str, Any]:
    return config.render(EdgeSettings(), {route.site: route for route in routes}, socket_mode=0o600)


def _route(order: str = "live", kind: str = "reload") -> Route:
    return Route(site="web", switch_kind=kind, dial="bg-web:80", assets=("/assets/*",), order=order)


def _handlers(node: object) -> list[str]:
    if isinstance(node, list):
        return [name for each in node for name in _handlers(each)]
    if not isinstance(node, dict):
        return []
    own = [node["handler"]] if "handler" in node else []
    return own + [name for each in node.values() for name in _handlers(each)]


@pytest.mark.parametrize("order", ["live", "store"])
def test_one_patch_switches_pages_and_assets(order: str) -> None:
    """A second proxy in the route would be a second upstream to switch."""
    rendered = _render(_route(order))
    route = config.site_route(rendered, "web")
    assert _handlers(route).count("reverse_proxy") == 1
    assert json.dumps(route).count('"upstreams"') == 1
    assert config.dial_of(rendered, "web") == "bg-web:80"


def test_the_store_stands_there_from_the_start() -> None:
    """A fixed number of classes, so that no release changes the configuration."""
    store = config.site_store(_render(_route()), "web")
    assert store is not None
    (lookup,) = store["handle"]
    assert len(lookup["routes"]) == CLASSES
    assert len(json.dumps(store)) < 100_000


def test_the_store_goes_first_only_where_that_is_asked_for() -> None:
    def invoked(order: str) -> int:
        return _handlers(config.site_route(_render(_route(order)), "web")).count("invoke")

    assert invoked("store") == invoked("live") + 1


def test_a_site_without_patterns_is_routed_as_if_there_were_no_store() -> None:
    rendered = _render(Route(site="web"), Route(site="other", hosts=("o.test",)))
    assert config.site_store(rendered, "web") is None
    assert "named_routes" not in rendered["apps"]["http"]["servers"]["public"]
    assert _handlers(config.site_route(rendered, "web")) == ["reverse_proxy"]


def test_routes_of_an_older_version_have_no_assets(tmp_path: Path) -> None:
    """They are read, and the next release's settings then ask for one load."""
    state = State(tmp_path)
    state.routes.mkdir()
    old = {"site": "web", "hosts": ["a.test"], "switch_kind": "pointer", "dial": "x:80"}
    (state.routes / "web.json").write_text(json.dumps(old))
    assert Registry(state).routes()["web"] == Route(site="web", hosts=("a.test",), dial="x:80")
