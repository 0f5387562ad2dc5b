"""A real Vite application with lazily loaded routes, built by npm.

    dist = built("3", folder)     # what `vite build` leaves for version 3

Its packages are installed once a machine, in a folder below the temporary one that is named
by the lock file.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

APP = Path(__file__).with_name("vite-app")
_DONE = ".installed"
_PATIENCE = 240.0  # seconds for one run of npm


def built(version: str, target: Path) -> Path:
    """`target`, filled with the application's `version`."""
    folder = _installed()
    _npm(
        folder,
        *("run", "build", "--", "--outDir", str(target), "--emptyOutDir"),
        env={"VITE_VERSION": version},
    )
    return target


def _installed() -> Path:
    """A copy of the application with its packages."""
    lock = (APP / "package-lock.json").read_bytes()
    stem = f"bluegreen-test-vite-{hashlib.sha256(lock).hexdigest()[:12]}"
    folder = Path(tempfile.gettempdir()) / stem
    with folder.with_suffix(".lock").open("a") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        shutil.copytree(APP, folder, dirs_exist_ok=True)
        if not (folder / _DONE).exists():
            _npm(folder, "ci", "--no-audit", "--no-fund", "--ignore-scripts")
            (folder / _DONE).touch()
    return folder


def _npm(folder: Path, *argv: str, env: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        ["npm", *argv],
        cwd=folder,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_PATIENCE,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"npm {' '.join(argv)}: exit code {done.returncode}\n{done.stdout}")
