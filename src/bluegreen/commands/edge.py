"""`bluegreen edge up`, `down` and `status`: the host's edge as a whole."""

from __future__ import annotations

import grp
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bluegreen.edge.managed import container
from bluegreen.edge.managed.change import UNCHANGED, UP, Change, refuse_recreation, step
from bluegreen.edge.managed.running import find, state_of
from bluegreen.edge.registry import Registry, Stored, as_running
from bluegreen.edge.site import public_entry, url_of
from bluegreen.errors import ConfigError, EdgeError, EngineError, NotFit
from bluegreen.model import EDGE_LABEL, IDLE, ContainerFacts, Result, Upstream
from bluegreen.ports import Engine, Say
from bluegreen.settings import EdgeSettings, Settings
from bluegreen.state.folder import State, default_root
from bluegreen.undo import Undo

DOWN = "down"

_SOCKET_PATH_MOST = 107  # bytes, of a Unix socket's path on Linux
_DOWN_GRACE = 10.0


def up(settings: Settings, engine: Engine, say: Say, *, recreate: bool = False) -> Result:
    """Have the host's edge run as stored and as the `[edge]` keys written here say.

    Idempotent. Raises ConfigError where the container would have to be made anew and `recreate`
    is not given; NotFit where something foreign has its name or a port; EdgeError, with the old
    edge brought back, where the new one does not serve.
    """
    started = time.monotonic()
    present = _present(engine, settings.edge.name)
    state = state_of(present) if present else State(_root(settings))
    registry = Registry(state)
    before = registry.stored() if state.root.is_dir() else None
    edge = _wanted(settings, state, before)
    refuse_recreation(present, _changed(edge, before) & container.ANEW, recreate)
    gid = _gid(edge.group)
    state.prepare(gid)
    with registry.locked("bluegreen edge up"), Undo(say.line) as undo:
        old_gid = state.root.stat().st_gid if state.shared else -1
        undo.later("give the state folder back", lambda: state.open_to(old_gid), by_hand="")
        state.open_to(gid)
        wanted = Stored(edge=edge, certificates=registry.copy_certificates(edge))
        change = Change(engine, say, registry, before, wanted, present, undo)
        outcome = change.apply(recreate)
        undo.commit()
        registry.forget_certificates(wanted.certificates)
    return Result(
        command="edge up",
        outcome=outcome,
        site=settings.site,
        seconds=time.monotonic() - started,
        detail=_detail(wanted, state, engine.inspect(edge.name), _sites(registry)),
    )


def down(settings: Settings, engine: Engine, say: Say, *, force: bool = False) -> Result:
    """Remove the edge's container and network; the state folder stays. Absent is success.

    Raises ConfigError while a site is live, unless `force`.
    """
    started = time.monotonic()
    name = settings.edge.name
    present = _present(engine, name)
    warnings: list[str] = []
    if present is not None:
        registry = Registry(state_of(present))
        if registry.state.root.is_dir():
            registry.state.check_access()
            _refuse_live(registry, force)
            with registry.locked("bluegreen edge down"):
                _remove(engine, say, name)
        else:
            warnings.append(f"the state folder {registry.state.root} is missing")
            _remove(engine, say, name)
    if engine.network_exists(name):
        try:
            engine.remove_network(name)
        except EngineError as error:
            warnings.append(
                f"the network {name} stays, for containers are still on it:"
                f" {error.message}; bluegreen edge up uses it again"
            )
    return Result(
        command="edge down",
        outcome=DOWN if present else UNCHANGED,
        site=settings.site,
        seconds=time.monotonic() - started,
        warnings=tuple(warnings),
        detail={"edge": {"name": name}},
    )


def status(settings: Settings, engine: Engine) -> Result:
    """What the edge is and whom it serves. NotFit where none runs."""
    started = time.monotonic()
    running = find(engine, settings, agreeing=False)
    warnings = [
        f'edge.{key} is "{ours}" here, and "{theirs}" on the host; bluegreen edge up applies it'
        for key, (ours, theirs) in settings.edge_differences(running.stored.edge).items()
    ]
    config = running.admin.config()
    routes = as_running(running.routes(), config)
    if running.registry.render(running.stored, routes) != config:
        warnings.append("the edge does not run what is stored; bluegreen edge up loads it")
    for site in routes:
        try:
            running.check(site)
        except EdgeError as error:
            warnings.append(error.message)
    return Result(
        command="edge status",
        outcome=UP,
        site=settings.site,
        seconds=time.monotonic() - started,
        warnings=tuple(warnings),
        detail=_detail(running.stored, running.state, running.facts, _sites(running.registry)),
    )


# --- what is refused --------------------------------------------------------


def _present(engine: Engine, name: str) -> ContainerFacts | None:
    """The edge's container. NotFit where its name or its network's is somebody else's."""
    present = engine.inspect(name)
    if present is not None:
        state_of(present)
    labels = engine.network_labels(name)
    if labels is not None and labels.get(EDGE_LABEL) != name:
        raise NotFit(
            f"a network named {name} is there, and bluegreen did not make it",
            hint="set edge.name to another name, or remove that network yourself",
        )
    return present


def _refuse_live(registry: Registry, force: bool) -> None:
    live = [f"{site}: {facts['live']}" for site, facts in _sites(registry).items() if facts["live"]]
    if live and not force:
        raise ConfigError(
            "the edge serves live sites, which would go dark",
            hint="bluegreen edge down --force",
            problems=tuple(live),
        )


# --- what is wanted ---------------------------------------------------------


def _root(settings: Settings) -> Path:
    return Path(settings.edge.state_dir) if settings.edge.state_dir else default_root()


def _wanted(settings: Settings, state: State, before: Stored | None) -> EdgeSettings:
    """The stored settings, with the keys that are written here; each key is the host's."""
    stored = before.edge.model_dump(mode="json") if before else {}
    written = settings.edge.model_dump(mode="json", include=set(settings.explicit_edge))
    edge = EdgeSettings.model_validate(stored | written | {"state_dir": str(state.root)})
    if settings.edge.state_dir and Path(settings.edge.state_dir) != state.root:
        raise ConfigError(
            f"edge.state_dir is {settings.edge.state_dir} here, and the edge keeps its state in"
            f" {state.root}",
            hint="bluegreen edge down, move the folder, bluegreen edge up",
        )
    if len(str(state.preview_socket).encode()) > _SOCKET_PATH_MOST:
        raise ConfigError(
            f"edge.state_dir {state.root} is too long: the path of a Unix socket in it would have"
            f" more than {_SOCKET_PATH_MOST} bytes",
            hint="set edge.state_dir to a shorter path",
        )
    if edge.tls != "off" and not any(entry.scheme == "https" for entry in edge.listen):
        raise ConfigError(
            f'edge.tls is "{edge.tls}", and no address of edge.listen speaks https',
            hint='add ":443" to edge.listen',
        )
    return edge


def _changed(edge: EdgeSettings, before: Stored | None) -> set[str]:
    if before is None:
        return set()
    old, new = before.edge.model_dump(mode="json"), edge.model_dump(mode="json")
    return {key for key, value in new.items() if old.get(key) != value}


def _gid(group: str) -> int:
    if not group:
        return -1
    try:
        return int(group) if group.isdigit() else grp.getgrnam(group).gr_gid
    except KeyError:
        raise ConfigError(
            f"edge.group is {group!r}, and this host has no such group", hint=f"groupadd {group}"
        ) from None


# --- what is told -----------------------------------------------------------


def _sites(registry: Registry) -> dict[str, dict[str, Any]]:
    sites = {}
    for site, route in registry.routes().items():
        dial = registry.dial(route)
        live = "" if dial == IDLE or Upstream.parse(dial) is None else dial
        sites[site] = {"hosts": list(route.hosts), "switch": route.switch_kind, "live": live}
    return sites


def _detail(
    stored: Stored, state: State, facts: ContainerFacts | None, sites: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "edge": {
            "name": stored.edge.name,
            "container": facts.id[:12] if facts else "",
            "status": facts.status if facts else "absent",
            "started_at": facts.started_at if facts else "",
            "image": facts.image if facts else stored.edge.image,
            "url": url_of(public_entry(stored)),
            "listen": [str(entry) for entry in stored.edge.listen],
            "tls": stored.edge.tls,
            "switch": stored.switch_kind,
            "state_dir": str(state.root),
        },
        "sites": dict(sites),
    }


def _remove(engine: Engine, say: Say, name: str) -> None:
    with step(say, "stop"):
        engine.stop(name, _DOWN_GRACE)
        engine.remove(name)
