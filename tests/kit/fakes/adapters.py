"""An engine and a Caddy in memory, with the facts that a release depends on.

They pass the same contract tests as the real ones (tests/faults/test_contract.py). The state
folder is a real one: pointer, routes, store and ledger are written by the code under test.
"""

from __future__ import annotations

import copy
import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bluegreen.artifact import media_types
from bluegreen.edge import RunningEdge, Stored
from bluegreen.edge.caddy.admin import Admin
from bluegreen.edge.site import Listeners
from bluegreen.errors import EdgeError, EdgeUnreachable, EngineError
from bluegreen.model import (
    IDLE,
    MAX_BODY,
    ContainerFacts,
    ContainerPlan,
    EngineFacts,
    Exchange,
    ImageFacts,
)
from bluegreen.ports import Line
from bluegreen.state.folder import MOUNT_SITES, MOUNT_STORE, State

WEB_ROOT = "/srv/www"


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeImage:
    """`files`: path below the web root → bytes."""

    id: str
    files: Mapping[str, bytes]
    labels: Mapping[str, str] = field(default_factory=dict)
    port: int = 80
    exits: bool = False  # at its start
    deaf: bool = False  # to its stop signal
    status: int = 200  # what it answers
    public_status: int = 0  # what it answers users, where that differs from the preview
    created: str = "2026-03-01T12:00:00Z"

    @property
    def tar(self) -> bytes:
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w") as tar:
            folder = tarfile.TarInfo("www")
            folder.type = tarfile.DIRTYPE
            tar.addfile(folder)
            for path, data in sorted(self.files.items()):
                entry = tarfile.TarInfo(f"www/{path}")
                entry.size, entry.mtime = len(data), 1_772_366_400
                tar.addfile(entry, io.BytesIO(data))
        return content.getvalue()


@dataclass(slots=True)
class FakeContainer:
    id: str
    plan: ContainerPlan
    image_id: str
    restart: str
    networks: set[str]
    status: str = "created"
    exit_code: int = 0
    started: int = 0  # the engine's own count of starts
    stopped_by_hand: bool = False

    @property
    def facts(self) -> ContainerFacts:
        running = self.status == "running"
        return ContainerFacts(
            id=self.id,
            name=self.plan.name,
            image_id=self.image_id,
            image=self.plan.image,
            status=self.status,
            running=running,
            restarting=False,
            exit_code=self.exit_code,
            error="",
            oom_killed=False,
            restart_count=0,
            started_at=f"2026-03-01T12:00:00.{self.started:09d}Z" if self.started else "",
            health="",
            health_log=(),
            labels=dict(self.plan.labels),
            networks=dict.fromkeys(sorted(self.networks), "172.18.0.2" if running else ""),
            restart_policy=self.restart,
            pid=0,
        )


class FakeEngine:
    """`ports.Engine`."""

    def __init__(self) -> None:
        self.by_id: dict[str, FakeContainer] = {}
        self.newest_falls = False  # once another may not outlive a reboot any more
        self.made_images: dict[str, FakeImage] = {}
        self.tags: dict[str, str] = {}
        self.networks: dict[str, dict[str, str]] = {}
        self._count = 0

    # --- what a test does ---

    def add_image(self, ref: str, files: Mapping[str, bytes], **facts: Any) -> FakeImage:
        image = FakeImage(id=f"sha256:{self._identity()}", files=files, **facts)
        self.made_images[image.id] = image
        self.tags[ref] = image.id
        return image

    def named(self, name: str) -> FakeContainer | None:
        return next((one for one in self.by_id.values() if one.plan.name == name), None)

    def kill(self, name: str) -> None:
        """As `docker kill` does, and as a crash without a restart policy ends."""
        found = self._existing(name, "kill")
        found.status, found.exit_code, found.stopped_by_hand = "exited", 137, True

    def reboot(self) -> None:
        """The engine's own restart: the policies say what runs again."""
        for one in self.by_id.values():
            again = one.status == "running" or (one.restart == "always" and one.started)
            if one.status == "running":
                one.status, one.exit_code = "exited", 137
            if again and one.restart in ("always", "unless-stopped") and not one.stopped_by_hand:
                self._run(one)

    # --- containers ---

    def facts(self) -> EngineFacts:
        return EngineFacts(
            id="fake", version="20.10.0", api="1.41", root_dir="/", local=False, endpoint="fake://"
        )

    def create(self, plan: ContainerPlan) -> str:
        for network in (plan.network, *plan.networks):
            if network not in ("", "none") and network not in self.networks:
                raise _missing(f"create {plan.name}: the network {network} is missing")
        if self.named(plan.name) is not None:
            raise EngineError(f"the container name {plan.name} is taken", status=409)
        image = self._image(plan.image)
        if image is None:
            raise _missing(f"create {plan.name}: No such image: {plan.image}")
        identity = self._identity()
        self.by_id[identity] = FakeContainer(
            id=identity,
            plan=plan,
            image_id=image.id,
            restart=plan.restart,
            networks={plan.network, *plan.networks},
        )
        return identity

    def start(self, which: str) -> None:
        self._run(self._existing(which, "start"))

    def inspect(self, which: str) -> ContainerFacts | None:
        found = self._find(which)
        return found.facts if found else None

    def set_restart(self, which: str, policy: str) -> None:
        self._existing(which, "change the restart policy of").restart = policy
        if self.newest_falls and policy == "no":
            newest = max(self.by_id.values(), key=lambda one: one.started)
            newest.status, newest.exit_code, newest.stopped_by_hand = "exited", 137, True

    def stop(self, which: str, grace: float) -> None:
        found = self._find(which)
        if found is not None and found.status == "running":
            deaf = self.made_images[found.image_id].deaf
            found.status, found.exit_code = "exited", 137 if deaf else 0
            found.stopped_by_hand = True

    def remove(self, which: str) -> None:
        found = self._find(which)
        if found is not None:
            del self.by_id[found.id]

    def logs(self, which: str, tail: int) -> tuple[str, ...]:
        found = self._find(which)
        lines = ("2026-03-01T12:00:00Z started",) if found and found.started else ()
        return lines[-tail:] if tail > 0 else ()

    def archive(self, which: str, path: str) -> Iterator[bytes]:
        found = self._existing(which, f"read {path} from")
        if path.rstrip("/") != WEB_ROOT:
            raise _missing(f"read {path} from {found.plan.name}: no such path")
        return iter([self.made_images[found.image_id].tar])

    def containers(self, labels: Mapping[str, str]) -> tuple[ContainerFacts, ...]:
        facts = [one.facts for one in self.by_id.values()]
        return tuple(one for one in facts if _carries(one.labels, labels))

    # --- images ---

    def image(self, ref: str) -> ImageFacts | None:
        found = self._image(ref)
        return self._image_facts(found) if found else None

    def images(self, repository: str) -> tuple[ImageFacts, ...]:
        ids = {id_: 0 for ref, id_ in self.tags.items() if ref.startswith(f"{repository}:")}
        return tuple(self._image_facts(self.made_images[identity]) for identity in ids)

    def dangling(self, labels: Mapping[str, str]) -> tuple[ImageFacts, ...]:
        return tuple(
            self._image_facts(one)
            for one in self.made_images.values()
            if one.id not in self.tags.values() and _carries(one.labels, labels)
        )

    def pull(self, ref: str, say: Line) -> None:
        raise _missing(f"pull {ref}: there is no registry")

    def tag(self, image_id: str, ref: str) -> None:
        found = self._image(image_id)
        if found is None:
            raise _missing(f"tag {image_id}: No such image")
        self.tags[ref] = found.id

    def remove_image(self, ref: str) -> None:
        found = self._image(ref)
        if found is None:
            return
        tags = [tag for tag, identity in self.tags.items() if identity == found.id]
        used = found.id in self.images_in_use()
        if (len(tags) > 1 and ref == found.id) or (used and len(tags) <= 1):
            raise EngineError(f"the engine could not remove the image {ref}: conflict", status=409)
        self.tags.pop(ref, None)
        if len(tags) <= 1:
            for tag in tags:
                self.tags.pop(tag, None)
            del self.made_images[found.id]

    def import_image(self, tar: Iterable[bytes], ref: str, changes: tuple[str, ...]) -> str:
        for _ in tar:
            pass
        return self.add_image(ref, {}).id

    def images_in_use(self) -> frozenset[str]:
        return frozenset(one.image_id for one in self.by_id.values())

    # --- networks ---

    def network_exists(self, name: str) -> bool:
        return name in self.networks

    def network_labels(self, name: str) -> Mapping[str, str] | None:
        return self.networks.get(name)

    def ensure_network(self, name: str, labels: Mapping[str, str]) -> bool:
        made = name not in self.networks
        self.networks.setdefault(name, dict(labels))
        return made

    def remove_network(self, name: str) -> None:
        if any(name in one.networks and one.status == "running" for one in self.by_id.values()):
            raise EngineError(f"the engine could not remove the network {name}", status=403)
        self.networks.pop(name, None)

    # --- inside ---

    def _identity(self) -> str:
        return hashlib.sha256(str(self._next()).encode()).hexdigest()

    def _next(self) -> int:
        self._count += 1
        return self._count

    def _find(self, which: str) -> FakeContainer | None:
        return self.by_id.get(which) or self.named(which)

    def _existing(self, which: str, verb: str) -> FakeContainer:
        found = self._find(which)
        if found is None:
            raise _missing(f"{verb} {which}: there is no such container")
        return found

    def _image(self, ref: str) -> FakeImage | None:
        return self.made_images.get(self.tags.get(ref, ref))

    def _image_facts(self, image: FakeImage) -> ImageFacts:
        return ImageFacts(
            id=image.id,
            tags=tuple(sorted(tag for tag, identity in self.tags.items() if identity == image.id)),
            digests=(),
            size=sum(map(len, image.files.values())),
            created=image.created,
            labels=image.labels,
            has_healthcheck=False,
        )

    def _run(self, one: FakeContainer) -> None:
        if one.status == "running":
            return
        exits = self.made_images[one.image_id].exits
        one.status, one.exit_code = ("exited", 3) if exits else ("running", 0)
        one.started = self._next()
        one.stopped_by_hand = False


class FakeCaddy:
    """Caddy and the network before it: it runs a configuration, and reads the real pointers."""

    def __init__(self, engine: FakeEngine, state: State) -> None:
        self.engine = engine
        self.state = state
        self.running: dict[str, Any] = {}
        self.flights: dict[str, int] = {}  # address → requests in flight

    def boot(self) -> None:
        """As a restart of its container does."""
        self.running = json.loads(self.state.caddy_json.read_bytes())
        self.flights = {}

    def edge(self, facts: ContainerFacts, stored: Stored) -> RunningEdge:
        admin = FakeAdmin(self)
        return RunningEdge(
            facts,
            self.state,
            stored,
            admin=admin,
            listeners=FakeListeners(self, self.state, stored, admin),
        )

    def proxy(self, host: str) -> dict[str, Any] | None:
        """The site's own handler that this host's requests reach."""
        for route in self.running["apps"]["http"]["servers"]["public"]["routes"]:
            matches = route.get("match", [])
            if not matches or any(host in match.get("host", ()) for match in matches):
                return _with(route, "handler", "reverse_proxy")
        return None

    def answer(self, dial: str, path: str, *, public: bool) -> tuple[int, str, bytes]:
        """Status, media type and body of what an upstream answers."""
        if dial == IDLE:
            return 503, "text/plain", b"no release is live"
        name, _, port = dial.rpartition(":")
        found = self.engine.named(name)
        if found is None or found.status != "running":
            return 502, "text/plain", b""
        image = self.engine.made_images[found.image_id]
        if port != str(image.port):
            return 502, "text/plain", b""
        status = (image.public_status if public else 0) or image.status
        inside = path.partition("?")[0].lstrip("/") or "index.html"
        if status != 200:
            return status, "text/plain", b"trouble"
        if inside not in image.files:
            return 404, "text/plain", b"no such file"
        return 200, media_types.expected(inside), image.files[inside]

    def text_of(self, placeholder: str) -> str:
        """`{file.PATH}` as Caddy replaces it; "" where it reads nothing."""
        inside = placeholder.removeprefix("{file.").removesuffix("}")
        try:
            return self.path_of(inside).read_text().removesuffix("\n")
        except OSError:
            return ""

    def path_of(self, inside: str) -> Path:
        for mount, folder in ((MOUNT_SITES, self.state.sites), (MOUNT_STORE, self.state.store)):
            if inside.startswith(mount):
                return folder / inside.removeprefix(mount).lstrip("/")
        return Path("/nonexistent")


class FakeAdmin(Admin):
    def __init__(self, caddy: FakeCaddy) -> None:
        self._caddy = caddy

    def config(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(json.dumps(self._caddy.running))  # a faster deepcopy
        return found

    def load(self, config: dict[str, Any]) -> None:
        if not config.get("admin"):
            raise ValueError("a configuration without an admin block is never loaded")
        if unknown := config.get("apps", {}).keys() - {"http", "tls", "pki"}:
            raise EdgeError(f"Caddy refused the configuration: unknown module: {unknown}")
        self._caddy.running = copy.deepcopy(config)

    def tagged(self, path: str) -> tuple[Any, str]:
        holder, key = self._holder(path)
        return copy.deepcopy(holder[key]), f'"{path} {_digest(holder[key])}"'

    def patch(self, tag: str, value: list[Any] | dict[str, Any]) -> bool:
        path, _, digest = tag.strip('"').partition(" ")
        holder, key = self._holder(path)
        if _digest(holder[key]) != digest:
            return False
        holder[key] = copy.deepcopy(value)
        return True

    def in_flight(self, address: str) -> int:
        return self._caddy.flights.get(address, 0)

    def root_certificate(self) -> str:
        raise EdgeUnreachable("the fake Caddy has no authority of its own")

    def _holder(self, path: str) -> tuple[Any, Any]:
        """`/id/<@id>/<key>`, as far as it is needed."""
        _, _, identity, key = path.split("/")
        found = _with(self._caddy.running, "@id", identity)
        if found is None or key not in found:
            raise EdgeError(f"the edge's admin API refused {path}: unknown object ID")
        return found, key


class FakeListeners(Listeners):
    def __init__(self, caddy: FakeCaddy, state: State, stored: Stored, admin: Admin) -> None:
        super().__init__(state, stored, admin)
        self._caddy = caddy
        self._preview = FakeClient(caddy, "preview")

    @property
    def preview(self) -> Any:
        return self._preview

    def public(self, host: str) -> Any:
        return FakeClient(self._caddy, "public")


class FakeClient:
    """`probe.Client`."""

    def __init__(self, caddy: FakeCaddy, via: str) -> None:
        self._caddy = caddy
        self._via = via

    def ask(
        self,
        path: str,
        *,
        host: str,
        timeout: float,
        headers: Mapping[str, str] | None = None,
        max_body: int = MAX_BODY,
        keep_body: bool = False,
    ) -> Exchange:
        status, kind, body = self._answer(path, host, headers or {})
        return Exchange(
            via=self._via,
            url=f"http://{self._via}{path}",
            host=host,
            status=status,
            media_type=kind,
            size=len(body),
            sha256=hashlib.sha256(body).hexdigest(),
            head=body[:300].decode("utf-8", "replace"),
            headers={"content-type": kind, "cache-control": "no-cache"},
            body=body if keep_body else b"",
        )

    def close(self) -> None:
        pass

    def _answer(self, path: str, host: str, headers: Mapping[str, str]) -> tuple[int, str, bytes]:
        if what := headers.get("Bluegreen-Ask"):
            mount = MOUNT_STORE if what == "store" else MOUNT_SITES
            file = self._caddy.path_of(f"{mount}{path}")
            return (200, "text/plain", file.read_bytes()) if file.is_file() else (404, "", b"")
        if dial := headers.get("Bluegreen-Dial"):
            return self._caddy.answer(dial, path, public=False)
        proxy = self._caddy.proxy(host)
        if proxy is None:
            return 404, "text/plain", b"No site here has this host name.\n"
        dial = str(proxy["upstreams"][0]["dial"])
        if dial.startswith("{file."):
            dial = self._caddy.text_of(dial)
        return self._caddy.answer(dial, path, public=True)


def site_files(version: str, **more: bytes) -> dict[str, bytes]:
    """A page, the script that it names, and one file that every version has."""
    script = f"/* site-version:{version} */".encode()
    name = f"assets/app-{hashlib.sha256(script).hexdigest()[:8]}.js"
    page = (
        f'<!doctype html><meta name="version" content="site-version:{version}">'
        f'<script type="module" src="/{name}"></script>'
        '<link rel="stylesheet" href="/assets/steady-1a2b3c4d.css">'
    )
    return {
        "index.html": page.encode(),
        name: script,
        "assets/steady-1a2b3c4d.css": b"body{}",
        **more,
    }


def _with(node: Any, key: str, value: str) -> dict[str, Any] | None:
    if isinstance(node, dict):
        if node.get(key) == value:
            return node
        node = list(node.values())
    below = node if isinstance(node, list) else ()
    return next((found for one in below if (found := _with(one, key, value))), None)


def _digest(value: Any) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()[:16]


def _carries(labels: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return all(key in labels and value in ("", labels[key]) for key, value in wanted.items())


def _missing(what: str) -> EngineError:
    return EngineError(f"the engine could not {what}", status=404)
