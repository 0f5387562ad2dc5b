"""Whether anybody listens on a Unix socket."""

from __future__ import annotations

import socket
from pathlib import Path


def knock(path: Path, timeout: float) -> None:
    """Return if somebody accepts connections on `path`; raises the OSError that says why not.

    httpcore leaves its socket open when a connect fails, which a poll for a listener that is
    yet to come does many times; and its error hides whether the file or the right was missing.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
        door.settimeout(timeout)
        door.connect(str(path))
