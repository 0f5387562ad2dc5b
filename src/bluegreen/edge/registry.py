"""What the host has stored of its edge: settings, routes, certificates, Caddy's file.

`routes/` and `edge.json` are the source; `config/caddy.json`, which Caddy starts from, is
rendered of them. Whoever writes here holds the edge's lock.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from bluegreen.edge.caddy import config
from bluegreen.edge.caddy.config import Json, Route
from bluegreen.errors import ConfigError, EdgeError
from bluegreen.model import IDLE
from bluegreen.settings import EdgeSettings
from bluegreen.state import durable
from bluegreen.state import lock as locks
from bluegreen.state.folder import State

LOCK_WAIT = 30.0  # seconds; a load takes milliseconds, `edge up` a few seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """The host's `[edge]` settings, as `edge up` applied them."""

    edge: EdgeSettings
    certificates: tuple[str, ...] = ()  # tls = "files": the pairs in certs/, without suffix

    @property
    def switch_kind(self) -> str:
        """`auto` is the pointer on an edge that bluegreen runs: it can always see the file."""
        return "reload" if self.edge.switch == "reload" else "pointer"


class Registry:
    def __init__(self, state: State) -> None:
        self.state = state

    @contextmanager
    def locked(self, command: str) -> Iterator[locks.Held]:
        """One load at a time. Raises SiteBusy naming who holds it."""
        with locks.held(self.state.edge_lock, {"command": command}, LOCK_WAIT) as lock:
            yield lock

    # --- reading ---

    def stored(self) -> Stored | None:
        try:
            document = json.loads(self.state.edge_settings.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise EdgeError(
                f"{self.state.edge_settings} cannot be read: {error}", hint="bluegreen edge up"
            ) from error
        return Stored(
            edge=EdgeSettings.model_validate(document["edge"]),
            certificates=tuple(document.get("certificates", ())),
        )

    def routes(self) -> dict[str, Route]:
        """Each site's route, by its name."""
        found = {}
        try:
            for path in sorted(self.state.routes.glob("[a-z]*.json")):
                document = json.loads(path.read_bytes())
                for key in ("hosts", "assets"):
                    document[key] = tuple(document.get(key, ()))
                found[path.stem] = Route(**document)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise EdgeError(
                f"{self.state.routes} cannot be read: {error}", hint="bluegreen edge status"
            ) from error
        return found

    def pointer(self, site: str) -> str:
        """What the site's pointer holds; "" where there is none."""
        try:
            return self.state.pointer(site).read_text().removesuffix("\n")
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise EdgeError(f"{self.state.pointer(site)} cannot be read: {error}") from error

    def dial(self, route: Route) -> str:
        """What the route leads to by what is stored: the truth while Caddy does not run."""
        if route.switch_kind == "reload":
            return route.dial
        return self.pointer(route.site) or IDLE

    def render(self, stored: Stored, routes: Mapping[str, Route]) -> Json:
        return config.render(
            stored.edge,
            routes,
            socket_mode=self.state.file_mode,
            certificates=stored.certificates,
        )

    # --- writing ---

    def store(self, stored: Stored) -> None:
        document = {
            "edge": stored.edge.model_dump(mode="json"),
            "certificates": list(stored.certificates),
        }
        self._write(self.state.edge_settings, json.dumps(document, indent=1).encode())

    def persist(self, desired: Json, routes: Mapping[str, Route]) -> None:
        """Write what differs; routes first, for the rest is rendered of them."""
        for route in routes.values():
            self._write(self.route_path(route.site), route_text(route))
        self._write(self.state.caddy_json, config.to_text(desired))

    def holds(self, desired: Json, routes: Mapping[str, Route]) -> bool:
        """Whether `persist` would write nothing."""
        return all(
            _holds(self.route_path(route.site), route_text(route)) for route in routes.values()
        ) and _has(self.state.caddy_json, desired)

    def snapshot(self) -> dict[Path, bytes | None]:
        """What `persist` and `store` may change, for `restore`; None where there is no file."""
        paths = [self.state.edge_settings, self.state.caddy_json]
        paths += [self.route_path(site) for site in self.routes()]
        return {path: path.read_bytes() if path.exists() else None for path in paths}

    def restore(self, snapshot: Mapping[Path, bytes | None]) -> None:
        for path, content in snapshot.items():
            if content is None:
                path.unlink(missing_ok=True)
            else:
                self._write(path, content)

    def ensure_pointer(self, site: str) -> None:
        """A pointer is never missing: while no release is live, it names the idle listener."""
        pointer = self.state.pointer(site)
        durable.make_folder(pointer.parent, self.state.folder_mode("sites"))
        if not self.pointer(site):
            self.write_pointer(site, IDLE)

    def write_pointer(self, site: str, dial: str) -> None:
        durable.write(self.state.pointer(site), dial.encode(), 0o644)

    def route_path(self, site: str) -> Path:
        return self.state.routes / f"{site}.json"

    def converted(self, route: Route, kind: str) -> Route:
        """The route with another switch, leading where it leads now."""
        if route.switch_kind == kind:
            return route
        dial = self.dial(route)
        if kind == "pointer":
            durable.make_folder(
                self.state.pointer(route.site).parent, self.state.folder_mode("sites")
            )
            self.write_pointer(route.site, dial)
        return replace(route, switch_kind=kind, dial=dial)

    def copy_certificates(self, edge: EdgeSettings) -> tuple[str, ...]:
        """Copy the operator's certificates to where the edge may read them.

        Named by content, so that a renewed one changes the configuration. ConfigError names
        each file that cannot be read.
        """
        if edge.tls != "files":
            return ()
        pairs, problems = [], []
        for certificate in edge.certificates:
            try:
                pairs.append((certificate.cert.read_bytes(), certificate.key.read_bytes()))
            except OSError as error:
                problems.append(f"edge.certificates: {error.filename}: {error.strerror}")
        if problems:
            raise ConfigError("the edge's certificates cannot be read", problems=tuple(problems))
        names = []
        for cert, key in pairs:
            name = hashlib.sha256(cert + b"\0" + key).hexdigest()[:16]
            self._write(self.state.certs / f"{name}.crt", cert)
            self._write(self.state.certs / f"{name}.key", key)
            names.append(name)
        return tuple(names)

    def forget_certificates(self, kept: tuple[str, ...]) -> None:
        for path in self.state.certs.glob("*.*"):
            if path.stem not in kept:
                path.unlink(missing_ok=True)

    def _write(self, path: Path, content: bytes) -> None:
        if not _holds(path, content):
            durable.write(path, content, self.state.file_mode)


def _holds(path: Path, content: bytes) -> bool:
    try:
        return path.read_bytes() == content
    except OSError:
        return False


def _has(path: Path, document: Json) -> bool:
    try:
        return bool(json.loads(path.read_bytes()) == document)
    except (OSError, ValueError):
        return False


def route_text(route: Route) -> bytes:
    return json.dumps(asdict(route), indent=1).encode()


def as_running(routes: Mapping[str, Route], running: Json) -> dict[str, Route]:
    """The stored routes with the upstreams that Caddy really has.

    With `reload` a switch that was made and not yet persisted must not be undone by another
    site's load.
    """
    return {
        site: replace(route, dial=config.dial_of(running, site) or route.dial)
        if route.switch_kind == "reload" and _is_static(config.dial_of(running, site))
        else route
        for site, route in routes.items()
    }


def _is_static(dial: str) -> bool:
    return bool(dial) and "{" not in dial


def refuse_conflicts(stored: Stored, routes: Mapping[str, Route], site: str) -> None:
    """ConfigError when `site` claims what another site of this edge has."""
    mine = routes[site]
    problems = []
    for other in routes.values():
        if other.site == site:
            continue
        shared = sorted(set(mine.hosts) & set(other.hosts))
        problems += [f"hosts: {host} belongs to site {other.site} on this edge" for host in shared]
        if not mine.hosts and not other.hosts:
            problems.append(
                f"hosts: [] means every other host, and site {other.site} on this edge has that"
            )
    if not mine.hosts and stored.edge.tls == "acme":
        problems.append('hosts: [] gets no certificate with edge.tls = "acme"; name the hosts')
    if problems:
        raise ConfigError(
            f"site {site} cannot be routed by this edge",
            hint="change hosts, or bluegreen edge status to see who has what",
            problems=tuple(problems),
        )
