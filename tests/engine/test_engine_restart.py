"""The engine itself goes and comes back: the same release serves again, with no command.

Named to be found: it stops the machine's engine, and with it every container for a moment.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kit.world import Host

ROOT = Path(__file__).parents[2]
PID_FILE = Path("/var/run/docker.pid")
BY_SYSTEMD = Path("/run/systemd/system").is_dir()


def stop_gracefully() -> None:
    if BY_SYSTEMD:
        subprocess.run(["systemctl", "stop", "docker.socket", "docker"], check=True)
        return
    end(int(PID_FILE.read_text()), signal.SIGTERM)


def kill_hard() -> None:
    """As a lost host does: the engine, its containerd and their shims at once."""
    if BY_SYSTEMD:
        subprocess.run(["systemctl", "kill", "--signal=KILL", "docker"], check=True)
        subprocess.run(["systemctl", "stop", "docker.socket", "docker"], check=True)
        return
    engine = int(PID_FILE.read_text())
    below = children(engine)
    end(engine, signal.SIGKILL)
    for pid in below:
        end(pid, signal.SIGKILL)


def children(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it may end meanwhile
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(stat.parent.name))
    return found


def end(pid: int, number: signal.Signals) -> None:
    os.kill(pid, number)
    deadline = time.monotonic() + 60
    while Path(f"/proc/{pid}").exists() and not is_zombie(pid):
        assert time.monotonic() < deadline, f"process {pid} did not end"
        time.sleep(0.05)


def is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.parametrize("stop", [stop_gracefully, kill_hard], ids=["stopped", "killed"])
@pytest.mark.parametrize("switch", ["pointer", "reload"])
def test_what_was_live_serves_again_after_the_engine_came_back(
    bare_host: Host, stop: Callable[[], None], switch: str
) -> None:
    bare_host.edge["switch"] = switch
    bare_host.up()
    site = bare_host.site("v1")
    site.bluegreen("release", expect=0)
    site.write("v2")
    live = site.bluegreen("release", expect=0).document["live"]

    stop()
    subprocess.run([ROOT / "scripts" / "engine"], check=True, timeout=180)

    bare_host.wait_until_it_answers(60)
    deadline = time.monotonic() + 60
    while bare_host.get(site).version != "v2" and time.monotonic() < deadline:
        time.sleep(0.2)
    assert bare_host.get(site).version == "v2"
    assert len(site.containers()) == 1
    assert site.bluegreen("status", expect=0).document["live"] == live
    site.write("v3")
    site.bluegreen("release", expect=0)
    assert bare_host.get(site).version == "v3"
