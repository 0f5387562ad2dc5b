"""What the host stores of its edge, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bluegreen.edge import Registry, Route, Stored
from bluegreen.edge.registry import as_running, refuse_conflicts
from bluegreen.errors import ConfigError, EdgeError
from bluegreen.model import IDLE
from bluegreen.settings import EdgeSettings
from bluegreen.state.folder import State


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    state = State(tmp_path / "state")
    state.prepare()
    return Registry(state)


def _stored(**keys: Any) -> Stored:
    return Stored(edge=EdgeSettings.model_validate(keys))


def test_settings_come_back_as_they_were_stored(registry: Registry) -> None:
    """Also what has a form of its own: addresses, durations, certificates."""
    stored = Stored(
        edge=EdgeSettings.model_validate(
            {
                "tls": "files",
                "listen": [":80", "https://[::1]:8443"],
                "certificates": ["cert=/a,key=/b"],
                "try_duration": "1500ms",
            }
        ),
        certificates=("0123",),
    )
    assert registry.stored() is None
    registry.store(stored)
    assert registry.stored() == stored


def test_routes_come_back_as_they_were_persisted(registry: Registry) -> None:
    """The source and what Caddy starts from are written together."""
    routes = {
        "one": Route(site="one", hosts=("a.test", "b.test")),
        "two": Route(site="two", switch_kind="reload", dial="bg-two:80"),
    }
    registry.persist(registry.render(_stored(), routes), routes)
    assert registry.routes() == routes
    assert b"bg-two:80" in registry.state.caddy_json.read_bytes()


def test_a_route_that_cannot_be_read_is_an_error(registry: Registry) -> None:
    """Taken for none, the next load would take the site away."""
    (registry.state.routes / "web.json").write_text("{")
    with pytest.raises(EdgeError, match="cannot be read"):
        registry.routes()


def test_a_pointer_is_made_once_and_never_overwritten(registry: Registry) -> None:
    """While no release is live it names the idle listener."""
    registry.ensure_pointer("web")
    assert registry.pointer("web") == IDLE
    registry.write_pointer("web", "bg-web:80")
    registry.ensure_pointer("web")
    assert registry.pointer("web") == "bg-web:80"


@pytest.mark.parametrize(
    ("hosts", "tls", "problem"),
    [
        (("b.test",), "off", "b.test belongs to site one"),
        ((), "off", "site rest on this edge has that"),
        ((), "acme", "gets no certificate"),
    ],
)
def test_conflicts_name_the_other_site(hosts: tuple[str, ...], tls: str, problem: str) -> None:
    """A host, or the rest of all hosts, belongs to one site."""
    routes = {
        "one": Route(site="one", hosts=("a.test", "b.test")),
        "rest": Route(site="rest"),
        "web": Route(site="web", hosts=hosts),
    }
    with pytest.raises(ConfigError) as caught:
        refuse_conflicts(_stored(tls=tls), routes, "web")
    assert any(problem in text for text in caught.value.problems)


def test_a_site_does_not_conflict_with_itself_or_with_a_wildcard() -> None:
    """The exact host is matched first, so a wildcard beside it is no mistake."""
    routes = {
        "one": Route(site="one", hosts=("*.test",)),
        "web": Route(site="web", hosts=("web.test",)),
    }
    refuse_conflicts(_stored(), routes, "web")
    refuse_conflicts(_stored(), routes, "one")


def test_what_caddy_runs_wins_over_what_is_stored_of_a_switch(registry: Registry) -> None:
    """A switch by reload that was made and not persisted is not undone by the next load."""
    stored = {
        "a": Route(site="a", hosts=("a.test",), switch_kind="reload", dial="old:80"),
        "b": Route(site="b", hosts=("b.test",)),
        "new": Route(site="new", hosts=("n.test",), switch_kind="reload", dial="new:80"),
    }
    running = registry.render(
        _stored(), {"a": Route(site="a", switch_kind="reload", dial="now:80"), "b": stored["b"]}
    )
    found = as_running(stored, running)
    assert found["a"].dial == "now:80"
    assert found["b"] == stored["b"]
    assert found["new"].dial == "new:80"


def test_a_site_keeps_its_release_when_its_switch_is_another(registry: Registry) -> None:
    """Pointer to reload and back: the text moves from the file to the route and back."""
    registry.ensure_pointer("web")
    registry.write_pointer("web", "bg-web:80")
    reload = registry.converted(Route(site="web"), "reload")
    assert reload.dial == "bg-web:80"
    registry.write_pointer("web", "stale:80")
    assert registry.converted(reload, "pointer").switch_kind == "pointer"
    assert registry.pointer("web") == "bg-web:80"


def test_a_failed_change_puts_every_file_back(registry: Registry) -> None:
    """Also by removing those that were not there before."""
    before = registry.snapshot()
    registry.store(_stored())
    registry.persist({"any": "thing"}, {})
    registry.restore(before)
    assert registry.stored() is None
    assert not registry.state.caddy_json.exists()


def test_certificates_are_named_by_their_content(registry: Registry, tmp_path: Path) -> None:
    """So a renewed one changes the configuration; copies are for the edge's eyes alone."""
    cert, key = tmp_path / "cert", tmp_path / "key"
    cert.write_text("certificate")
    key.write_text("key")
    edge = EdgeSettings.model_validate({"tls": "files", "certificates": [f"cert={cert},key={key}"]})
    [first] = registry.copy_certificates(edge)
    cert.write_text("renewed")
    [second] = registry.copy_certificates(edge)
    assert first != second
    registry.forget_certificates((second,))
    kept = sorted(path.name for path in registry.state.certs.iterdir())
    assert kept == [f"{second}.crt", f"{second}.key"]
    assert (registry.state.certs / f"{second}.key").stat().st_mode & 0o077 == 0
