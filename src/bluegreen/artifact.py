"""Image → manifest: what an image would serve, read without running it."""

from __future__ import annotations

import hashlib
import io
import posixpath
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, replace

from bluegreen import media
from bluegreen.errors import Rejected
from bluegreen.model import FileFact, Manifest

_CHUNK = 1 << 20
#: A page larger than this is not kept for parsing; its digest still counts.
_KEPT_LIMIT = 8 << 20


@dataclass(frozen=True, slots=True)
class WebRoot:
    manifest: Manifest
    kept: dict[str, bytes]  # the content of the paths that were asked for


def read(chunks: Iterator[bytes], keep: frozenset[str] = frozenset()) -> WebRoot:
    """The manifest of a tar stream whose first folder is the web root.

    Memory is bounded by one chunk and the kept files. Links are followed inside the root,
    as a web server would; links that leave it are not served and not listed. Raises
    Rejected where the stream is no tar.
    """
    root = _Root(keep)
    try:
        with tarfile.open(fileobj=io.BufferedReader(_Stream(chunks), _CHUNK), mode="r|") as tar:
            for entry in tar:
                root.take(tar, entry)
    except (tarfile.TarError, EOFError) as error:
        raise Rejected(f"the web root cannot be read from the image: {error}") from error
    root.follow_links()
    return WebRoot(Manifest(root.files, digest(root.files)), root.kept)


class _Root:
    """What was read so far."""

    def __init__(self, keep: frozenset[str]) -> None:
        self._keep = keep
        self._links: dict[str, str] = {}
        self.files: dict[str, FileFact] = {}
        self.kept: dict[str, bytes] = {}

    def take(self, tar: tarfile.TarFile, entry: tarfile.TarInfo) -> None:
        path = _below_root(entry.name)
        if not path:
            return
        if entry.isreg():
            self.files[path], content = _read_file(tar, entry, path in self._keep)
            if path in self._keep:
                self.kept[path] = content
        elif entry.issym():
            self._links[path] = posixpath.join(posixpath.dirname(path), entry.linkname)
        elif entry.islnk():
            self._links[path] = _below_root(entry.linkname)

    def follow_links(self) -> None:
        for path, target in self._links.items():
            source = _resolve(target, self._links)
            fact = self.files.get(source)
            if fact is None:
                continue
            self.files[path] = replace(fact, media_type=media.expected(path))
            if path in self._keep and source in self.kept:
                self.kept[path] = self.kept[source]


def digest(files: dict[str, FileFact]) -> str:
    """SHA-256 over the sorted paths and their digests."""
    total = hashlib.sha256()
    for path in sorted(files):
        total.update(f"{files[path].sha256}  {path}\n".encode("utf-8", errors="surrogateescape"))
    return total.hexdigest()


def _below_root(name: str) -> str:
    """`www/assets/a.js` → `assets/a.js`; the engine names the root by its last folder."""
    return posixpath.normpath(name).partition("/")[2]


def _resolve(target: str, links: dict[str, str]) -> str:
    for _ in range(40):  # Linux follows at most 40 links (path_resolution(7))
        target = posixpath.normpath(target)
        if target not in links:
            return target
        target = links[target]
    return ""


def _read_file(tar: tarfile.TarFile, entry: tarfile.TarInfo, keep: bool) -> tuple[FileFact, bytes]:
    source = tar.extractfile(entry)
    total = hashlib.sha256()
    content = bytearray()
    while source is not None and (chunk := source.read(_CHUNK)):
        total.update(chunk)
        if keep and len(content) < _KEPT_LIMIT:
            content += chunk
    fact = FileFact(
        total.hexdigest(), entry.size, media.expected(entry.name), modified=float(entry.mtime)
    )
    return fact, bytes(content)


class _Stream(io.RawIOBase):
    """An iterator of chunks as the file that tarfile wants."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count
