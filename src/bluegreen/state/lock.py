"""A lock that the kernel frees when its holder dies, and that names its holder.

flock(2) on a file that stays; the file's content is the holder's JSON (pid, command,
since, step), for whoever waits. The content is advice, the lock is the truth.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bluegreen.errors import SiteBusy
from bluegreen.state import durable

_POLL = 0.05  # seconds; flock(2) itself knows no timeout but a signal


class Held:
    """The lock, held. `update` tells those who wait what its holder does now."""

    def __init__(self, descriptor: int, owner: Mapping[str, Any]) -> None:
        self._descriptor = descriptor
        self._owner = dict(owner)
        self.update()

    def update(self, **facts: Any) -> None:
        self._owner.update(facts)
        # Advice only: a full disk must not fail the work that it speaks of.
        with suppress(OSError):
            text = json.dumps(self._owner).encode()
            os.pwrite(self._descriptor, text, 0)
            os.ftruncate(self._descriptor, len(text))

    def forget(self) -> None:
        with suppress(OSError):
            os.ftruncate(self._descriptor, 0)


@contextmanager
def held(path: Path, owner: Mapping[str, Any], wait: float) -> Iterator[Held]:
    """Hold `path` exclusively, waiting at most `wait` seconds (0: try once).

    Writes `owner` with this process's pid and the time into it. A file that is made now is
    for the folder's group too where the folder is. Raises SiteBusy naming the holder; NotFit
    where the file cannot be opened.
    """
    descriptor = _open(path)
    try:
        _acquire(descriptor, path, wait)
        facts = {"pid": os.getpid(), "since": datetime.now(UTC).isoformat(timespec="seconds")}
        lock = Held(descriptor, {**facts, **owner})
        try:
            yield lock
        finally:
            lock.forget()
    finally:
        os.close(descriptor)


def owner_of(path: Path) -> dict[str, Any]:
    """Who holds `path`, as they wrote it; {} where nobody does or the writer is gone."""
    try:
        owner = json.loads(path.read_bytes())
        pid = int(owner["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return {}
    except PermissionError:
        pass  # alive, and somebody else's
    return dict(owner) if _is_locked(path) else {}


def _is_locked(path: Path) -> bool:
    """By the kernel's list, for taking it to find out might fail another command just then.

    A number alone may be a dead process's that nobody has taken note of, or another's by now.
    """
    try:
        inode, locks = path.stat().st_ino, Path("/proc/locks").read_text()
    except OSError:
        return True  # nothing is known but the number
    return any(line.split()[5].endswith(f":{inode}") for line in locks.splitlines())


def _open(path: Path) -> int:
    try:
        try:
            return os.open(path, os.O_RDWR)
        except FileNotFoundError:
            mode = 0o660 if path.parent.stat().st_mode & stat.S_IWGRP else 0o600
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, mode)
            if os.fstat(descriptor).st_uid == os.geteuid():
                os.fchmod(descriptor, mode)  # whatever the umask
                durable.adopt_owner(path)
            return descriptor
    except OSError as error:
        raise durable.not_writable(path, error) from error


def _acquire(descriptor: int, path: Path, wait: float) -> None:
    deadline = time.monotonic() + wait
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise _busy(path) from None
            time.sleep(_POLL)
        else:
            return


def _busy(path: Path) -> SiteBusy:
    owner = owner_of(path)
    if not owner:
        return SiteBusy(f"another command holds {path}", hint="wait for it, or use --wait SECONDS")
    text = f"{owner.get('command') or 'another command'} (pid {owner['pid']}) holds {path}"
    if owner.get("since"):
        text += f" since {owner['since']}"
    if owner.get("step"):
        text += f", in step {owner['step']}"
    return SiteBusy(text, hint="wait for it, or use --wait SECONDS", evidence={"owner": owner})
