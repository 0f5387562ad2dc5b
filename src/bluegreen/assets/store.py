"""The store of one site on disk. Whoever writes here holds the site's lock.

<folder>/                  mounted into the edge, read-only
  <class>/files/<path>       what the edge serves
  <class>/headers/<name>     with which headers: one file each
  releases/<id>.json         which release needs which paths, with their digests
  tmp/                       files on their way; a dead run's are removed by the next

Files come in by rename, once all of them are synced and their digests are right. A file
that no release's document names is a dead run's, and goes with the next collection.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from bluegreen.artifact.asset_paths import is_safe
from bluegreen.assets.headers import CLASSES, Recorded, as_files, class_name, fits, from_files
from bluegreen.errors import NotFit
from bluegreen.model import RELEASE_ID
from bluegreen.state import durable

_PARALLEL = 8  # syncs; a journal takes several in one commit


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as a release has it: what is recorded of it."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """One release in the store, by URL path."""

    id: str
    files: Mapping[str, Asset]
    #: Paths that were seen with other bytes than before: never stored again.
    changing: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    files: int = 0
    size: int = 0  # bytes
    releases: int = 0


@dataclass(slots=True)
class Store:
    folder: Path
    folder_mode: int
    file_mode: int  # of the documents; what is served is for the edge to read
    _classes: dict[int, Recorded] = field(default_factory=dict)
    #: Folders with names that are new since the last sync of them.
    _touched: set[Path] = field(default_factory=set)

    # --- reading ------------------------------------------------------------

    def releases(self) -> tuple[Contents, ...]:
        """In the order of their ids. NotFit for a document that cannot be read."""
        found = []
        for path in sorted((self.folder / "releases").glob("*.json")):
            if RELEASE_ID.match(path.stem):
                with self._faults(path), suppress(FileNotFoundError):  # collected meanwhile
                    found.append(_contents(path.stem, json.loads(path.read_bytes())))
        return tuple(found)

    def where(self, path: str) -> int | None:
        """The class whose folder has the file at `path`."""
        return next((n for n in range(CLASSES) if self._file(n, path).is_file()), None)

    def headers_of(self, number: int) -> Recorded:
        return self.classes().get(number, ())

    def classes(self) -> dict[int, Recorded]:
        """The classes that are in use."""
        if not self._classes:
            for number in range(CLASSES):
                folder = self._class(number) / "headers"
                if folder.is_dir():
                    files = {path.name: path.read_bytes() for path in folder.iterdir()}
                    self._classes[number] = from_files(files)
        return self._classes

    def usage(self) -> Usage:
        """Also beside a command that collects: this takes no lock."""
        sizes, files = {}, 0
        for path in self._served():
            with suppress(FileNotFoundError):
                facts = path.stat()
                sizes[facts.st_ino] = facts.st_size  # a file at several paths takes its space once
                files += 1
        return Usage(files=files, size=sum(sizes.values()), releases=len(self.releases()))

    # --- writing ------------------------------------------------------------

    def prepare(self) -> None:
        """Make the folders, and remove what a dead run left half done."""
        with self._faults(self.folder):
            self.clear()
            durable.make_folder(self.folder, self.folder_mode)
            for name in ("releases", "tmp"):
                durable.make_folder(self.folder / name, self.folder_mode)

    def clear(self) -> None:
        """Remove the temporary files; their folder stays, for the next one."""
        for path in (self.folder / "tmp").glob("*"):
            with suppress(OSError):  # whoever comes next tries again
                path.unlink()

    def class_for(self, headers: Recorded) -> int | None:
        """The number of the class with these headers, made now where there is room for it."""
        if not fits(headers):
            return None
        classes = self.classes()
        for number, known in classes.items():
            if known == headers:
                return number
        free = next((n for n in range(CLASSES) if n not in classes), None)
        if free is not None:
            with self._faults(self._class(free)):
                self._make_class(free, headers)
            classes[free] = headers
        return free

    def temporary(self) -> Path:
        """A path on the store's file system that the next run would clear."""
        return self.folder / "tmp" / secrets.token_hex(8)

    @contextmanager
    def writing(self, path: Path) -> Iterator[IO[bytes]]:
        with self._faults(path), path.open("xb") as file:
            yield file

    def dress(self, path: Path, modified: float) -> None:
        """For the edge to read, and with the image's time: Caddy makes an ETag of time and size,
        and none of a zeroed time."""
        with self._faults(path):
            path.chmod(0o644)
            durable.adopt_owner(path)
            if modified > 1:
                os.utime(path, (modified, modified))

    def sync(self, staged: Iterable[Path]) -> None:
        """A file that is renamed before it is synced may be empty after a crash: a poisoned
        asset that its name says is immutable."""
        with self._faults(self.folder), ThreadPoolExecutor(_PARALLEL) as pool:
            list(pool.map(_sync, staged))

    def put(self, staged: Path, path: str, number: int) -> bool:
        """Give the staged file its place, in one step; False where a folder is in its way.

        `path` is checked again here, whoever asked: nothing is written outside the store.
        """
        if not is_safe(path):
            raise ValueError(f"{path!r} is no path of the store")
        target = self._file(number, path)
        try:
            self._make_folders(target.parent)
            # A link, for one file may have several paths.
            another = self.temporary()
            os.link(staged, another)
            another.replace(target)
            self._touched.add(target.parent)
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            return False
        except OSError as error:
            raise self._trouble(target, error) from error
        return True

    def move(self, path: str, number: int) -> None:
        """To the class of the headers that live sends now; found in one of the two meanwhile."""
        old = self.where(path)
        if old is not None and old != number and self.put(self._file(old, path), path, number):
            durable.remove(self._file(old, path))

    def take_out(self, path: str) -> None:
        while (number := self.where(path)) is not None:
            durable.remove(self._file(number, path))

    def record(self, contents: Contents) -> None:
        document = {
            "files": {path: [file.sha256, file.size] for path, file in contents.files.items()},
            "changing": sorted(contents.changing),
        }
        with self._faults(self.folder):
            for folder in self._touched:
                durable.sync_folder(folder)
        self._touched.clear()
        durable.write(self._document(contents.id), json.dumps(document).encode(), self.file_mode)

    def forget(self, release: str) -> None:
        """Its files go with the next collection."""
        durable.remove(self._document(release))

    def unneeded(self, kept: AbstractSet[str]) -> Usage:
        """What none of the releases `kept` needs."""
        with self._faults(self.folder):
            sizes = [path.stat().st_size for path in self._unneeded(kept)]
        gone = sum(contents.id not in kept for contents in self.releases())
        return Usage(files=len(sizes), size=sum(sizes), releases=gone)

    def collect(self, kept: AbstractSet[str]) -> Usage:
        """Remove every file that none of the releases `kept` needs; what was removed."""
        removed = self.unneeded(kept)
        with self._faults(self.folder):
            self.clear()
            for path in list(self._unneeded(kept)):
                path.unlink()
            for number in range(CLASSES):
                root = self._class(number) / "files"
                if root.is_dir() and _remove_empty(root):
                    shutil.rmtree(self._class(number))
            for contents in self.releases():
                if contents.id not in kept:
                    self.forget(contents.id)
        self._classes.clear()
        return removed

    # --- inside -------------------------------------------------------------

    def _class(self, number: int) -> Path:
        return self.folder / class_name(number)

    def _file(self, number: int, path: str) -> Path:
        return self._class(number) / "files" / path.lstrip("/")

    def _document(self, release: str) -> Path:
        return self.folder / "releases" / f"{release}.json"

    def _served(self) -> Iterator[Path]:
        for number in range(CLASSES):
            yield from _files_below(self._class(number) / "files")

    def _unneeded(self, kept: AbstractSet[str]) -> Iterator[Path]:
        needed = {path for one in self.releases() if one.id in kept for path in one.files}
        for number in range(CLASSES):
            root = self._class(number) / "files"
            for path in _files_below(root):
                if f"/{path.relative_to(root)}" not in needed:
                    yield path

    def _make_class(self, number: int, headers: Recorded) -> None:
        """Its header files are there before any file that is served with them."""
        made = self.temporary()
        for folder in (made, made / "files", made / "headers"):
            durable.make_folder(folder, self.folder_mode)
        for name, content in as_files(headers).items():
            path = made / "headers" / name
            path.write_bytes(content)
            path.chmod(0o644)
            durable.adopt_owner(path)
        self.sync((made / "headers").iterdir())
        made.rename(self._class(number))
        durable.sync_folder(self.folder)

    def _make_folders(self, folder: Path) -> None:
        """One by one: the umask must not hide any of them from the edge."""
        if folder.is_dir():
            return
        self._make_folders(folder.parent)
        folder.mkdir()
        self._touched.add(folder.parent)
        durable.adopt_owner(folder)
        folder.chmod(self.folder_mode)

    @contextmanager
    def _faults(self, path: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self._trouble(path, error) from error
        except (ValueError, KeyError, TypeError) as error:
            raise NotFit(
                f"{path} of the asset store cannot be read: {error}", hint=f"rm {path}"
            ) from error

    def _trouble(self, path: Path, error: OSError) -> NotFit:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return NotFit(
                f"no space is left for the asset store: {path} cannot be written",
                hint=f"free space on the disk of {self.folder}, or bluegreen prune;"
                " assets.max_size bounds the store",
            )
        return durable.not_writable(path, error)


def _contents(release: str, document: Mapping[str, Any]) -> Contents:
    return Contents(
        id=release,
        files={path: Asset(digest, size) for path, (digest, size) in document["files"].items()},
        changing=frozenset(document["changing"]),
    )


def _files_below(root: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(root):
        for name in names:
            yield Path(folder, name)


def _remove_empty(root: Path) -> bool:
    """Remove the empty folders below `root`; whether nothing is left in it."""
    for folder, _, _ in os.walk(root, topdown=False):
        if folder != str(root) and not any(Path(folder).iterdir()):
            Path(folder).rmdir()
    return not any(root.iterdir())


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
