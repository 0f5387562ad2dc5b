"""A build's context as the tar that the classic builder takes."""

from __future__ import annotations

import io
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from docker.utils import exclude_paths

_OUTSIDE = ".bluegreen.dockerfile"


@contextmanager
def packed(context: Path, dockerfile: Path) -> Iterator[tuple[IO[bytes], str]]:
    """The tar, and the Dockerfile's name in it. `.dockerignore` is honoured.

    Owners are zeroed, as the docker CLI does it, so that a chown misses no cache. A
    Dockerfile outside the context goes into the tar alone: docker-py would send its text
    in the URL too. Raises OSError naming a file that cannot be read.
    """
    outside = not dockerfile.resolve().is_relative_to(context.resolve())
    name = _OUTSIDE
    if not outside:
        name = dockerfile.resolve().relative_to(context.resolve()).as_posix()
    with tempfile.TemporaryFile() as file:
        with tarfile.open(mode="w", fileobj=file) as tar:
            for path in sorted(exclude_paths(str(context), _ignored(context), dockerfile=name)):
                _add(tar, context / path, path)
            if outside:
                content = dockerfile.read_bytes()
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
        file.seek(0)
        yield file, name


def _ignored(context: Path) -> list[str]:
    try:
        lines = (context / ".dockerignore").read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        return []
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _add(tar: tarfile.TarFile, source: Path, name: str) -> None:
    if source.is_socket() and not source.is_symlink():
        return  # tar knows no sockets
    entry = tar.gettarinfo(str(source), arcname=name)
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    if entry.isreg():
        with source.open("rb") as content:
            tar.addfile(entry, content)
    else:
        tar.addfile(entry)
