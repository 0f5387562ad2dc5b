"""Commands on fakes without waiting and without threads, so that each run of one is the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta, tzinfo
from typing import Any, Self
from unittest import mock

from bluegreen.assets import fill
from bluegreen.assets import store as stores
from bluegreen.commands import release, rollback
from bluegreen.edge.caddy import asset_route
from bluegreen.lib import poll
from bluegreen.proof import compare
from bluegreen.proof import page as examining


class _Clock:
    """Waiting costs nothing."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds + 0.001


class Moments(datetime):
    """A minute passes between two releases, unless somebody sets the clock."""

    minutes = 0

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        Moments.minutes += 1
        base = cls(2026, 3, 1, 12, 0, tzinfo=tz)
        return base + timedelta(minutes=Moments.minutes)


class _OneByOne:
    """`ThreadPoolExecutor` without threads: acts come in the same order each time."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def map(self, call: Callable[..., Any], *each: Any) -> list[Any]:
        return [call(*args) for args in zip(*each, strict=False)]


@contextmanager
def fast() -> Iterator[None]:
    """Virtual time, and one thing after the other."""
    clock = _Clock()
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(poll, "time", clock))
        for module in (compare, examining, fill, stores):
            stack.enter_context(mock.patch.object(module, "ThreadPoolExecutor", _OneByOne))
        for module in (asset_route, stores):  # a configuration as small as may be
            stack.enter_context(mock.patch.object(module, "CLASSES", 2))
        for recipe in (release, rollback):
            stack.enter_context(mock.patch.object(recipe, "datetime", Moments))
            stack.enter_context(mock.patch.object(recipe, "new_suffix", lambda: "abcd"))
        yield
