"""Files that survive a crash: temporary name, sync, rename, sync of the folder.

Every file is given its folder's owner (when root writes) and its folder's group, so
that root, the owner and the group see one truth whoever wrote last.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from bluegreen.errors import NotFit

#: How the names of files begin that are not in their place yet.
TEMPORARY = ".tmp-"

#: Bytes: with less than this free the ledger cannot even be opened.
_LEAST = 1 << 18


def write(path: Path, content: bytes, mode: int) -> None:
    """Replace `path` by `content` in one step. Raises NotFit naming the path and the reason."""
    try:
        temporary = _write_beside(path, content, mode)
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise not_writable(path, error) from error


def stage(path: Path, content: bytes, mode: int) -> Path:
    """The durable file that `path.replace` will later put in place: a bare rename then.

    A rename works on a full disk; writing does not.
    """
    try:
        staged = _write_beside(path, content, mode)
        sync_folder(path.parent)
    except OSError as error:
        raise not_writable(path, error) from error
    return staged


def put_in_place(staged: Path, path: Path) -> None:
    try:
        staged.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise not_writable(path, error) from error


def remove(path: Path) -> None:
    """Absent is success, also where nothing could be removed."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        if path.exists():
            raise not_writable(path, error) from error


def make_folder(path: Path, mode: int, *, uid: int = -1, gid: int = -1) -> None:
    """Make `path` if it is missing, with exactly this mode whatever the umask."""
    try:
        if path.is_dir():
            return
        path.mkdir(parents=True)
        if os.geteuid() == 0:
            parent = path.parent.stat()
            os.chown(
                path,
                uid if uid >= 0 else parent.st_uid,
                gid if gid >= 0 else parent.st_gid,
            )
        path.chmod(mode)
    except OSError as error:
        raise not_writable(path, error) from error


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def adopt_owner(path: Path) -> None:
    """Give what root made to the owner and group of the folder that it lies in."""
    if os.geteuid() == 0:
        parent = path.parent.stat()
        os.chown(path, parent.st_uid, parent.st_gid)


def _write_beside(path: Path, content: bytes, mode: int) -> Path:
    temporary = path.with_name(f"{TEMPORARY}{path.name}-{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        adopt_owner(temporary)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def not_writable(path: Path, error: OSError) -> NotFit:
    _, hint = disk_trouble(path.parent)
    return NotFit(
        f"{path} cannot be written: {error.strerror or error}",
        hint=hint or f"check the space and the rights of {path.parent} (owner, group, mode)",
    )


def disk_trouble(folder: Path) -> tuple[str, str]:
    """What keeps everybody from writing below `folder`, and what to do; ("", "") for nothing."""
    try:
        disk = os.statvfs(folder)
    except OSError:
        return "", ""
    if disk.f_flag & os.ST_RDONLY:
        return (
            f"{folder} is on a read-only file system",
            f"make it writable again (dmesg may tell why it is not: findmnt -T {folder}),"
            " then run the same command again",
        )
    if disk.f_bavail * disk.f_frsize < _LEAST:
        return (
            f"the disk of {folder} is full",
            f"free space on the disk of {folder}, then run the same command again",
        )
    return "", ""
