"""A disk of a test's own below one folder: it can be full, and it can turn read-only.

    with Disk(host.state_dir, "64m") as disk:
        host.up()
        disk.fill(); …; disk.free()
        disk.read_only(); …; disk.writable()

It is a tmpfs: on a full one a rename and an unlink work and no new byte is taken, as on any
other. Root is not above it, as it is above modes.
"""

from __future__ import annotations

import errno
import os
import subprocess
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Self


class Disk(AbstractContextManager["Disk"]):
    """Mounted on `folder` within the block."""

    def __init__(self, folder: Path, size: str) -> None:
        self.folder = folder
        self._size = size
        self._ballast = folder / "ballast"
        self._is_read_only = False

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True)
        _run("mount", "-t", "tmpfs", "-o", f"size={self._size},mode=0700", "tmpfs", self.folder)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.mend()
        _run("umount", "--lazy", self.folder)

    def mend(self) -> None:
        """Sound again, whatever was done to it."""
        if self._is_read_only:
            self.writable()
        self.free()

    def fill(self) -> None:
        """Not one more block is to be had."""
        with self._ballast.open("ab", buffering=0) as file:
            size = 1 << 20
            while size:
                try:
                    file.write(bytes(size))
                except OSError as failed:
                    if failed.errno != errno.ENOSPC:
                        raise
                    size >>= 1
        assert os.statvfs(self.folder).f_bavail == 0

    def free(self) -> None:
        self._ballast.unlink(missing_ok=True)

    def read_only(self) -> None:
        """For whatever is opened from now on. What a process has open stays open to it, as the
        kernel would not let a disk be remounted under it."""
        _run("mount", "--bind", self.folder, self.folder)
        _run("mount", "-o", "remount,bind,ro", self.folder)
        self._is_read_only = True

    def writable(self) -> None:
        _run("umount", "--lazy", self.folder)
        self._is_read_only = False


def _run(*argv: str | Path) -> None:
    subprocess.run(argv, check=True, timeout=60)
