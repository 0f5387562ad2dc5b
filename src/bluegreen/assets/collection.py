"""Whose files stay. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True, slots=True)
class Stay:
    """A release whose files are in the store."""

    id: str  # begins with the time of its making
    files: Mapping[str, int]  # path → size in bytes

    @property
    def moment(self) -> datetime:
        return datetime.strptime(self.id[:15], "%Y%m%d-%H%M%S").replace(tzinfo=UTC)


def to_keep(
    stays: Sequence[Stay],
    needed: frozenset[str],
    *,
    keep_releases: int,
    keep_days: int,
    max_size: int,
    now: datetime,
) -> frozenset[str]:
    """The ids of the releases whose files stay.

    The last `keep_releases`, and those whose last tab may have been opened in the last
    `keep_days`; of these the newest that fit into `max_size` bytes. `needed`, live and the one
    before it, stay whatever that takes. Releases with the same files count once: going to and
    fro must not push out the others.

    `stays` come newest first, whatever their ids say: a clock may have been set back between.
    """
    wanted: list[Stay] = []
    seen: set[frozenset[str]] = set()
    left_live = now  # until when the release at hand was live: the next one's beginning
    for stay in stays:
        seen.add(frozenset(stay.files))
        young = now - left_live <= timedelta(days=keep_days)
        if len(seen) <= keep_releases or young or stay.id in needed:
            wanted.append(stay)
        # No release left live after one that came later began, whatever the clock was then.
        left_live = min(left_live, stay.moment)
    return _that_fit(wanted, needed, max_size)


def _that_fit(wanted: Sequence[Stay], needed: frozenset[str], max_size: int) -> frozenset[str]:
    kept = {stay.id for stay in wanted if stay.id in needed}
    files: dict[str, int] = {}
    for stay in wanted:
        if stay.id in needed:
            files |= stay.files
    for stay in wanted:
        if stay.id in kept:
            continue
        with_it = files | dict(stay.files)
        if sum(with_it.values()) > max_size:
            break  # its older ones are not let past it
        files = with_it
        kept.add(stay.id)
    return frozenset(kept)
