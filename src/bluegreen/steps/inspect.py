"""The artifact before any container runs: present, whole, of one build, and how old."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from bluegreen.artifact import manifest, media_types
from bluegreen.artifact.extract import image_files
from bluegreen.artifact.needs import walk
from bluegreen.artifact.needs.manifests import VITE_PATHS
from bluegreen.artifact.needs.walk import Need, Needs, index_url
from bluegreen.artifact.tar import remembering
from bluegreen.errors import EngineError, Rejected
from bluegreen.lib.globs import matches
from bluegreen.model import FileFact, Manifest, Release
from bluegreen.ports import Engine
from bluegreen.proof.compare import Expectation
from bluegreen.settings import FreshnessSettings

__all__ = ["Inspected", "index_url", "inspect"]

#: Seconds for the whole web root to come out of the image: 20 GB at 35 MB a second.
TIMEOUT = 600.0
#: Bytes of a tar that are kept in memory, and not asked of the engine again.
_KEPT_TAR = 8 << 20
_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    manifest: Manifest | None  # None: the site is not static, its image id is its identity
    index: FileFact | None
    expected: tuple[Expectation, ...]  # what the gate and the proof at the edge compare
    page_url: str = ""  # where the index is asked for
    warnings: tuple[str, ...] = ()
    #: How many files the page needs: those that are there, and of all those rewritten.
    needs: Mapping[str, int] = field(default_factory=dict)
    note: str = ""  # what is to be said of it in any case
    #: The web root's tar as it was read, if it is small enough to be kept for the asset store.
    tar: tuple[bytes, ...] = field(default=(), repr=False)

    @property
    def digest(self) -> str:
        return self.manifest.digest if self.manifest else ""


def inspect(
    engine: Engine,
    release: Release,
    freshness: FreshnessSettings,
    labels: Mapping[str, str],
    hosts: frozenset[str],
) -> Inspected:
    """Raises Rejected where the index is missing or empty, where a file that the page needs is
    not there, or where a precompressed twin is of another build.
    """
    if not freshness.web_root:
        return Inspected(manifest=None, index=None, expected=())
    tar: list[bytes] = []
    root = _read(engine, release, freshness, labels, tar)
    return replace(judge(root, freshness, hosts), tar=tuple(tar))


def judge(root: manifest.WebRoot, freshness: FreshnessSettings, hosts: frozenset[str]) -> Inspected:
    """What `inspect` says of a web root that has been read."""
    path = freshness.index.lstrip("/")
    index = _index(root, freshness, path)
    found = walk.of_index(
        walk.Root(files=root.manifest.files, kept=root.kept, named=root.named), path, hosts
    )
    rewritten = [need for need in found.missing if matches(need.path, freshness.rewritten)]
    missing = [need for need in found.missing if need not in rewritten]
    spared = [need for need in missing if matches(need.path, freshness.optional)]
    _require(root, path, [need for need in missing if need not in spared])
    _require_twins(root)
    expected = _expected(root, freshness, found, rewritten, path)
    return Inspected(
        manifest=root.manifest,
        index=index,
        expected=expected,
        page_url=found.page_url,
        warnings=(*root.warnings, *_warnings(root, spared), *_unread(path, found)),
        needs={
            "present": len(found.present),
            "rewritten": sum(not one.fact.sha256 for one in expected),
        },
        note="; ".join(found.notes),
    )


def _read(
    engine: Engine,
    release: Release,
    freshness: FreshnessSettings,
    labels: Mapping[str, str],
    tar: list[bytes],
) -> manifest.WebRoot:
    folder = freshness.web_root
    keep = frozenset({freshness.index.lstrip("/"), *VITE_PATHS})
    try:
        with image_files(engine, release, folder, labels) as chunks:
            remembered = remembering(chunks, tar, _KEPT_TAR)
            return manifest.read(remembered, keep, folder=folder, timeout=TIMEOUT)
    except EngineError as error:
        if error.status != 404:
            raise
        raise Rejected(
            f"the image has no folder {folder}",
            hint="correct freshness.web_root, or what the Dockerfile copies there",
        ) from error


def _index(root: manifest.WebRoot, freshness: FreshnessSettings, path: str) -> FileFact:
    index = root.manifest.files.get(path)
    if index is None:
        why = f": it is a link to {root.unserved[path]}" if path in root.unserved else ""
        raise Rejected(
            f"{freshness.web_root}/{path} is not in the image"
            f" ({len(root.manifest.files)} files are){why}",
            hint="correct freshness.web_root or freshness.index, or what the build copies there",
            evidence={"files": sorted(root.manifest.files)[:20]},
        )
    if index.size == 0:
        raise Rejected(
            f"{freshness.web_root}/{path} in the image is empty",
            hint="the build wrote no page: look at its output",
        )
    return index


def _require(root: manifest.WebRoot, index: str, missing: Sequence[Need]) -> None:
    if not missing:
        return
    first = missing[0]
    names = _listed([need.path for need in missing])
    link = root.unserved.get(first.path)
    why = f"; {first.path} is a link to {link}, outside of the web root" if link else ""
    raise Rejected(
        f"{index} needs {names}, which the image does not have ({first.chain}){why}",
        hint="the build is incomplete, or the page's base path is not the web root. What the"
        f' container writes at its start is named so: freshness.rewritten = ["{first.path}"];'
        f' what the site can do without, so: freshness.optional = ["{first.path}"]',
        evidence={"missing": [need.chain for need in missing[:50]]},
    )


def _require_twins(root: manifest.WebRoot) -> None:
    """A web server with precompressed files sends the twin to every browser."""
    stale = [twin for twin in root.stale if _is_compressible(twin)]
    if stale:
        twin = min(stale)
        plain = posixpath.splitext(twin)[0]
        raise Rejected(
            f"{_listed(sorted(stale))} in the image is of another build than {plain}:"
            f" {root.stale[twin]}",
            hint="browsers would get the old content: compress after the build, or remove what an"
            " older build left (a .dockerignore with **/*.gz and **/*.br)",
            evidence={"stale": dict(list(root.stale.items())[:50])},
        )


def _is_compressible(twin: str) -> bool:
    """Servers send twins of text; `dump.tar.gz` beside a `dump.tar` is a download."""
    kind = media_types.expected(PurePosixPath(twin).stem)
    return kind.startswith("text/") or kind in media_types.COMPRESSIBLE


def _expected(
    root: manifest.WebRoot,
    freshness: FreshnessSettings,
    found: Needs,
    rewritten: Iterable[Need],
    path: str,
) -> tuple[Expectation, ...]:
    """The index first. Of what the container writes at its start, status and type alone."""
    files = root.manifest.files

    def fact(name: str) -> FileFact:
        if name in files and not matches(name, freshness.rewritten):
            return files[name]
        return FileFact("", 0, media_types.expected(name))

    needed = {
        need.url: Expectation(need.url, need.path, fact(need.path))
        for need in (*found.present, *rewritten)
    }
    needed.pop(found.page_url, None)
    return (Expectation(found.page_url, path, fact(path), page=True), *needed.values())


def _warnings(root: manifest.WebRoot, spared: Sequence[Need]) -> Iterable[str]:
    if spared:
        yield (
            f"{_listed([need.path for need in spared])} {_is(spared)} named and not in the image"
            f" ({spared[0].chain})"
        )
    other = sorted(twin for twin in root.stale if not _is_compressible(twin))
    if other:
        yield f"{_listed(other)}: {root.stale[other[0]]}"
    if root.not_looked_into:
        yield (
            f"{_listed(list(root.not_looked_into))} {_is(root.not_looked_into)} too large to be"
            " looked into: what is named there is not compared"
        )


def _unread(path: str, found: Needs) -> Iterable[str]:
    if not found.readable:
        yield f"{path} could not be parsed within bounds: only its own bytes are compared"


def _is(many: Sequence[object]) -> str:
    return "is" if len(many) == 1 else "are"


def _listed(names: Sequence[str], most: int = _SHOWN) -> str:
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")
