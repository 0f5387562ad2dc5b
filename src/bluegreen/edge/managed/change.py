"""From the edge that is there to the edge that is wanted, with the old one brought back when
the new one fails."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from bluegreen.edge.caddy.admin import Admin
from bluegreen.edge.caddy.config import Json, Route
from bluegreen.edge.managed import container, image, readiness
from bluegreen.edge.registry import Registry, Stored, as_running, refuse_conflicts
from bluegreen.edge.site import Listeners
from bluegreen.errors import BluegreenError, ConfigError, EdgeError, EngineError
from bluegreen.model import SPEC_HASH_LABEL, ContainerFacts, ContainerPlan
from bluegreen.ports import Engine, Say
from bluegreen.undo import Undo

UP, UNCHANGED = "up", "unchanged"

_ANEW_COSTS = (
    "the container must be made anew: some 0.7 s of refused connections for every site on it,"
    " and its open streams are cut"
)
#: Seconds for open streams once a new container is to take the old one's ports: no new
#: connection is accepted meanwhile.
_REPLACE_GRACE = 2.0


@dataclass(frozen=True, slots=True)
class Change:
    """From what is there to what is wanted, with the edge's lock held."""

    engine: Engine
    say: Say
    registry: Registry
    before: Stored | None
    wanted: Stored
    present: ContainerFacts | None
    undo: Undo

    @property
    def name(self) -> str:
        return self.wanted.edge.name

    def apply(self, recreate: bool) -> str:
        with step(self.say, "image"):
            facts = image.ensure(self.engine, self.wanted.edge.image, self.say.line)
        ref = facts.tags[0] if self.wanted.edge.image == image.BUNDLED else self.wanted.edge.image
        plan = container.plan(self.wanted.edge, self.registry.state, ref, facts.id)
        same = self._is_same(plan)
        if not same:
            refuse_recreation(self.present, {"image"} if self.present else set(), recreate)
        if same and self._runs and not self._is_lost(recreate):
            return self._load()
        self._make(plan, keep=same and not self._runs and not self._loops)
        return UP

    def _is_lost(self, recreate: bool) -> bool:
        """It runs, and the folders that it was given are no longer those of this host."""
        state = self.registry.state
        try:
            admin = Admin(state.admin_socket)
            admin.config()
            Listeners(state, self.wanted, admin).check_mount()
        except EdgeError as error:
            if not recreate:
                raise EdgeError(error.message, hint="bluegreen edge up --recreate") from error
            return True
        return False

    def _is_same(self, plan: ContainerPlan) -> bool:
        label = self.present.labels.get(SPEC_HASH_LABEL) if self.present else None
        return label == plan.labels[SPEC_HASH_LABEL]

    @property
    def _runs(self) -> bool:
        return self.present is not None and self.present.running and not self.present.restarting

    @property
    def _loops(self) -> bool:
        return self.present is not None and self.present.restarting

    def _load(self) -> str:
        """The container stays: at most one load."""
        admin = Admin(self.registry.state.admin_socket)
        running = admin.config()
        routes, desired = self._desired(as_running(self.registry.routes(), running))
        changed = desired != running
        if changed:
            with step(self.say, "load"):
                admin.load(desired)
        self._persist(desired, routes)
        readiness.wait_until_ready(
            self.engine, self.name, self.registry.state, self.wanted, desired
        )
        return UP if changed or self.wanted != self.before else UNCHANGED

    def _make(self, plan: ContainerPlan, *, keep: bool) -> None:
        """A new container, or (`keep`) the one that is there started again."""
        routes, desired = self._desired(self.registry.routes())
        if not keep and self.present is not None and self.before is not None:
            old = self._old_plan(self.present, self.before)
            self.undo.later(
                "bring the old edge back",
                partial(self._restore, old, self.before),
                by_hand="bluegreen edge up",
            )
        self._restore_files_on_failure()
        self._persist(desired, routes)
        with step(self.say, "start"):
            if keep:
                self.engine.start(self.name)
            else:
                self._replace(plan)
            readiness.wait_until_ready(
                self.engine, self.name, self.registry.state, self.wanted, desired
            )

    def _replace(self, plan: ContainerPlan) -> None:
        if self.present is not None:
            self.engine.stop(self.name, _REPLACE_GRACE)
            self.engine.remove(self.name)
        if not self.engine.network_exists(self.name):
            self.undo.later(
                "remove the edge's network",
                lambda: self.engine.remove_network(self.name),
                by_hand=f"docker network rm {self.name}",
            )
        self.undo.later(
            "remove the new edge",
            lambda: self.engine.remove(self.name),
            by_hand=f"docker rm --force {self.name}",
        )
        try:
            readiness.create_and_start(
                self.engine, plan, container.network_labels(self.wanted.edge)
            )
        except EngineError as error:
            raise EdgeError(
                f"the edge {self.name} cannot start: {error.message}",
                hint=error.hint or "bluegreen edge up",
            ) from error

    def _desired(self, routes: Mapping[str, Route]) -> tuple[dict[str, Route], Json]:
        kind = self.wanted.switch_kind
        converted = {site: self.registry.converted(route, kind) for site, route in routes.items()}
        for site in converted:
            refuse_conflicts(self.wanted, converted, site)
            self.registry.ensure_pointer(site)
        return converted, self.registry.render(self.wanted, converted)

    def _persist(self, desired: Json, routes: Mapping[str, Route]) -> None:
        self.registry.persist(desired, routes)
        self.registry.store(self.wanted)

    def _restore_files_on_failure(self) -> None:
        kept = self.registry.snapshot()
        self.undo.later(
            "restore the edge's settings",
            lambda: self.registry.restore(kept),
            by_hand="bluegreen edge up",
        )

    def _old_plan(self, present: ContainerFacts, before: Stored) -> ContainerPlan:
        """As it was made, also where its tag has moved since."""
        tagged = self.engine.image(present.image)
        moved = tagged is None or tagged.id != present.image_id
        ref = present.image_id if moved else present.image
        return container.plan(before.edge, self.registry.state, ref, present.image_id)

    def _restore(self, old: ContainerPlan, before: Stored) -> None:
        if self.engine.inspect(old.name) is None:
            readiness.create_and_start(self.engine, old, container.network_labels(before.edge))
        else:
            self.engine.start(old.name)
        desired = self.registry.render(before, self.registry.routes())
        readiness.wait_until_ready(self.engine, old.name, self.registry.state, before, desired)


def refuse_recreation(present: ContainerFacts | None, changed: set[str], recreate: bool) -> None:
    if not changed or recreate or present is None or not present.running:
        return
    keys = ", ".join(f"edge.{key}" for key in sorted(changed))
    raise ConfigError(f"{keys} changed: {_ANEW_COSTS}", hint="bluegreen edge up --recreate")


@contextmanager
def step(say: Say, name: str) -> Iterator[None]:
    started = time.monotonic()
    say.step(name)
    try:
        yield
    except BluegreenError as error:
        say.done(name, "failed", time.monotonic() - started, error.message)
        raise
    say.done(name, "ok", time.monotonic() - started, "")
