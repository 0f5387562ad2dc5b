"""The command, dying by SIGKILL at one of its acts:

    python -m kit.faults.killing count FILE release --image …     # notes its acts, one a line
    python -m kit.faults.killing before 17 release --image …
    python -m kit.faults.killing after 17 release --image …

The acts are those of kit/faults/acts.py, put around the adapters from outside.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from bluegreen import probe
from bluegreen.assets import Store
from bluegreen.cli.app import main
from bluegreen.edge.caddy.admin import Admin
from bluegreen.engine import DockerEngine
from bluegreen.state import durable
from bluegreen.state.ledger import Ledger
from kit.faults.acts import ACTS, Act, Sort

_REAL: dict[str, Any] = {
    "engine": DockerEngine,
    "admin": Admin,
    "client": probe.Client,
    "files": durable,
    "ledger": Ledger,
    "store": Store,
}


class Fate(Protocol):
    """What befalls the acts."""

    def around(self, act: Act, call: Callable[..., Any]) -> Callable[..., Any]: ...


class _Death:
    def __init__(self, when: str, what: str) -> None:
        self._when = when
        self._what = what
        self._count = 0
        self._lock = threading.Lock()  # probes come from several threads

    def _next(self, act: Act) -> int:
        with self._lock:
            number = self._count
            self._count += 1
            if self._when == "count":
                with Path(self._what).open("a") as file:
                    file.write(f"{act.group} {act.name}\n")
            return number

    def around(self, act: Act, call: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(call)
        def acting(*args: Any, **options: Any) -> Any:
            number = self._next(act)
            self._strike("before", number)
            answer = call(*args, **options)
            self._strike("after", number)
            return answer

        return acting

    def _strike(self, when: str, number: int) -> None:
        if self._when == when and number == int(self._what):
            os.kill(os.getpid(), signal.SIGKILL)
            signal.pause()


def put_around(fate: Fate) -> None:
    """Each act that reaches outside is what `fate` makes of it, in this process."""
    for group, target in _REAL.items():
        for name, sort in ACTS[group].items():
            if sort is not Sort.OURS:
                setattr(target, name, fate.around(Act(group, name), getattr(target, name)))


if __name__ == "__main__":
    when, what = sys.argv[1:3]
    del sys.argv[1:3]
    put_around(_Death(when, what))
    main()
