"""Faults at every act that reaches outside the process, in memory and by number.

An adapter's public methods are found by introspection and sorted here by hand: one that is
not sorted fails `unsorted`, so that no act comes into being without its faults.

Death is the world's view of a killed process: from the fatal act on nothing that it tries has
any effect, whatever its `finally` blocks and undos attempt.
"""

from __future__ import annotations

import functools
import inspect
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from unittest import mock

from bluegreen import ports, probe
from bluegreen.assets import Store
from bluegreen.edge.caddy.admin import Admin
from bluegreen.errors import EdgeUnreachable, EngineUnreachable, NotFit
from bluegreen.lib import signals
from bluegreen.model import Exchange
from bluegreen.state import durable
from bluegreen.state.ledger import Ledger


class Kind(StrEnum):
    FAIL_BEFORE = "fails"  # and has no effect
    FAIL_AFTER = "answer lost"  # it has happened
    CTRL_C_BEFORE = "Ctrl-C before"
    CTRL_C_AFTER = "Ctrl-C after"
    KILL_BEFORE = "killed before"
    KILL_AFTER = "killed after"
    GONE = "gone from here on"  # the engine, the edge or the disk, until the command ends


ALL = tuple(Kind)
_AFTER = (Kind.FAIL_AFTER, Kind.CTRL_C_AFTER, Kind.KILL_AFTER)
#: A read that fails, or is killed, leaves the same world before and after it.
OF_READS = (Kind.FAIL_BEFORE, Kind.CTRL_C_BEFORE, Kind.KILL_BEFORE, Kind.GONE)


class Sort(StrEnum):
    WRITE = "write"
    READ = "read"
    OURS = "ours"  # no act of its own: pure, or made of others that are sorted here


_W, _R, _O = Sort.WRITE, Sort.READ, Sort.OURS

#: Adapter → public method or function → sort.
ACTS: Mapping[str, Mapping[str, Sort]] = {
    "engine": {
        **dict.fromkeys(("create", "start", "set_restart", "stop", "remove"), _W),
        **dict.fromkeys(("pull", "tag", "remove_image", "import_image"), _W),
        **dict.fromkeys(("ensure_network", "remove_network"), _W),
        **dict.fromkeys(("facts", "inspect", "logs", "archive", "containers"), _R),
        **dict.fromkeys(("image", "images", "dangling", "images_in_use"), _R),
        **dict.fromkeys(("network_exists", "network_labels"), _R),
    },
    "admin": {
        **dict.fromkeys(("load", "patch"), _W),
        **dict.fromkeys(("config", "tagged", "in_flight", "root_certificate"), _R),
    },
    "client": {"ask": _R, "close": _O},
    "files": {
        **dict.fromkeys(("write", "stage", "put_in_place", "remove", "make_folder"), _W),
        "_write_beside": _W,  # between a temporary file and its rename
        **dict.fromkeys(("sync_folder", "adopt_owner", "not_writable", "disk_trouble"), _O),
    },
    "ledger": {
        **dict.fromkeys(("begin", "built", "inspected", "went_live"), _W),
        **dict.fromkeys(("proven", "step", "finish", "trim"), _W),
        **dict.fromkeys(("get", "find", "history", "unfinished"), _R),
        "close": _O,
    },
    "store": {
        **dict.fromkeys(("prepare", "clear", "class_for", "put"), _W),
        **dict.fromkeys(("move", "take_out", "record", "forget"), _W),
        **dict.fromkeys(("collect", "dress", "sync"), _W),
        **dict.fromkeys(("releases", "where", "headers_of", "classes", "usage", "unneeded"), _R),
        **dict.fromkeys(("temporary", "writing"), _O),
    },
}
_SOURCES: Mapping[str, Any] = {
    "engine": ports.Engine,
    "admin": Admin,
    "client": probe.Client,
    "files": durable,
    "ledger": Ledger,
    "store": Store,
}


def unsorted() -> set[str]:
    """Methods that nobody sorted, and sorted ones that are no more."""
    wrong = set()
    for group, source in _SOURCES.items():
        there = set(_public(source))
        known = {name for name in ACTS[group] if not name.startswith("_")}
        wrong |= {f"{group}.{name}" for name in there ^ known}
    return wrong


def _public(source: Any) -> Iterator[str]:
    module = source.__name__
    for name, value in vars(source).items():
        if name.startswith("_") or not callable(value):
            continue
        if inspect.ismodule(source) and getattr(value, "__module__", "") != module:
            continue
        yield name


class Killed(BaseException):
    """The process is no more."""


@dataclass(frozen=True, slots=True)
class Fault:
    at: int  # the number of the act, from 0
    kind: Kind

    def __str__(self) -> str:
        return f"act {self.at} {self.kind}"


@dataclass(frozen=True, slots=True)
class Act:
    group: str
    name: str

    @property
    def sort(self) -> Sort:
        return ACTS[self.group][self.name]

    @property
    def kinds(self) -> tuple[Kind, ...]:
        return ALL if self.sort is Sort.WRITE else OF_READS

    def __str__(self) -> str:
        return f"{self.group}.{self.name}"


@dataclass
class Faults:
    """One process: counts its acts, and strikes at those that were chosen."""

    chosen: tuple[Fault, ...] = ()
    acts: list[Act] = field(default_factory=list)
    struck: list[str] = field(default_factory=list)
    dead: bool = False
    _gone: set[str] = field(default_factory=set)

    def around(self, act: Act, call: Callable[[], Any]) -> Any:
        if self.dead:
            raise Killed
        number = len(self.acts)
        self.acts.append(act)
        kinds = [fault.kind for fault in self.chosen if fault.at == number]
        for kind in kinds:
            answer = None if kind in _AFTER else self._strike(act, number, kind)
            if answer is not None:
                return answer
        if act.group in self._gone:
            return self._fail(act)
        answer = call()
        for kind in kinds:
            if kind in _AFTER:
                self._strike(act, number, kind)
        return answer

    def _strike(self, act: Act, number: int, kind: Kind) -> Any:
        self.struck.append(f"{act} ({number}) {kind}")
        if kind in (Kind.KILL_BEFORE, Kind.KILL_AFTER):
            self.dead = True
            raise Killed
        if kind in (Kind.CTRL_C_BEFORE, Kind.CTRL_C_AFTER):
            signals._on_signal(signal.SIGINT, None)
            return None
        if kind is Kind.GONE:
            self._gone |= _GONE_WITH[act.group]
        return self._fail(act)

    def _fail(self, act: Act) -> Any:
        if act.group == "engine":
            raise EngineUnreachable(f"the engine gave no answer when asked to {act.name}")
        if act.group == "admin":
            raise EdgeUnreachable(f"the edge gave no answer when asked to {act.name}")
        if act.group == "client":
            return Exchange(via="", url="", host="", error="the connection broke")
        raise NotFit(f"{act} failed: no space left on device")

    # --- what it is put around ---

    def wrapped(self, group: str, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        act = Act(group, name)

        @functools.wraps(call)
        def acting(*args: Any, **options: Any) -> Any:
            return self.around(act, lambda: call(*args, **options))

        return acting

    def proxy(self, group: str, target: Any) -> Any:
        return _Proxy(self, group, target)

    @contextmanager
    def patched(self) -> Iterator[None]:
        """The acts that are called by module and class: files and the asset store."""
        with ExitStack() as stack:
            for group, source in (("files", durable), ("store", Store)):
                for name, sort in ACTS[group].items():
                    if sort is not Sort.OURS:
                        acting = self.wrapped(group, name, getattr(source, name))
                        stack.enter_context(mock.patch.object(source, name, acting))
            yield


#: What goes with what: an edge that is gone answers nowhere, a full disk takes nothing.
_GONE_WITH = {
    "engine": {"engine"},
    "admin": {"admin", "client"},
    "client": {"admin", "client"},
    "files": {"files", "ledger", "store"},
    "ledger": {"files", "ledger", "store"},
    "store": {"files", "ledger", "store"},
}


class _Proxy:
    def __init__(self, faults: Faults, group: str, target: Any) -> None:
        self._faults = faults
        self._group = group
        self._target = target

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._target, name)
        sort = ACTS[self._group].get(name)
        if sort in (None, Sort.OURS):
            return value
        return self._faults.wrapped(self._group, name, value)
