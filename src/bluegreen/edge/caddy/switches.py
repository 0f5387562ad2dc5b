"""The two ways to make a candidate live: rename the pointer, or patch Caddy's upstream."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from bluegreen.edge.caddy import config
from bluegreen.edge.caddy.admin import Admin
from bluegreen.edge.registry import Registry, as_running, route_text
from bluegreen.errors import EdgeError, EdgeUnreachable
from bluegreen.model import IDLE, Upstream
from bluegreen.state import durable

_PATCH_ATTEMPTS = 5
_HOUR = 3600.0


class Switch(Protocol):
    def live(self) -> Upstream | None: ...
    def prepare(self, new: Upstream | None, old: Upstream | None) -> None: ...
    def switch(self, to: Upstream | None) -> None: ...
    def tidy(self) -> None: ...


class PointerSwitch:
    """Rename the file that the edge reads on each attempt to reach an upstream."""

    def __init__(self, registry: Registry, site: str, read_back: Callable[[], str]) -> None:
        """`read_back`: the pointer as the edge sees it."""
        self._registry = registry
        self._site = site
        self._read_back = read_back
        self._path = registry.state.pointer(site)
        self._staged = _Staged()

    def live(self) -> Upstream | None:
        return _parsed(self._registry.pointer(self._site) or IDLE, str(self._path))

    def prepare(self, new: Upstream | None, old: Upstream | None) -> None:
        self._staged.forget(self._path)
        for upstream in (new, old):
            self._staged.add(self._path, _dial(upstream).encode(), 0o644)

    def switch(self, to: Upstream | None) -> None:
        dial = _dial(to)
        if self._registry.pointer(self._site) != dial:
            self._staged.put(self._path, dial.encode(), 0o644)
        try:
            seen = self._read_back()
        except EdgeUnreachable as error:
            # It reads the pointer when it is back.
            raise EdgeUnreachable(
                f"{self._path} names {dial}, and nobody saw it: {error.message}", hint=error.hint
            ) from error
        if seen != dial:
            raise EdgeError(
                f"{self._path} names {dial}, and the edge reads {seen or 'nothing'} there",
                hint="bluegreen edge up --recreate",
            )

    def tidy(self) -> None:
        self._staged.forget(self._path)


class ReloadSwitch:
    """PATCH the site's upstream through the admin API, and persist it for a restart.

    Each switch is a load: requests of every site that arrive in that moment may be dropped.
    """

    def __init__(self, registry: Registry, site: str, admin: Admin) -> None:
        self._registry = registry
        self._site = site
        self._admin = admin
        self._path = f"/id/{config.proxy_id(site)}/upstreams"
        self._staged = _Staged()

    def live(self) -> Upstream | None:
        if self._site not in self._registry.routes():
            return None  # its first release has not come so far
        upstreams, _ = self._admin.tagged(self._path)
        return _parsed(_only_dial(upstreams), f"the edge's upstream of site {self._site}")

    def prepare(self, new: Upstream | None, old: Upstream | None) -> None:
        self._staged.forget(self._registry.route_path(self._site))
        self._staged.forget(self._registry.state.caddy_json, shared=True)
        for upstream in (new, old):
            for path, content in self._files(_dial(upstream)).items():
                self._staged.add(path, content, self._registry.state.file_mode)

    def switch(self, to: Upstream | None) -> None:
        dial = _dial(to)
        with self._registry.locked(f"switch of site {self._site}"):
            self._patch(dial)
            for path, content in self._files(dial).items():
                self._staged.put(path, content, self._registry.state.file_mode)

    def tidy(self) -> None:
        self._staged.forget(self._registry.route_path(self._site))
        self._staged.forget(self._registry.state.caddy_json, shared=True)

    def _patch(self, dial: str) -> None:
        for _ in range(_PATCH_ATTEMPTS):
            upstreams, tag = self._admin.tagged(self._path)
            if _only_dial(upstreams) == dial:
                return
            # Whether it was applied is for the next reading to say, also after a 200.
            self._admin.patch(tag, [{"dial": dial}])
        upstreams, _ = self._admin.tagged(self._path)
        if _only_dial(upstreams) != dial:
            raise EdgeError(
                f"something else changes the edge's upstream of site {self._site} all the time",
                hint="bluegreen edge status",
            )

    def _files(self, dial: str) -> dict[Path, bytes]:
        """What is on disk once the site's upstream is `dial`; the source first."""
        stored = self._registry.stored()
        routes = as_running(self._registry.routes(), self._admin.config())
        if stored is None or self._site not in routes:
            raise EdgeError(f"site {self._site} is not registered", hint="bluegreen edge status")
        routes[self._site] = replace(routes[self._site], dial=dial)
        return {
            self._registry.route_path(self._site): route_text(routes[self._site]),
            self._registry.state.caddy_json: config.to_text(self._registry.render(stored, routes)),
        }


class _Staged:
    """Durable files that wait to be renamed: what is put in place needs no space any more."""

    def __init__(self) -> None:
        self._files: dict[tuple[Path, bytes], Path] = {}

    def forget(self, path: Path, *, shared: bool = False) -> None:
        """Also those that a dead run left beside `path`; where it is `shared` with other sites,
        theirs of the last hour stay."""
        mine = {staged for (target, _), staged in self._files.items() if target == path}
        for staged in path.parent.glob(f"{durable.TEMPORARY}{path.name}-*"):
            with suppress(OSError):
                if not shared or staged in mine or time.time() - staged.stat().st_mtime > _HOUR:
                    staged.unlink()
        self._files = {key: value for key, value in self._files.items() if key[0] != path}

    def add(self, path: Path, content: bytes, mode: int) -> None:
        if (path, content) not in self._files:
            self._files[path, content] = durable.stage(path, content, mode)

    def put(self, path: Path, content: bytes, mode: int) -> None:
        staged = self._files.pop((path, content), None)
        if staged is None or not staged.exists():
            durable.write(path, content, mode)
        else:
            durable.put_in_place(staged, path)


def _dial(upstream: Upstream | None) -> str:
    return IDLE if upstream is None else str(upstream)


def _only_dial(upstreams: object) -> str:
    match upstreams:
        case [{"dial": str(dial)}]:
            return dial
    return ""


def _parsed(dial: str, where: str) -> Upstream | None:
    """ "No release is live" must be said by the idle listener's name, not by nonsense."""
    upstream = Upstream.parse(dial)
    if upstream is None and dial != IDLE:
        raise EdgeError(f"{where} is {dial!r}, which names no container", hint="bluegreen status")
    return upstream
