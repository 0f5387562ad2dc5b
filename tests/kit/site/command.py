"""The command in one folder, as people and CI run it: a process of its own, with --json.

    ran = Bluegreen(folder)("release", expect=0)
    running = Bluegreen(folder).start("release"); running.wait_for("gate"); running.kill()

Its interpreter and its imports are those of a warm parent (kit/site/warm.py).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bluegreen
from kit.site import warm

PATIENCE = 180.0  # seconds for one command
#: Modules of the kit that must run before anything is imported.
_COLD = frozenset({"kit.faults.clocks"})
_SOURCES = (str(Path(bluegreen.__file__).parents[1]), str(Path(__file__).parents[2]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A command that has ended."""

    argv: tuple[str, ...]
    code: int  # negative: the signal that ended it
    stdout: str
    stderr: str
    seconds: float

    @property
    def document(self) -> dict[str, Any]:
        """The JSON document: the only thing on stdout."""
        try:
            found: dict[str, Any] = json.loads(self.stdout)
        except ValueError as error:
            raise AssertionError(f"no JSON document on stdout: {self}") from error
        return found

    @property
    def outcome(self) -> str:
        return str(self.document["outcome"])

    @property
    def error(self) -> dict[str, Any]:
        """The document's error; empty when there is none."""
        return self.document.get("error") or {}

    def step(self, name: str) -> dict[str, Any]:
        return next(step for step in self.document["steps"] if step["name"] == name)

    def expect(self, code: int) -> Ran:
        assert self.code == code, f"exit code {self.code}, not {code}: {self}"
        return self

    def __str__(self) -> str:
        return (
            f"{' '.join(self.argv)}: exit code {self.code} after {self.seconds:.1f} s\n"
            f"--- stdout\n{self.stdout}\n--- stderr\n{self.stderr}"
        )


class Running:
    """A command under way; its output is read as it comes."""

    def __init__(
        self, argv: tuple[str, ...], folder: Path, env: Mapping[str, str], module: Sequence[str]
    ) -> None:
        self.argv = argv
        self._began = time.monotonic()
        self._process = _start([*module, *argv], folder, env)
        self.lines: list[str] = []  # of stderr, so far
        self._out: list[str] = []
        self._readers = [
            threading.Thread(target=self._read, args=(stream, kept), daemon=True)
            for stream, kept in (
                (self._process.stdout, self._out),
                (self._process.stderr, self.lines),
            )
        ]
        for reader in self._readers:
            reader.start()

    @staticmethod
    def _read(stream: Any, kept: list[str]) -> None:
        with stream:
            kept.extend(iter(stream.readline, ""))

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def over(self) -> bool:
        return self._process.poll() is not None

    def wait_for(self, text: str, timeout: float = PATIENCE) -> None:
        """Until a line of its progress holds `text`."""
        deadline = time.monotonic() + timeout
        while not any(text in line for line in self.lines):
            if self.over or time.monotonic() > deadline:
                raise AssertionError(f"{text!r} never came: {self.lines}")
            time.sleep(0.005)

    def send(self, number: signal.Signals) -> None:
        """To the command alone, as an operator's kill does."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """The whole group at once, as a lost host does."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def wait(self, timeout: float = PATIENCE) -> Ran:
        try:
            code = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.argv} hung: {''.join(self.lines)}") from None
        for reader in self._readers:
            reader.join(10)
        return Ran(
            argv=self.argv,
            code=code,
            stdout="".join(self._out),
            stderr="".join(self.lines),
            seconds=time.monotonic() - self._began,
        )


def _start(
    argv: list[str], folder: Path, env: Mapping[str, str]
) -> warm.Process | subprocess.Popen[str]:
    if argv[0] not in _COLD:
        return warm.start(argv, folder, env)
    return subprocess.Popen(
        [sys.executable, "-m", *argv],
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


class Bluegreen:
    """Runs the command in one folder, with --json."""

    def __init__(
        self,
        folder: Path,
        env: Mapping[str, str] | None = None,
        module: Sequence[str] = ("bluegreen",),
    ) -> None:
        self.folder = folder
        self.env = dict(env or {})
        self.module = tuple(module)

    def through(self, *module: str) -> Bluegreen:
        """The same command by a module of the kit, in place of the one that comes last now:
        kit.faults.clocks sets a clock and runs what follows, kit.faults.breakpoint is the command
        itself."""
        return Bluegreen(self.folder, self.env, (*self.module[:-1], *module))

    def amid(self, **env: str) -> Bluegreen:
        """The same command with more in its environment."""
        return Bluegreen(self.folder, {**self.env, **env}, self.module)

    def __call__(
        self, *argv: str, expect: int | None = None, timeout: float = PATIENCE, as_json: bool = True
    ) -> Ran:
        ran = self.start(*argv, as_json=as_json).wait(timeout)
        return ran if expect is None else ran.expect(expect)

    def start(self, *argv: str, as_json: bool = True) -> Running:
        kept = {key: value for key, value in os.environ.items() if key[:10] != "BLUEGREEN_"}
        path = os.pathsep.join(filter(None, (*_SOURCES, kept.get("PYTHONPATH", ""))))
        env = {**kept, "PYTHONPATH": path, **self.env}
        return Running((*argv, "--json") if as_json else argv, self.folder, env, self.module)
