"""The tool that builds: the docker command with its buildx plugin."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from bluegreen.errors import NotFit

_PATIENCE = 60.0  # seconds for the plugin to tell its version, on a host under load
_VERSION = re.compile(r"\sv?(\d+)\.(\d+)\.(\d+)")
_INSTALL = (
    "sudo apt-get install docker-buildx (Debian 13, Ubuntu), or"
    " sudo apt-get install docker-buildx-plugin (Docker's own packages);"
    " bluegreen release --image REF needs none"
)


@dataclass(frozen=True, slots=True)
class Buildx:
    docker: str  # path of the docker command
    version: tuple[int, ...]

    @property
    def name(self) -> str:
        return f"buildx {'.'.join(map(str, self.version))}"


def require() -> Buildx:
    """The tool, as it tells its version: that takes some 60 ms, so a command asks once.

    Raises NotFit where the docker command or its plugin is missing or broken.
    """
    docker = shutil.which("docker")
    if docker is None:
        raise _lacking("no docker command on PATH")
    try:
        asked = subprocess.run(
            [docker, "buildx", "version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise _lacking("none that answers", [str(error)]) from error
    found = _VERSION.search(asked.stdout)
    if asked.returncode != 0 or found is None:
        raise _lacking("none that answers", asked.stderr.splitlines())
    return Buildx(docker, tuple(map(int, found.groups())))


def _lacking(what: str, said: Sequence[str] = ()) -> NotFit:
    return NotFit(
        f"a build needs docker buildx, and this host has {what}",
        hint=_INSTALL,
        evidence={"log": list(said)},
    )
