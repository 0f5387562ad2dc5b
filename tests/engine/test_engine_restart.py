"""The engine itself goes and comes back: the same release serves again, with no command.

Named to be found: it stops the machine's engine, and with it every container for a moment.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.world import Host

ROOT = Path(__file__).parents[2]
PID_FILE = Path("/var/run/docker.pid")
BY_SYSTEMD = Path("/run/systemd/system").is_dir()


def stop() -> None:
    if BY_SYSTEMD:
        subprocess.run(["systemctl", "stop", "docker.socket", "docker"], check=True)
        return
    end(int(PID_FILE.read_text()), signal.SIGTERM)


def start() -> None:
    subprocess.run([ROOT / "scripts" / "engine"], check=True, timeout=180)


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


@pytest.fixture
def engine_afterwards() -> Iterator[None]:
    """Whatever happens here, the tests that follow find an engine."""
    yield
    start()


@pytest.mark.usefixtures("engine_afterwards")
@pytest.mark.parametrize("switch", ["pointer", "reload"])
def test_what_was_live_serves_again_after_the_engine_came_back(
    bare_host: Host, switch: str
) -> None:
    bare_host.edge["switch"] = switch
    bare_host.up()
    site = bare_host.site("v1")
    site.bluegreen("release", expect=0)
    site.write("v2")
    live = site.bluegreen("release", expect=0).document["live"]

    bare_host.client.close()  # its kept connections end with the engine
    stop()
    start()

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
