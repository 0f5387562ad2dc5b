"""Why a file cannot be written is told as what it is: a full disk, a read-only one, or rights."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bluegreen.errors import NotFit
from bluegreen.state import durable
from bluegreen.state.folder import State
from bluegreen.state.ledger import Ledger

Put = Callable[..., None]


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Put:
    """Makes every disk look so: `free` blocks, or read-only."""
    real = os.statvfs

    def put(*, free: int = 1 << 20, flags: int = 0) -> None:
        def seen(path: Path) -> os.statvfs_result:
            facts = list(real(path)[:10])
            facts[1], facts[4], facts[8] = 4096, free, flags
            return os.statvfs_result(facts)

        monkeypatch.setattr(os, "statvfs", seen)

    return put


def test_a_sound_disk_is_no_trouble(disk: Put, tmp_path: Path) -> None:
    disk()
    assert durable.disk_trouble(tmp_path) == ("", "")
    assert durable.disk_trouble(tmp_path / "missing") == ("", "")


def test_a_full_disk_is_named_with_what_to_do(disk: Put, tmp_path: Path) -> None:
    disk(free=0)
    error = durable.not_writable(tmp_path / "live", OSError(errno.ENOSPC, "No space left"))
    assert "No space left" in error.message
    assert error.hint.startswith(f"free space on the disk of {tmp_path}")


def test_a_read_only_disk_is_not_told_as_missing_rights(
    disk: Put, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = State(tmp_path / "state")
    state.prepare()
    disk(flags=os.ST_RDONLY)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(NotFit) as caught:
        state.check_access()
    assert caught.value.message == f"{state.root} is on a read-only file system"
    assert "owner" not in caught.value.hint


def test_a_ledger_on_a_full_disk_names_the_disk(disk: Put, tmp_path: Path) -> None:
    """SQLite itself says "disk I/O error" where it cannot even make its index."""
    (tmp_path / "ledger.db").mkdir()
    disk(free=0)
    with pytest.raises(NotFit) as caught:
        Ledger(tmp_path / "ledger.db", 0o600)
    assert f"the disk of {tmp_path} is full" in caught.value.message
    assert "free space" in caught.value.hint


def test_what_is_not_there_needs_no_removal_where_none_is_possible(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    there = tmp_path / "there"
    there.touch()
    monkeypatch.setattr(Path, "unlink", refuse)
    durable.remove(tmp_path / "absent")
    with pytest.raises(NotFit, match="Read-only"):
        durable.remove(there)
