"""One site on a fake host: commands with faults in them, and what must hold after each.

The recipes, the edge's files, the store and the ledger are the real ones; the engine, Caddy
and the clock are fakes.
"""

from __future__ import annotations

import json
import os
import pickle
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bluegreen.builder.revision import Revision
from bluegreen.commands import prune, recover, release, rollback, status
from bluegreen.edge import RunningEdge, Stored
from bluegreen.edge.registry import Registry
from bluegreen.lib import signals
from bluegreen.model import (
    CONTAINER_LABEL,
    EDGE_LABEL,
    IDLE,
    RELEASE_LABEL,
    SITE_LABEL,
    STATE_DIR_LABEL,
    ContainerPlan,
    ErrorFacts,
    Result,
    image_repository,
    is_container_of,
)
from bluegreen.settings import Settings
from bluegreen.site import Host, look
from bluegreen.state.folder import State
from bluegreen.state.ledger import Ledger
from kit.fakes.adapters import WEB_ROOT, FakeCaddy, FakeClient, FakeEngine, site_files
from kit.faults.acts import Fault, Faults, Killed, Kind
from kit.site.projects import version_of

SITE, HOSTNAME, EDGE = "web", "web.test", "edge"
RETAINED = 2


class Silent:
    """`ports.Say`."""

    def step(self, name: str) -> None: ...
    def line(self, text: str) -> None: ...
    def done(self, name: str, status: str, seconds: float, text: str) -> None: ...
    def note(self, text: str) -> None: ...
    def warn(self, text: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Ended:
    """A command's process that is over. Without a result it was killed."""

    result: Result | None
    faults: Faults

    @property
    def killed(self) -> bool:
        return self.result is None


@dataclass(frozen=True, slots=True)
class Saved:
    """A world to come back to."""

    memory: bytes
    folders: dict[Path, int]
    files: dict[Path, tuple[bytes, os.stat_result]]


class World:
    def __init__(self, root: Path, *, switch: str = "pointer") -> None:
        self.root = root
        self.state = State(root / "state")
        self.settings = Settings.model_validate(
            {
                "site": SITE,
                "hosts": [HOSTNAME],
                "gate": {"passes": 1, "timeout": "5s", "interval": "100ms"},
                "freshness": {"web_root": WEB_ROOT, "last_modified": "off"},
                "drain": {"timeout": "2s"},
                "retain": {"images": RETAINED, "min_free": 0},
                "assets": {"keep_releases": 1, "keep_days": 0},
                "edge": {"name": EDGE, "state_dir": str(self.state.root), "switch": switch},
            }
        )
        self.engine = FakeEngine()
        self.caddy = FakeCaddy(self.engine, self.state)
        self._up()

    def _up(self) -> None:
        """What `edge up` leaves; it has faults of its own, and tests of its own."""
        self.state.prepare()
        registry = Registry(self.state)
        stored = Stored(edge=self.settings.edge)
        registry.store(stored)
        registry.persist(registry.render(stored, {}), {})
        self.engine.ensure_network(EDGE, {EDGE_LABEL: EDGE})
        self.engine.add_image("caddy", {})
        labels = {EDGE_LABEL: EDGE, STATE_DIR_LABEL: str(self.state.root)}
        plan = ContainerPlan(
            name=EDGE, image="caddy", network=EDGE, labels=labels, restart="unless-stopped"
        )
        self.engine.create(plan)
        self.engine.start(EDGE)
        self.caddy.boot()
        with self._opened(Faults()) as host:
            host.state.key()

    # --- commands -----------------------------------------------------------

    def build(self, version: str, **facts: Any) -> str:
        """An image that others built; its reference."""
        ref = f"app:{version}"
        if ref not in self.engine.tags:
            self.engine.add_image(ref, site_files(version), **facts)
        return ref

    def release(self, version: str, *chosen: Fault, dry_run: bool = False, **facts: Any) -> Ended:
        ref = self.build(version, **facts)
        revision = Revision(name=version, source="", commit_time="")
        ask = release.Ask(revision=revision, image=ref, dry_run=dry_run)
        return self._run(lambda host: release.release(host, ask), chosen)

    def rollback(self, *chosen: Fault, wanted: str = "") -> Ended:
        ask = rollback.Ask(wanted=wanted)
        return self._run(lambda host: rollback.rollback(host, ask), chosen)

    def recover(self, *chosen: Fault, dry_run: bool = False) -> Ended:
        return self._run(lambda host: recover.recover(host, dry_run=dry_run, wait=0.0), chosen)

    def prune(self, *chosen: Fault) -> Ended:
        return self._run(lambda host: prune.prune_site(host, dry_run=False, wait=0.0), chosen)

    def _run(self, command: Callable[[Host], Result], chosen: Sequence[Fault]) -> Ended:
        faults = Faults(tuple(chosen))
        try:
            with self._opened(faults) as host, faults.patched():
                return Ended(command(host), faults)
        except Killed:
            return Ended(None, faults)
        except KeyboardInterrupt:
            return Ended(_interrupted(), faults)  # as the command line tells it
        finally:
            signals._Hold.depth, signals._Hold.pending = 0, False

    @contextmanager
    def _opened(self, faults: Faults) -> Iterator[Host]:
        running = self.running()
        running.admin = faults.proxy("admin", running.admin)
        listeners: Any = running.listeners
        listeners._admin = running.admin
        listeners._preview = faults.proxy("client", listeners._preview)
        public = listeners.public
        listeners.public = lambda host: faults.proxy("client", public(host))
        ledger = Ledger(self.state.ledger, self.state.file_mode)
        try:
            yield Host(
                settings=self.settings,
                engine=faults.proxy("engine", self.engine),
                running=running,
                edge=running.site(self.settings),
                state=self.state,
                ledger=faults.proxy("ledger", ledger),
                say=Silent(),
            )
        finally:
            ledger.close()

    # --- what a test sees ---------------------------------------------------

    @property
    def live(self) -> str:
        """The container that users are sent to; "" while no release is live."""
        proxy = self.caddy.proxy(HOSTNAME)
        if proxy is None:
            return ""
        dial = str(proxy["upstreams"][0]["dial"])
        dial = self.caddy.text_of(dial) if dial.startswith("{file.") else dial
        return "" if dial == IDLE else dial.rpartition(":")[0]

    @property
    def served(self) -> str:
        """The version that users get whole: page and files; "" while there is none.

        AssertionError where they get neither a whole release nor the edge's own 503.
        """
        client = FakeClient(self.caddy, "public")
        page = client.ask("/", host=HOSTNAME, timeout=1, keep_body=True)
        if page.status in (404, 503) and not self.live:
            return ""
        assert page.status == 200, f"users get {page.status} from {self.live}"
        version = version_of(page.body)
        for path, content in site_files(version).items():
            came = client.ask(f"/{path}", host=HOSTNAME, timeout=1, keep_body=True)
            assert (came.status, came.body) == (200, content), f"/{path} of {version} is not whole"
        return version

    def containers(self) -> dict[str, str]:
        """The site's own: name → status."""
        return {
            one.plan.name: one.status
            for one in self.engine.by_id.values()
            if is_container_of(SITE, one.plan.name)
        }

    def tags(self) -> set[str]:
        prefix = f"{image_repository(SITE)}:"
        return {tag for tag in self.engine.tags if tag.startswith(prefix)}

    def temporary_files(self) -> list[Path]:
        found = [path for path in self.state.root.rglob(".*") if path.is_file()]
        return found + list((self.state.store / SITE / "tmp").glob("*"))

    def dump(self) -> dict[str, Any]:
        """Everything outside of the process, but for the lock's words and the debug log."""
        with self._opened(Faults()) as host:
            rows = [
                (row.release.id, row.outcome, row.was_live, row.replaced)
                for row in host.ledger.history(SITE)
            ]
        files = {
            str(path.relative_to(self.state.root)): path.read_bytes()
            for path in sorted(self.state.root.rglob("*"))
            if path.is_file() and path.parent.name not in ("locks", "log")
            if not path.name.startswith("ledger.db") and not path.name.endswith(".lock")
        }
        return {
            "rows": rows,
            "files": files,
            "containers": {
                one.plan.name: (one.status, one.restart) for one in self.engine.by_id.values()
            },
            "tags": dict(self.engine.tags),
            "caddy": json.dumps(self.caddy.running),
        }

    def amiss(self) -> tuple[str, ...]:
        with self._opened(Faults()) as host:
            return status.amiss(host, look(host))

    def ledger_rows(self) -> list[Any]:
        with self._opened(Faults()) as host:
            return list(host.ledger.history(SITE))

    def close_row(self, release_id: str, outcome: str) -> None:
        with self._opened(Faults()) as host:
            host.ledger.finish(release_id, outcome)

    def age_files(self) -> None:
        """Two hours pass for what a dead run left, which others might still have been using."""
        then = time.time() - 7200
        for path in self.temporary_files():
            os.utime(path, (then, then))

    # --- what happens to it -------------------------------------------------

    def restart_edge(self) -> None:
        self.caddy.boot()

    def reboot(self) -> None:
        self.engine.reboot()
        self.caddy.boot()

    def dies_after(self, name: str, command: Callable[..., Ended], *args: Any) -> Ended:
        """The command, killed after the last of its acts of this name: `files.put_in_place`."""
        saved = self.save()
        acts = [str(act) for act in command(*args).faults.acts]
        self.restore(saved)
        last = len(acts) - 1 - acts[::-1].index(name)
        return command(*args, Fault(last, Kind.KILL_AFTER))

    def add_answering(self, body: str) -> None:
        """A plain container of this name on the edge's network, that answers its name."""
        self.engine.add_image(body, {"index.html": body.encode()})
        self.engine.create(ContainerPlan(name=body, image=body, network=EDGE))
        self.engine.start(body)

    def running(self) -> RunningEdge:
        facts = self.engine.inspect(EDGE)
        assert facts is not None
        return self.caddy.edge(facts, Stored(edge=self.settings.edge))

    def add_foreign(self, name: str, **labels: str) -> None:
        """A container of somebody else, perhaps of an image that inherited our labels."""
        self.engine.create(ContainerPlan(name=name, image="caddy", network="", labels=labels))
        self.engine.start(name)

    # --- again and again ----------------------------------------------------

    def save(self) -> Saved:
        tree = sorted(self.state.root.rglob("*"))
        return Saved(
            memory=pickle.dumps((self.engine.__dict__, self.caddy.running, self.caddy.flights)),
            folders={path: path.stat().st_mode for path in tree if path.is_dir()},
            files={path: (path.read_bytes(), path.stat()) for path in tree if path.is_file()},
        )

    def restore(self, saved: Saved) -> None:
        memory, self.caddy.running, self.caddy.flights = pickle.loads(saved.memory)
        self.engine.__dict__.update(memory)
        for path in sorted(self.state.root.rglob("*"), reverse=True):
            if path.is_dir() and path not in saved.folders:
                path.rmdir()
            elif path.is_file() and path not in saved.files:
                path.unlink()
        for path, mode in saved.folders.items():
            if not path.is_dir():
                path.mkdir()
                path.chmod(mode)
        for path, (content, facts) in saved.files.items():
            if not _is_same(path, content, facts):
                path.unlink(missing_ok=True)  # it may be one of several names of a file
                path.write_bytes(content)
                path.chmod(facts.st_mode)
                os.utime(path, (facts.st_atime, facts.st_mtime))


def _is_same(path: Path, content: bytes, facts: os.stat_result) -> bool:
    if not path.is_file() or path.suffix.startswith(".db"):
        return False
    now = path.stat()
    return (now.st_mtime_ns, now.st_size, now.st_ino) == (
        facts.st_mtime_ns,
        facts.st_size,
        facts.st_ino,
    ) and path.read_bytes() == content


def _interrupted() -> Result:
    """What the command line makes of one that reaches it (wiring.py)."""
    error = ErrorFacts(code=130, message="interrupted", hint="run the same command again")
    return Result(command="", outcome="interrupted", site=SITE, exit_code=130, error=error)


FOREIGN_LABELS = {CONTAINER_LABEL: "1", SITE_LABEL: SITE, EDGE_LABEL: EDGE, RELEASE_LABEL: "x"}
