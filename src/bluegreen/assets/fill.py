"""Copy the candidate's immutable files into the asset store, before anybody is sent to it.

Their bytes come from the image, their headers from the candidate: each file is asked for,
by GET. (HEAD is not GET for every server, and files of one folder and ending may well differ;
a whole answer also shows whether the container serves what the image has.)
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from tarfile import TarInfo
from urllib.parse import quote

from bluegreen.artifact import media_types
from bluegreen.artifact.asset_paths import is_asset, is_safe, is_storable, twin_of
from bluegreen.artifact.tar import Broken, TarStream
from bluegreen.assets import CLASSES, Asset, Contents, Recorded, Store, recorded
from bluegreen.errors import Rejected
from bluegreen.lib.globs import matches
from bluegreen.model import MAX_BODY, Exchange, FileFact, Manifest
from bluegreen.settings import AssetSettings

#: Seconds for all answers; what has not come by then is served live only, and said.
ASK_TIME = 60.0
ONE_ANSWER = 10.0
#: Seconds for the image's whole web root to be read once more.
COPY_TIME = 900.0
_PARALLEL = 8

#: Path, seconds, and bytes of the body at most → answer.
Ask = Callable[[str, float, int], Exchange]
Read = Callable[[], AbstractContextManager[Iterator[bytes]]]  # the web root's tar


@dataclass(slots=True)
class Kept:
    """What the store now has of a release."""

    new: int = 0
    known: int = 0
    size: int = 0  # bytes that were written
    #: Why files are served live only → their paths.
    left_out: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    #: Paths that changed their bytes for the first time.
    changing: list[str] = field(default_factory=list)
    #: Files whose headers differ from the recorded ones: path → class, for after the switch.
    moves: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Unit:
    """A file with its precompressed twins: they are kept together, in one class."""

    path: str
    files: Mapping[str, FileFact]  # with the file itself


def keep(
    store: Store,
    release: str,
    manifest: Manifest,
    settings: AssetSettings,
    rewritten: frozenset[str],
    ask: Ask,
    read: Read,
) -> Kept:
    """`read` gives the web root as it is in the image. `rewritten`: files (or globs) that the
    container writes at its start, and so are nobody's immutable ones.

    Raises NotFit where the store cannot be written, Rejected where the image cannot be read.
    Nothing that live serves depends on what is written here.
    """
    store.prepare()
    kept = Kept()
    before = store.releases()
    units = _units(manifest, settings, rewritten, kept)
    units = _without_changing(store, units, before, kept)
    placed = _classes(store, units, _asked(ask, units, kept), kept)
    try:
        _fill(store, placed, before, read, kept)
    finally:
        store.clear()
    store.record(
        Contents(
            id=release,
            files={
                path: Asset(fact.sha256, fact.size)
                for unit, _ in placed
                for path, fact in unit.files.items()
                if store.where(path) is not None
            },
            changing=frozenset(kept.left_out[_CHANGING]),
        )
    )
    return kept


_CHANGING = "changed its bytes under the same name"
_NAME = "has a name that the store does not take"
_LATE = "was not answered in time"
_CLASSES = f"has headers of a {CLASSES + 1}th kind, or too many"
_CLASH = "is a folder in another release"
_DIFFERS = "is served with other bytes than the image has"


def told(kept: Kept, most: int = 3) -> list[str]:
    """Warnings for people: what is served live only, and why. Changing paths are said once."""
    left_out = {**kept.left_out, _CHANGING: kept.changing}
    return [
        f"{_listed(paths, most)} {'is' if len(paths) == 1 else 'are'} served live only, and lost"
        f" to old tabs after the next release: {reason}"
        for reason, paths in left_out.items()
        if paths
    ]


def _listed(paths: list[str], most: int) -> str:
    rest = len(paths) - most
    return ", ".join(map(repr, paths[:most])) + (f" and {rest} more" if rest > 0 else "")


# --- what is kept -----------------------------------------------------------


def _units(
    manifest: Manifest, settings: AssetSettings, rewritten: frozenset[str], kept: Kept
) -> list[_Unit]:
    twins: dict[str, list[str]] = defaultdict(list)
    for path in manifest.files:
        if (original := twin_of(path)) in manifest.files:
            twins[original].append(path)
    units = []
    for path in sorted(manifest.files):
        url = f"/{path}"
        if twin_of(path) in manifest.files or matches(path, rewritten):
            continue
        if is_storable(url, settings.paths) and not twin_of(path):
            files = {f"/{name}": manifest.files[name] for name in (path, *twins[path])}
            units.append(_Unit(url, {name: fact for name, fact in files.items() if is_safe(name)}))
        elif is_asset(url, settings.paths) and (twin_of(path) or not is_safe(url)):
            kept.left_out[_NAME].append(url)
    return units


def _without_changing(
    store: Store, units: list[_Unit], before: tuple[Contents, ...], kept: Kept
) -> list[_Unit]:
    """A path with other bytes than before is not immutable, and leaves the store at once: with
    `order = "store"` it would be served in place of the new one."""
    known = {path: file.sha256 for contents in before for path, file in contents.files.items()}
    told_already = {path for contents in before for path in contents.changing}
    same = []
    for unit in units:
        differs = [
            path
            for path, fact in unit.files.items()
            if known.get(path, fact.sha256) != fact.sha256 and store.where(path) is not None
        ]
        if unit.path not in told_already and not differs:
            same.append(unit)
            continue
        kept.left_out[_CHANGING].append(unit.path)
        if unit.path not in told_already:
            kept.changing.append(unit.path)
        for path in unit.files:
            store.take_out(path)
    return same


# --- with which headers -----------------------------------------------------


def _asked(ask: Ask, units: list[_Unit], kept: Kept) -> dict[str, Recorded]:
    """The headers that the candidate sent for each file that it serves as the image has it."""
    deadline = time.monotonic() + ASK_TIME

    def one(unit: _Unit) -> Exchange | None:
        left = deadline - time.monotonic()
        if left <= 0:
            return None
        most = max(unit.files[unit.path].size, MAX_BODY)
        return ask(quote(unit.path), min(left, ONE_ANSWER), most)

    headers = {}
    with ThreadPoolExecutor(_PARALLEL) as pool:
        for unit, came in zip(units, pool.map(one, units), strict=True):
            if wrong := _wrong(unit, came):
                kept.left_out[wrong].append(unit.path)
            elif came is not None:
                headers[unit.path] = recorded(came.headers)
    return headers


def _wrong(unit: _Unit, came: Exchange | None) -> str:
    if came is None:
        return _LATE
    if came.status == 0:
        return f"had no answer ({came.error})"
    if came.status != 200:
        return f"was answered with status {came.status}"
    if not media_types.fits(unit.path, came.media_type):
        return f"is served as {came.media_type or 'nothing'}"
    if came.sha256 != unit.files[unit.path].sha256:
        return _DIFFERS
    return ""


def _classes(
    store: Store, units: list[_Unit], headers: Mapping[str, Recorded], kept: Kept
) -> list[tuple[_Unit, int]]:
    """The class of each file. One that is there already keeps its own until after the switch:
    a candidate that fails must not have changed what live's users get."""
    placed = []
    for unit in units:
        if unit.path not in headers:
            continue
        number = store.class_for(headers[unit.path])
        present = store.where(unit.path)
        if number is None:
            kept.left_out[_CLASSES].append(unit.path)
        elif present is None:
            placed.append((unit, number))
        else:
            placed.append((unit, present))
            if number != present:
                kept.moves |= dict.fromkeys(unit.files, number)
    return placed


# --- the bytes --------------------------------------------------------------


def _fill(
    store: Store,
    placed: list[tuple[_Unit, int]],
    before: tuple[Contents, ...],
    read: Read,
    kept: Kept,
) -> None:
    recorded_before = {path for contents in before for path in contents.files}
    missing: dict[str, dict[str, int]] = defaultdict(dict)  # digest → path → class
    facts: dict[str, FileFact] = {}
    for unit, number in placed:
        for path, fact in unit.files.items():
            if path in recorded_before and store.where(path) == number:
                kept.known += 1
            else:
                # Also one that a dead run left: nobody recorded its bytes.
                missing[fact.sha256][path] = number
                facts[fact.sha256] = fact
    if not missing:
        return
    staged = _copied(store, facts, read)
    store.sync(staged.values())
    for digest, paths in missing.items():
        for path, number in paths.items():
            if not store.put(staged[digest], path, number):
                kept.left_out[_CLASH].append(path)
                continue
            kept.new += 1
        kept.size += facts[digest].size


def _copied(store: Store, facts: Mapping[str, FileFact], read: Read) -> dict[str, Path]:
    """Every wanted file by its digest, wherever in the image it lies: no name of the image
    decides where anything is written."""
    sizes = {fact.size for fact in facts.values()}
    staged: dict[str, Path] = {}
    try:
        with read() as chunks, TarStream(chunks, COPY_TIME) as stream:
            for entry in stream:
                if not entry.isreg() or entry.size not in sizes:
                    continue
                path = store.temporary()
                digest = _copy(store, stream, entry, path)
                if digest in facts and digest not in staged:
                    staged[digest] = path
                    store.dress(path, facts[digest].modified)
                else:
                    path.unlink()
    except Broken as error:
        raise Rejected(f"the web root cannot be read from the image: {error}") from error
    if lost := facts.keys() - staged.keys():
        raise Rejected(
            f"{len(lost)} files of the manifest are not in the image any more",
            hint="something changed the image under its tag: run the same command again",
        )
    return staged


def _copy(store: Store, stream: TarStream, entry: TarInfo, path: Path) -> str:
    digest = sha256()
    with store.writing(path) as file:
        for piece in stream.data(entry):
            digest.update(piece)
            file.write(piece)
    return digest.hexdigest()
