"""Large web roots: an image with as many bytes and files as a test asks for."""

from __future__ import annotations

import io
import os
import secrets
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager

import docker

from kit.site.images import PREFIX

WEB_ROOT = "srv/www"
_PER_FOLDER = 500


@contextmanager
def large_image(client: docker.DockerClient, *, files: int, size: int) -> Iterator[str]:
    """The reference of an image whose web root has `files` files of `size` bytes in all."""
    ref = f"{PREFIX}/large:{secrets.token_hex(6)}"
    importing = subprocess.Popen(
        ["docker", "import", "--change", 'CMD ["/none"]', "-", ref],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    assert importing.stdin is not None
    try:
        with (
            importing.stdin,
            tarfile.open(fileobj=importing.stdin, mode="w|", bufsize=1 << 20) as tar,
        ):
            _write(tar, files, size // files)
        assert importing.wait(120) == 0, "docker import failed"
        yield ref
    finally:
        importing.kill()
        importing.wait()
        client.images.remove(ref)


def _write(tar: tarfile.TarFile, files: int, each: int) -> None:
    """No two files alike, and nothing that a file system could leave out as empty."""
    pool = memoryview(os.urandom(each + files))
    for number in range(files):
        folder = f"{WEB_ROOT}/assets/{number // _PER_FOLDER:03}"
        _add(tar, f"{folder}/file-{number:05}.bin", pool[number : number + each])
    _add(tar, f"{WEB_ROOT}/index.html", memoryview(b"<!doctype html><title>large</title>\n"))


def _add(tar: tarfile.TarFile, path: str, content: memoryview) -> None:
    entry = tarfile.TarInfo(path)
    entry.size = len(content)
    tar.addfile(entry, io.BytesIO(content))
