"""The record of every release: spec, image, steps, times, outcome, evidence.

SQLite in WAL mode, one row a release, one a step. It is advice for people and for
rollback; when it disagrees with the pointer and the engine, they win.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bluegreen.errors import ConfigError, NotFit
from bluegreen.model import LedgerRow, Outcome, Release, Slot, StepRecord
from bluegreen.state import durable

SCHEMA = 2

_TABLES = """
create table release (
    id text primary key, site text not null, slot text not null, kind text not null,
    origin text not null, image text not null, image_id text not null, digest text not null,
    revision text not null, outcome text not null default '', started text not null,
    finished text, was_live integer not null default 0, replaced text not null default '',
    spec text not null, spec_hash text not null, manifest_digest text not null default '',
    index_sha256 text not null default '', index_modified real not null default 0,
    error text not null default '{}', evidence text not null default '{}',
    proof text not null default '{}'
) strict;
create index release_by_site on release (site);
create table step (
    release text not null references release (id) on delete cascade,
    number integer not null, name text not null, status text not null,
    seconds real not null, detail text not null, primary key (release, number)
) strict;
"""


#: From each older schema to the next; a ledger outlives many versions of bluegreen.
_MIGRATIONS = {
    1: "alter table release add column proof text not null default '{}'",
}


class Ledger:
    """One file for every site of an edge. Raises NotFit where it cannot be read or written."""

    def __init__(self, path: Path, mode: int) -> None:
        self._path = path
        with self._faults():
            self._create_file(mode)
            self._db = sqlite3.connect(path, timeout=10, isolation_level=None)
            self._db.row_factory = sqlite3.Row
            self._db.execute("pragma journal_mode = wal")
            self._db.execute("pragma foreign_keys = on")
            self._open_schema()

    def close(self) -> None:
        self._db.close()

    # --- writing ------------------------------------------------------------

    def begin(
        self,
        release: Release,
        *,
        kind: str,
        origin: str,
        spec: Mapping[str, Any],
        spec_hash: str,
    ) -> None:
        with self._faults():
            self._db.execute(
                "insert into release (id, site, slot, kind, origin, image, image_id, digest,"
                " revision, started, spec, spec_hash) values (?,?,?,?,?,?,?,?,?,?,?,?)",
                (
                    release.id,
                    release.site,
                    release.slot,
                    kind,
                    origin,
                    release.image,
                    release.image_id,
                    release.digest,
                    release.revision,
                    _now(),
                    json.dumps(spec),
                    spec_hash,
                ),
            )

    def built(self, release: Release) -> None:
        self._update(release.id, image_id=release.image_id, digest=release.digest)

    def inspected(
        self, release_id: str, manifest_digest: str, index_sha256: str, index_modified: float
    ) -> None:
        self._update(
            release_id,
            manifest_digest=manifest_digest,
            index_sha256=index_sha256,
            index_modified=index_modified,
        )

    def went_live(self, release_id: str, replaced: str) -> None:
        self._update(release_id, was_live=1, replaced=replaced)

    def proven(self, release_id: str, proof: Mapping[str, Any]) -> None:
        """The chain of evidence so far: image, candidate, edge."""
        self._update(release_id, proof=json.dumps(proof, default=str))

    def step(self, release_id: str, record: StepRecord) -> None:
        with self._faults():
            self._db.execute(
                "insert into step select ?, count(*), ?, ?, ?, ? from step where release = ?",
                (
                    release_id,
                    record.name,
                    record.status,
                    record.seconds,
                    json.dumps(record.detail, default=str),
                    release_id,
                ),
            )

    def finish(
        self,
        release_id: str,
        outcome: str,
        *,
        error: Mapping[str, Any] | None = None,
        evidence: Mapping[str, Any] | None = None,
    ) -> None:
        """A release that was taken back is no way back, however long users had it."""
        never = {"was_live": 0} if outcome == Outcome.TAKEN_BACK else {}
        self._update(
            release_id,
            outcome=outcome,
            finished=_now(),
            error=json.dumps(error or {}, default=str),
            evidence=json.dumps(evidence or {}, default=str),
            **never,
        )

    def trim(self, site: str, newest: int, kept: Iterable[str]) -> None:
        """Forget the proofs and the evidence, which are large, of all but the `newest` releases
        and the `kept` ones. What happened, when and how it ended stays for ever."""
        stay = [row.release.id for row in self.history(site, newest)] + list(kept)
        marks = ", ".join("?" * len(stay))
        with self._faults():
            self._db.execute(
                "update release set proof = '{}', evidence = '{}' where site = ? and outcome <> ''"
                f" and (proof <> '{{}}' or evidence <> '{{}}') and id not in ({marks})",
                (site, *stay),
            )

    # --- reading ------------------------------------------------------------

    def get(self, release_id: str) -> LedgerRow | None:
        rows = self._rows("where id = ?", (release_id,))
        return self._with_steps(rows[0]) if rows else None

    def find(self, site: str, wanted: str) -> LedgerRow:
        """The release of `site` with this id, or the one that `wanted` is the start of (of its
        id, its revision or its tag). Raises ConfigError for none and for several."""
        exact = self.get(wanted)
        if exact is not None and exact.release.site == site:
            return exact
        rows = [
            row
            for row in self.history(site)
            if row.release.id.startswith(wanted)
            or row.release.revision.startswith(wanted)
            or row.release.image.partition(":")[2].startswith(wanted)
        ]
        origins = {row.origin for row in rows}
        if len(rows) == 1 or (rows and len(origins) == 1):
            return self._with_steps(rows[0])
        if not rows:
            raise ConfigError(
                f"{site} has no release {wanted}", hint="bluegreen history lists the releases"
            )
        names = ", ".join(row.release.id for row in rows[:5])
        raise ConfigError(f"{wanted} may be any of {names}", hint="give more of its id")

    def history(self, site: str, limit: int = -1) -> tuple[LedgerRow, ...]:
        """Newest first."""
        rows = self._rows("where site = ? order by rowid desc limit ?", (site, limit))
        return tuple(rows)

    def unfinished(self, site: str) -> tuple[LedgerRow, ...]:
        return tuple(self._rows("where site = ? and outcome = ''", (site,)))

    # --- inside -------------------------------------------------------------

    def _create_file(self, mode: int) -> None:
        if not self._path.exists():
            os.close(os.open(self._path, os.O_CREAT | os.O_WRONLY, 0o600))
            self._path.chmod(mode)
            durable.adopt_owner(self._path)

    def _open_schema(self) -> None:
        self._db.execute("begin immediate")
        try:
            version = self._db.execute("pragma user_version").fetchone()[0]
            if version > SCHEMA:
                raise NotFit(
                    f"the ledger {self._path} was written by a newer bluegreen"
                    f" (schema {version}, this one knows {SCHEMA})",
                    hint="upgrade bluegreen: pip install --upgrade bluegreen",
                )
            if version == 0:
                for statement in _TABLES.split(";"):
                    self._db.execute(statement)
            else:
                for older in range(version, SCHEMA):
                    self._db.execute(_MIGRATIONS[older])
            if version != SCHEMA:
                self._db.execute(f"pragma user_version = {SCHEMA}")
        except BaseException:
            self._db.execute("rollback")
            raise
        self._db.execute("commit")

    def _update(self, release_id: str, **values: Any) -> None:
        columns = ", ".join(f"{name} = ?" for name in values)
        with self._faults():
            self._db.execute(
                f"update release set {columns} where id = ?",
                (*values.values(), release_id),
            )

    def _rows(self, where: str, values: tuple[Any, ...]) -> list[LedgerRow]:
        with self._faults():
            found = self._db.execute(f"select * from release {where}", values)
            return [_row(row) for row in found]

    def _with_steps(self, row: LedgerRow) -> LedgerRow:
        with self._faults():
            found = self._db.execute(
                "select * from step where release = ? order by number", (row.release.id,)
            )
            steps = tuple(
                StepRecord(
                    name=step["name"],
                    status=step["status"],
                    seconds=step["seconds"],
                    detail=json.loads(step["detail"]),
                )
                for step in found
            )
        return replace(row, steps=steps)

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            what, hint = durable.disk_trouble(self._path.parent)
            raise NotFit(
                f"the ledger {self._path} cannot be used: {what or error}",
                hint=hint or f"check the space and the rights of {self._path.parent}",
            ) from error


def _row(row: sqlite3.Row) -> LedgerRow:
    return LedgerRow(
        release=Release(
            id=row["id"],
            site=row["site"],
            slot=Slot(row["slot"]),
            image=row["image"],
            revision=row["revision"],
            image_id=row["image_id"],
            digest=row["digest"],
        ),
        kind=row["kind"],
        origin=row["origin"],
        outcome=row["outcome"],
        started=datetime.fromisoformat(row["started"]),
        finished=datetime.fromisoformat(row["finished"]) if row["finished"] else None,
        was_live=bool(row["was_live"]),
        replaced=row["replaced"],
        spec=json.loads(row["spec"]),
        spec_hash=row["spec_hash"],
        manifest_digest=row["manifest_digest"],
        index_sha256=row["index_sha256"],
        index_modified=row["index_modified"],
        error=json.loads(row["error"]),
        evidence=json.loads(row["evidence"]),
        proof=json.loads(row["proof"]),
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
