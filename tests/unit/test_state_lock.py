"""The lock: who holds it, what a waiter is told, and that death frees it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from bluegreen.errors import NotFit, SiteBusy
from bluegreen.state import lock as locks

_HOLDER = """
import sys, time
from pathlib import Path
from bluegreen.state import lock as locks
with locks.held(Path(sys.argv[1]), {"command": "bluegreen release"}, 0) as lock:
    lock.update(step="gate")
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "web.lock"


def _holder(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_waiter_is_told_who_holds_it_and_in_which_step(path: Path) -> None:
    """And the kernel frees it when the holder dies, whatever it wrote."""
    with _holder(path) as holder:
        with pytest.raises(SiteBusy) as caught, locks.held(path, {"command": "other"}, 0):
            pass
        assert caught.value.exit_code == 6
        for part in ("bluegreen release", f"pid {holder.pid}", "since", "step gate"):
            assert part in caught.value.message
        assert locks.owner_of(path)["step"] == "gate"
        holder.kill()
        os.waitid(os.P_PID, holder.pid, os.WEXITED | os.WNOWAIT)
        assert locks.owner_of(path) == {}, "dead, though nobody has taken note of it"
    with locks.held(path, {"command": "other"}, 0):
        assert locks.owner_of(path)["pid"] == os.getpid()
    assert locks.owner_of(path) == {}


def test_a_number_that_another_process_has_by_now_holds_nothing(path: Path) -> None:
    path.write_text(f'{{"pid": {os.getppid()}, "command": "bluegreen release"}}')
    assert locks.owner_of(path) == {}


def test_a_waiter_gets_it_as_soon_as_it_is_free(path: Path) -> None:
    """Within its patience."""
    release = threading.Event()
    holds = threading.Event()

    def hold() -> None:
        with locks.held(path, {"command": "first"}, 0):
            holds.set()
            release.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    assert holds.wait(10)
    threading.Timer(0.2, release.set).start()
    started = time.monotonic()
    with locks.held(path, {"command": "second"}, 10):
        assert time.monotonic() - started > 0.1
        assert locks.owner_of(path)["command"] == "second"
    thread.join(10)


@pytest.mark.parametrize(("folder", "file"), [(0o700, 0o600), (0o2770, 0o660)])
def test_the_file_is_for_whom_its_folder_is_for(tmp_path: Path, folder: int, file: int) -> None:
    """Where a group may act, its members can take the lock, whatever the umask."""
    place = tmp_path / "locks"
    place.mkdir()
    place.chmod(folder)
    before = os.umask(0o077)
    try:
        with locks.held(place / "x.lock", {}, 0):
            pass
    finally:
        os.umask(before)
    assert stat.S_IMODE((place / "x.lock").stat().st_mode) == file


def test_a_lock_that_cannot_be_opened_is_said(tmp_path: Path) -> None:
    """With the path and the reason."""
    with (
        pytest.raises(NotFit, match="No such file or directory"),
        locks.held(tmp_path / "none" / "x.lock", {}, 0),
    ):
        pass
