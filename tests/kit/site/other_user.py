"""The command as another user runs it.

A checkout, or an interpreter, in root's home is nobody else's to enter. The command then gets a
view of the file system of its own, in which such a folder is open.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import bluegreen

_ROOT = Path(bluegreen.__file__).parents[2]
_TIMEOUT = 120.0  # seconds
#: Arguments: the closed folders, "--", the command.
_OPENED = """
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /mnt
while [ "$1" != -- ]; do
    layer=$(mktemp -d -p /mnt)
    mkdir "$layer/upper" "$layer/work"
    mount -t overlay -o "lowerdir=$1,upperdir=$layer/upper,workdir=$layer/work" overlay "$1"
    chmod o+rx "$1"
    shift
done
shift
exec "$@"
"""


def bluegreen_as(
    uid: int, gid: int, *argv: str, folder: Path, home: str, groups: Sequence[int] = ()
) -> subprocess.CompletedProcess[str]:
    """`bluegreen ARGV` in `folder`, with the tests' own interpreter and packages."""
    others = f"--groups={','.join(map(str, groups))}" if groups else "--clear-groups"
    as_user = ["setpriv", f"--reuid={uid}", f"--regid={gid}", others]
    opened = ["unshare", "--mount", "sh", "-c", _OPENED, "sh", *map(str, _closed()), "--"]
    return subprocess.run(
        [*opened, *as_user, sys.executable, "-m", "bluegreen", *argv],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": home},
        capture_output=True,
        text=True,
        timeout=_TIMEOUT,
        check=False,
    )


def _closed() -> list[Path]:
    """The folders on the way to the command that others may not enter, outer ones first."""
    ends = (_ROOT, Path(sys.executable), Path(sys.base_prefix))
    folders = {folder for end in ends for folder in (end.resolve(), *end.parents)}
    return sorted(one for one in folders if one.is_dir() and one.stat().st_mode & 0o005 != 0o005)
