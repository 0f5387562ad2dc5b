"""Image → manifest: what an image would serve, read without running it.

One pass over the engine's tar stream, in memory that does not grow with the files' sizes:
each is hashed as it comes, and a script or a stylesheet is looked into on the way, so that
only the names in it stay.
"""

from __future__ import annotations

import hashlib
import math
import posixpath
import re
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from bluegreen.artifact import decompress, media_types
from bluegreen.artifact.needs.named import Named
from bluegreen.artifact.needs.script import of_script
from bluegreen.artifact.needs.style import of_style
from bluegreen.artifact.symlinks import Tree
from bluegreen.artifact.tar import Broken, TarStream
from bluegreen.errors import Rejected
from bluegreen.model import FileFact, Manifest

#: A site of more files, or of more bytes, is taken for a mistake (a whole disk as web root).
MAX_FILES = 200_000
MAX_BYTES = 20 << 30
#: Larger pages, scripts and stylesheets are compared, but not looked into.
MAX_LOOKED_INTO = 8 << 20
#: Bytes of scripts and stylesheets that are looked into, in one image.
MAX_LOOKED_INTO_ALL = 256 << 20
#: Bytes of JSON files (manifests) that are kept for a look, in one image.
_MAX_KEPT = 4 << 20
_MAX_JSON = 1 << 20
_MAX_NAMES = 500_000  # in all scripts and stylesheets of one image
#: Control characters, and bytes that are not UTF-8: no terminal, database or JSON takes them.
_UNLISTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_JSON_NAMES = frozenset({"manifest.json"})
_SHOWN = 3

_T = TypeVar("_T")
_Scanner = Callable[[bytes], tuple[Named, ...]]
_SCANNERS: Mapping[str, _Scanner] = {
    "text/javascript": of_script,
    "text/css": of_style,
}


@dataclass(frozen=True, slots=True)
class WebRoot:
    """What a web server would serve from the folder."""

    manifest: Manifest
    kept: Mapping[str, bytes]  # content: what was asked for, and every web or build manifest
    named: Mapping[str, tuple[Named, ...]]  # what each script and stylesheet names
    stale: Mapping[str, str]  # precompressed twin → what is wrong with it
    unserved: Mapping[str, str] = field(default_factory=dict)  # link → where it leads, outside
    not_looked_into: tuple[str, ...] = ()  # scripts and stylesheets that are too large
    warnings: tuple[str, ...] = ()


def read(
    chunks: Iterator[bytes],
    keep: frozenset[str] = frozenset(),
    *,
    folder: str = "/",
    timeout: float = math.inf,
) -> WebRoot:
    """The manifest of a tar stream whose first folder is the web root.

    `folder`: where the web root is in the image, for links with absolute targets. `keep`:
    paths whose content is wanted, of at most MAX_LOOKED_INTO bytes. `timeout`: seconds. Links
    are followed inside the root, as a web server would; links that leave it are not served
    and not listed. Raises Rejected where the stream is no tar, breaks off, names what lies
    outside of its folder, or is larger than the limits above.
    """
    root = _Root(keep, folder)
    try:
        with TarStream(chunks, timeout) as stream:
            for entry in stream:
                root.take(stream, entry)
    except Broken as error:
        raise Rejected(f"the web root cannot be read from the image: {error}") from error
    return root.whole()


def digest(files: Mapping[str, FileFact]) -> str:
    """SHA-256 over the sorted paths and their digests."""
    total = hashlib.sha256()
    for path in sorted(files):
        total.update(f"{files[path].sha256}  {path}\0".encode(errors="surrogateescape"))
    return total.hexdigest()


class _Root:
    """What was read so far."""

    def __init__(self, keep: frozenset[str], folder: str) -> None:
        self._keep = keep
        self._tree = Tree(folder)
        self._prefix: str | None = None
        self._files: dict[str, FileFact] = {}
        self._bytes = self._looked_into = self._kept_bytes = self._names = 0
        self._kept: dict[str, bytes] = {}
        self._named: dict[str, tuple[Named, ...]] = {}
        self._stale: dict[str, str] = {}
        self._too_large: list[str] = []
        self._special: list[str] = []
        self._entries = 0

    def take(self, stream: TarStream, entry: tarfile.TarInfo) -> None:
        self._entries += 1
        if self._entries > MAX_FILES:
            raise _too_many()
        path = self._below_root(entry)
        if not path or entry.isdir():
            return
        self._forget(path)
        if entry.isreg():
            self._take_file(stream, entry, path)
        elif entry.issym():
            self._tree.link(path, entry.linkname)
        elif entry.islnk():
            self._tree.same(path, self._inside(entry.linkname))
        else:
            self._special.append(path)

    def _forget(self, path: str) -> None:
        """A later entry of the same name takes the place of the one before."""
        for kept in (self._files, self._kept, self._named, self._stale):
            kept.pop(path, None)

    def _take_file(self, stream: TarStream, entry: tarfile.TarInfo, path: str) -> None:
        self._bytes += entry.size
        if self._bytes > MAX_BYTES:
            raise Rejected(
                f"the web root holds more than {MAX_BYTES >> 30} GB",
                hint="correct freshness.web_root: is it the folder of the built site alone?",
            )
        kind = media_types.expected(path)
        scan = self._scanner(path, kind, entry.size)
        keep = self._is_kept(path, entry.size)
        total, content = hashlib.sha256(), bytearray()

        def data() -> Iterator[bytes]:
            for chunk in stream.data(entry):
                total.update(chunk)
                if keep or scan:
                    content.extend(chunk)
                yield chunk

        source = data()
        plain = self._plain_of(path)
        if plain:
            self._compare(path, plain, source)
        for _ in source:
            pass  # what is left of it is hashed, too
        self._files[path] = FileFact(
            total.hexdigest(), entry.size, kind, modified=float(entry.mtime)
        )
        if keep:
            self._kept[path] = bytes(content)
            self._kept_bytes += len(content)
        if scan:
            self._look_into(scan, path, content)

    def _look_into(self, scan: _Scanner, path: str, content: bytearray) -> None:
        self._looked_into += len(content)
        found = scan(bytes(content))
        self._names += len(found)
        if self._names > _MAX_NAMES:
            self._too_large.append(path)
        elif found:
            self._named[path] = tuple(dict.fromkeys(found))

    def _scanner(self, path: str, kind: str, size: int) -> _Scanner | None:
        scan = _SCANNERS.get(kind)
        if scan and (size > MAX_LOOKED_INTO or self._looked_into + size > MAX_LOOKED_INTO_ALL):
            self._too_large.append(path)
            return None
        return scan

    def _is_kept(self, path: str, size: int) -> bool:
        if path in self._keep:
            return size <= MAX_LOOKED_INTO
        name = posixpath.basename(path)
        wanted = name in _JSON_NAMES or name.endswith(".webmanifest")
        return wanted and size <= _MAX_JSON and self._kept_bytes + size <= _MAX_KEPT

    # --- precompressed twins -------------------------------------------------

    def _plain_of(self, path: str) -> str:
        """The file that `path` is a precompressed twin of; "" where it is none.

        The engine packs a folder in the order of its names: `a.js` comes before `a.js.br`.
        """
        plain, suffix = posixpath.splitext(path)
        return plain if suffix in decompress.CODINGS and plain in self._files else ""

    def _compare(self, path: str, plain: str, source: Iterator[bytes]) -> None:
        fact = self._files[plain]
        coding = decompress.CODINGS[posixpath.splitext(path)[1]]
        total, size = hashlib.sha256(), 0
        try:
            for piece in decompress.decoded(coding, source):
                total.update(piece)
                size += len(piece)
                if size > fact.size:
                    break
        except decompress.Undecodable as error:
            self._stale[path] = f"it cannot be decoded: {error}"
            return
        if total.hexdigest() != fact.sha256:
            self._stale[path] = f"its content is not that of {plain}"

    # --- names ---------------------------------------------------------------

    def _below_root(self, entry: tarfile.TarInfo) -> str:
        """`www/assets/a.js` → `assets/a.js`; the engine names the root by its last folder."""
        name = _normal(entry.name)
        if self._prefix is None:
            self._prefix = name if entry.isdir() else name.partition("/")[0]
            if not entry.isdir() and "/" not in name:
                raise Rejected(
                    "the web root is not a folder in the image",
                    hint="correct freshness.web_root, or what the Dockerfile copies there",
                )
        return self._inside(name)

    def _inside(self, name: str) -> str:
        name, prefix = _normal(name), self._prefix or ""
        if name == prefix:
            return ""
        if prefix and not name.startswith(prefix + "/"):
            raise _outside(name)
        return name[len(prefix) + 1 :] if prefix else name

    # --- the end -------------------------------------------------------------

    def whole(self) -> WebRoot:
        served, unserved = self._tree.served(self._files, MAX_FILES)
        if served is None:
            raise _too_many()
        total = digest({path: self._files[source] for path, source in served.items()})
        warnings = []
        unlistable = [path for path in served if _UNLISTABLE.search(path)]
        if unlistable:
            warnings.append(
                f"{_count(len(unlistable), 'file')} under the web root with names that are not"
                f" plain UTF-8 text are not compared: {_shown(unlistable)}"
            )
        if self._special:
            warnings.append(
                f"{_count(len(self._special), 'entry', 'entries')} under the web root"
                f" are devices or pipes and are not served: {_shown(self._special)}"
            )
        if unserved:
            warnings.append(
                f"{_count(len(unserved), 'link')} under the web root lead out of it or nowhere"
                f" and are not compared: {_shown([f'{a} → {b}' for a, b in unserved.items()])}"
            )
        files: dict[str, FileFact] = {}
        for path, source in served.items():
            if not _UNLISTABLE.search(path):
                files[path] = self._fact(path, source)
        return WebRoot(
            manifest=Manifest(files, total),
            kept=_through(served, self._kept),
            named=_through(served, self._named),
            stale=self._stale,
            unserved=unserved,
            not_looked_into=tuple(self._too_large),
            warnings=tuple(warnings),
        )

    def _fact(self, path: str, source: str) -> FileFact:
        fact = self._files[source]
        if path == source:
            return fact
        return FileFact(fact.sha256, fact.size, media_types.expected(path), fact.modified)


def _through(served: Mapping[str, str], of: Mapping[str, _T]) -> dict[str, _T]:
    return {path: of[source] for path, source in served.items() if source in of}


def _normal(name: str) -> str:
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise _outside(name)
    return "/".join(parts)


def _outside(name: str) -> Rejected:
    return Rejected(
        f"the engine's archive of the web root names {name!a}, which lies outside of it",
        hint="nothing of it was used: is the image sound? Build it anew",
    )


def _too_many() -> Rejected:
    return Rejected(
        f"the web root holds more than {MAX_FILES:,} files (or links to them)",
        hint="correct freshness.web_root: is it the folder of the built site alone?",
    )


def _count(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"


def _shown(paths: list[str]) -> str:
    rest = len(paths) - _SHOWN
    shown = ", ".join(ascii(path)[1:-1] for path in sorted(paths)[:_SHOWN])
    return shown + (f" and {rest} more" if rest > 0 else "")
