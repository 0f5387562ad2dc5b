"""The edge that runs on this host: found by its container, asked by its admin API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from bluegreen.edge.caddy import config
from bluegreen.edge.caddy.admin import Admin
from bluegreen.edge.caddy.config import Json, Route
from bluegreen.edge.caddy.switches import PointerSwitch, ReloadSwitch, Switch
from bluegreen.edge.managed.container import ANEW
from bluegreen.edge.managed.readiness import wait_for_certificate
from bluegreen.edge.registry import Registry, Stored, as_running, refuse_conflicts
from bluegreen.edge.site import Listeners, SiteEdge
from bluegreen.errors import ConfigError, EdgeError, NotFit
from bluegreen.model import EDGE_LABEL, STATE_DIR_LABEL, ContainerFacts, Upstream
from bluegreen.ports import Engine
from bluegreen.settings import Settings
from bluegreen.state.folder import State

_UP = "bluegreen edge up"


def find(engine: Engine, settings: Settings, *, agreeing: bool = True) -> RunningEdge:
    """The edge of this host. NotFit where none runs; ConfigError where the site's file and
    the host's stored settings disagree, unless that does not matter (`agreeing=False`)."""
    name = settings.edge.name
    facts = engine.inspect(name)
    if facts is None:
        raise NotFit(f"there is no edge {name} on this host", hint=_UP)
    state = state_of(facts)
    if not facts.running or facts.restarting:
        raise NotFit(f"the edge {name} does not run: it is {facts.status}", hint=_UP)
    state.check_access()
    stored = Registry(state).stored()
    if stored is None:
        raise NotFit(f"{state.edge_settings} is missing", hint=_UP)
    if agreeing:
        _refuse_other_settings(settings, stored)
    return RunningEdge(facts, state, stored)


def state_of(facts: ContainerFacts) -> State:
    """The state folder that the edge's label names. NotFit for a container that is not ours."""
    root = facts.labels.get(STATE_DIR_LABEL, "")
    if facts.labels.get(EDGE_LABEL) != facts.name or not root:
        raise NotFit(
            f"a container named {facts.name} is there, and bluegreen did not make it",
            hint="set edge.name to another name, or remove that container yourself",
        )
    return State(Path(root))


class RunningEdge:
    """The host's edge. Raises EdgeError, EdgeUnreachable and ConfigError."""

    def __init__(
        self,
        facts: ContainerFacts,
        state: State,
        stored: Stored,
        *,
        admin: Admin | None = None,
        listeners: Listeners | None = None,
    ) -> None:
        """`admin` and `listeners`: by default those in the state folder."""
        self.facts = facts
        self.state = state
        self.stored = stored
        self.registry = Registry(state)
        self.admin = admin or Admin(state.admin_socket)
        self.listeners = listeners or Listeners(state, stored, self.admin)

    @property
    def name(self) -> str:
        return self.facts.name

    def routes(self) -> Mapping[str, Route]:
        return self.registry.routes()

    def needs_load(self, settings: Settings) -> str:
        """Why `register` would load the edge's configuration; "" if it would not.

        ConfigError where it would refuse.
        """
        stored_routes = self.routes()
        wanted = self._wanted(settings, stored_routes)
        running = self.admin.config()
        if self._desired(wanted, running) == running:
            return ""
        return _why(wanted[settings.site], stored_routes, running)

    def register(self, settings: Settings) -> bool:
        """Have the edge route this site as its settings say; True if that took a load.

        Idempotent; a known site costs no load. What Caddy accepted is persisted after it, and
        whatever a dead run left between the two is put right here.
        """
        with self.registry.locked(f"register site {settings.site}"):
            wanted = self._wanted(settings, self.routes())
            running = self.admin.config()
            desired = self._desired(wanted, running)
            self.registry.ensure_pointer(settings.site)
            loads = desired != running
            if loads:
                self.admin.load(desired)
                if settings.gate_host:
                    wait_for_certificate(self.listeners, self.stored, settings.gate_host)
            self.registry.persist(desired, as_running(wanted, desired))
            return loads

    def unsettled(self, settings: Settings) -> str:
        """What the edge runs and has not stored, a restart of it would lose; "" for nothing."""
        return "the edge runs what it has not stored" if self._unstored(settings) else ""

    def settle(self, settings: Settings) -> None:
        """Store what the edge runs: its process died between the load and the files. No load."""
        with self.registry.locked(f"settle site {settings.site}"):
            if found := self._unstored(settings):
                self.registry.persist(*found)

    def _unstored(self, settings: Settings) -> tuple[Json, dict[str, Route]] | None:
        """Only what is known to be ours: rendered of the stored routes, or of this site's new
        ones. Anything else is for a load to put right."""
        running, stored = self.admin.config(), self.routes()
        for routes in (stored, self._wanted(settings, stored)):
            actual = as_running(routes, running)
            if self.registry.render(self.stored, actual) == running:
                return None if self.registry.holds(running, actual) else (running, actual)
        return None

    def check(self, site: str, *, routed: bool = True) -> None:
        """The edge answers and, where it knows this site, really serves it, of this state folder.

        A nonce is read back through the edge: a mount that was replaced or shadowed shows.
        EdgeError says what is amiss. `routed=False`: its routing is about to be loaded anew.
        """
        running = self.admin.config()
        route = self.routes().get(site)
        if route is not None and routed:
            wanted = self._desired(as_running({site: route}, running), running)
            if any(
                part(running, site) != part(wanted, site)
                for part in (config.site_route, config.site_store)
            ):
                raise EdgeError(
                    f"the edge's running configuration does not route site {site} as stored",
                    hint=_UP,
                )
        self.listeners.check_mount("." if route is None else site, site=site)

    def check_store(self, site: str) -> None:
        """The edge sees the asset store of this state folder. EdgeError where it does not."""
        if not self.state.store.is_dir():
            raise EdgeError(
                f"the edge {self.name} has no asset store: an older bluegreen made it",
                hint=f"{_UP} --recreate",
            )
        self.listeners.check_mount(site=site, store=True)

    def live(self, site: str) -> Upstream | None:
        """What the edge routes this site to now, without its settings."""
        route = self.routes().get(site)
        return None if route is None else self._switch(site, route.switch_kind).live()

    def site(self, settings: Settings) -> SiteEdge:
        kind = self._known(settings.site, self.routes()).switch_kind
        return SiteEdge(
            kind=kind,
            switch=self._switch(settings.site, kind),
            admin=self.admin,
            listeners=self.listeners,
            host=settings.gate_host,
        )

    def _switch(self, site: str, kind: str) -> Switch:
        if kind == "reload":
            return ReloadSwitch(self.registry, site, self.admin)
        return PointerSwitch(
            self.registry, site, lambda: self.listeners.read_shared(f"{site}/live")
        )

    def _wanted(self, settings: Settings, routes: Mapping[str, Route]) -> dict[str, Route]:
        known = self._known(settings.site, routes)
        mine = replace(
            known,
            hosts=settings.hosts,
            assets=settings.assets.paths,
            order=settings.assets.order,
        )
        wanted = {**routes, settings.site: mine}
        refuse_conflicts(self.stored, wanted, settings.site)
        return wanted

    def _known(self, site: str, routes: Mapping[str, Route]) -> Route:
        """A known site keeps its switch: `edge up` alone moves sites from one to the other."""
        return routes.get(site) or Route(site=site, switch_kind=self.stored.switch_kind)

    def _desired(self, routes: Mapping[str, Route], running: Json) -> Json:
        return self.registry.render(self.stored, as_running(routes, running))


def _why(wanted: Route, stored: Mapping[str, Route], running: Json) -> str:
    site = wanted.site
    if site not in stored and config.site_route(running, site) is None:
        return f"site {site} is new on this edge"
    if site in stored and wanted.hosts != stored[site].hosts:
        return f"the hosts of site {site} changed"
    if site in stored and wanted != stored[site]:
        return f"the assets of site {site} changed, their paths or their order"
    return "the edge does not run what is stored"


def _refuse_other_settings(settings: Settings, stored: Stored) -> None:
    differences = settings.edge_differences(stored.edge)
    if not differences:
        return
    cost = (
        "a new container: some 0.7 s of refused connections (add --recreate)"
        if ANEW & differences.keys()
        else "one load: requests that arrive in that moment may be dropped"
    )
    raise ConfigError(
        "the [edge] settings here are not those of this host's edge",
        hint=f"{_UP} applies them, for every site on it; that costs {cost}",
        problems=tuple(
            f"edge.{key} is {_text(ours)} here, and {_text(theirs)} on the host"
            for key, (ours, theirs) in sorted(differences.items())
        ),
    )


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_text(entry) for entry in value) + "]"
    return f'"{value}"'
