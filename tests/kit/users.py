"""The command as another user runs it: with an interpreter that this user may reach."""

from __future__ import annotations

import os
import sys
import sysconfig
from functools import cache
from pathlib import Path

import bluegreen


@cache
def python_for_all() -> str:
    """An interpreter outside root's home; the tests' own where anybody may run it."""
    for candidate in (sys.executable, "/usr/bin/python3"):
        path = Path(candidate).resolve()
        if all(parent.stat().st_mode & 0o005 == 0o005 for parent in path.parents):
            return candidate
    raise FileNotFoundError("no Python that another user may run: install python3")


def python_path() -> dict[str, str]:
    """What that interpreter needs to find the command and all that it imports."""
    paths = (Path(bluegreen.__file__).parent.parent, sysconfig.get_paths()["purelib"])
    return {"PYTHONPATH": os.pathsep.join(str(path) for path in paths)}
