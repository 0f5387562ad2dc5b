"""Observation and intent → plan. Pure: what will happen is decided here, and printed as it is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from bluegreen.model import (
    ContainerFacts,
    LedgerRow,
    LiveRelease,
    Release,
    Slot,
    Upstream,
    image_repository,
)

_NOT_IN_A_TAG = re.compile(r"[^A-Za-z0-9_.-]+")
_REVISION_LENGTH = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One site as its pointer, its engine and its ledger have it, in that order of trust."""

    site: str
    upstream: Upstream | None  # what the edge routes to
    live: ContainerFacts | None  # the container of that name, where there is one
    live_row: LedgerRow | None
    leftovers: tuple[ContainerFacts, ...]  # ours, and not live: a dead run's
    unfinished: tuple[LedgerRow, ...]  # releases whose process died
    load: str  # why the edge's configuration must be loaded; "" if it need not

    @property
    def live_release(self) -> LiveRelease | None:
        """What is live, by the pointer alone: the container may be gone."""
        if self.upstream is None:
            return None
        slot = self.live_row.release.slot if self.live_row else ""
        if self.live is not None:
            slot = slot or self.live.labels.get("dev.bluegreen.slot", "")
        return LiveRelease(id=release_id_of(self.site, self.upstream), slot=str(slot))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    release: Release
    kind: str  # release | rollback
    origin: str
    replaces: LiveRelease | None
    source: str  # where the image comes from, for people
    observation: Observation
    switch_kind: str

    def lines(self) -> tuple[str, ...]:
        """What will happen, in order, for people."""
        seen = self.observation
        told = [f"remove {container.name}, which a dead run left" for container in seen.leftovers]
        told.append(f"{self.source} as {self.release.image}")
        told.append(f"start {self.release.container} ({self.release.slot}) beside live")
        if seen.load:
            told.append(f"load the edge's configuration once: {seen.load}")
        target = f" from {self.replaces.id} ({self.replaces.slot})" if self.replaces else ""
        told.append(f"switch{target} by {self.switch_kind}")
        if self.replaces:
            told.append(f"drain {self.replaces.id}, stop and remove it")
        return tuple(told)


def release_id_of(site: str, upstream: Upstream) -> str:
    return upstream.container.removeprefix(f"bg-{site}-")


def draw(
    seen: Observation,
    *,
    kind: str,
    now: datetime,
    suffix: str,
    revision: str,
    source: str,
    switch_kind: str,
    target: LedgerRow | None = None,
) -> Plan:
    """The plan of a release, or of a rollback to `target`.

    `now` in UTC and a random `suffix` of four characters make the release's id and tag.
    """
    moment = now.strftime("%Y%m%d-%H%M%S")
    tag_revision = _NOT_IN_A_TAG.sub("-", revision)[:_REVISION_LENGTH].strip("-.") or "none"
    own_tag = f"{image_repository(seen.site)}:{moment}-{tag_revision}-{suffix}"
    live_slot = seen.live_release.slot if seen.live_release else ""
    release = Release(
        id=f"{moment}-{suffix}",
        site=seen.site,
        slot=Slot(live_slot).other if live_slot else Slot.BLUE,
        image=target.release.image if target else own_tag,
        revision=target.release.revision if target else revision,
        image_id=target.release.image_id if target else "",
        digest=target.release.digest if target else "",
    )
    return Plan(
        release=release,
        kind=kind,
        origin=target.origin if target else release.id,
        replaces=seen.live_release,
        source=source,
        observation=seen,
        switch_kind=switch_kind,
    )


def rollback_target(history: tuple[LedgerRow, ...], live: LedgerRow | None) -> LedgerRow | None:
    """The release that was live before the one whose image is live now.

    A release that was rolled back from is not a way back: after going from 3 to 2, the
    next step back is 1. `history` is newest first; with nothing live that the ledger knows,
    the newest that was once live is the way back.
    """
    older = [row.origin for row in history if row.kind == "release"]
    if live is not None and live.origin in older:
        older = older[older.index(live.origin) + 1 :]
    once_live = {row.origin for row in history if row.was_live}
    by_origin = {row.origin: row for row in history if row.kind == "release"}
    for origin in older:
        if origin in once_live:
            return by_origin[origin]
    return None


def kept_images(
    history: tuple[LedgerRow, ...], live: LedgerRow | None, retain: int
) -> frozenset[str]:
    """Tags that stay: that of live, and of the `retain` newest others that were once live."""
    current = live.release.image if live else ""
    newest_first = dict.fromkeys(row.release.image for row in history if row.was_live)
    others = [image for image in newest_first if image != current]
    return frozenset(filter(None, (current, *others[:retain])))
