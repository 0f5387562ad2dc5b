"""The engine's daemon on this machine: stopped, started, or lost with the power.

Every container on the machine goes with it: only for tests that own it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import docker

ROOT = Path(__file__).parents[3]
_PID_FILE = Path("/var/run/docker.pid")
_BY_SYSTEMD = Path("/run/systemd/system").is_dir()
_PATIENCE = 60.0  # seconds for a process to end


def stop() -> None:
    """As an update of the engine does: its containers are asked to stop."""
    if _BY_SYSTEMD:
        subprocess.run(["systemctl", "stop", "docker.socket", "docker"], check=True)
        return
    pid = int(_PID_FILE.read_text())
    os.kill(pid, signal.SIGTERM)
    _wait_for_end(pid)


def start() -> None:
    """Also well where it runs."""
    subprocess.run([ROOT / "scripts" / "engine"], check=True, timeout=180)


def kill(pid: int) -> None:
    """A process that dies by itself, as it looks to the engine; returns once it is gone."""
    os.kill(pid, signal.SIGKILL)
    _wait_for_end(pid)


def lose_power() -> None:
    """The daemon and every container, at once and with no last word."""
    with closing(docker.from_env()) as client:
        inits = [one.attrs["State"]["Pid"] for one in client.containers.list()]
    daemon = int(_PID_FILE.read_text())
    shims = {parent for pid in inits if (parent := _parent(pid)) > 1}
    lost = [daemon, *_children(daemon), *shims, *inits]
    for pid in lost:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for pid in lost:
        _wait_for_end(pid)


def _wait_for_end(pid: int) -> None:
    deadline = time.monotonic() + _PATIENCE
    while (fields := _fields(pid)) and fields[0] != "Z":
        assert time.monotonic() < deadline, f"process {pid} did not end"
        time.sleep(0.02)


def _parent(pid: int) -> int:
    fields = _fields(pid)
    return int(fields[1]) if fields else 0


def _children(pid: int) -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and _parent(int(entry.name)) == pid:
            yield int(entry.name)


def _fields(pid: int) -> list[str]:
    """State, parent and the rest (Linux, proc_pid_stat(5)); [] where there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
