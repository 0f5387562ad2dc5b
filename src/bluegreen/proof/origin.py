"""Where an image came from: the build, its clock, the context, and git's word on both."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from bluegreen.builder import revision
from bluegreen.builder.revision import Revision
from bluegreen.model import FileFact
from bluegreen.proof import age
from bluegreen.settings import BuildSettings

#: A context is searched so far down, and through so many folders, for the file that was copied.
_DEPTH = 4
_FOLDERS = 2000
_NEVER_SERVED = frozenset({"node_modules", ".git", ".hg", ".svn", ".venv", "__pycache__"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Birth:
    """What a release knows of its image's making, while the build is remembered."""

    build: BuildSettings
    revision: Revision
    started: float  # seconds since the epoch
    cached: bool = False
    given: str = ""  # with --image
    given_created: str = ""


def making(birth: Birth, index: FileFact | None, index_path: str, live: str) -> age.Making:
    """`live`: the live release's revision, "" where there is none."""
    copied = None
    if index is not None and not birth.given:
        copied = _copied_from(Path(birth.build.context), Path(index_path).name, index)
    same = None
    if live and not (age.is_dirty(live) or age.is_dirty(birth.revision.name)):
        same = revision.same_sources(Path(birth.build.context), live, birth.revision.name)
    return age.Making(
        started=None if birth.given else birth.started,
        cached=birth.cached,
        given=birth.given,
        given_created=age.engine_time(birth.given_created),
        context_index=copied.stat().st_mtime if copied else None,
        context_path=str(copied.relative_to(birth.build.context)) if copied else "",
        source_date_epoch=age.epoch_of(birth.build.args, os.environ),
        commit_time=age.engine_time(birth.revision.commit_time),
        same_sources=same,
    )


def _copied_from(context: Path, name: str, fact: FileFact) -> Path | None:
    """The context's file of this name that holds the index's very bytes."""
    for seen, (folder, below, files) in enumerate(os.walk(context), 1):
        depth = len(Path(folder).relative_to(context).parts)
        below[:] = [] if depth >= _DEPTH else [one for one in below if one not in _NEVER_SERVED]
        path = Path(folder, name)
        if name in files and _holds(path, fact):
            return path
        if seen >= _FOLDERS:
            break
    return None


def _holds(path: Path, fact: FileFact) -> bool:
    try:
        if not path.is_file() or path.stat().st_size != fact.size:
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == fact.sha256
    except OSError:
        return False
