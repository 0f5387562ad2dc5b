"""What is past goes, of this site only: images beyond the kept ones, old assets, old evidence."""

from __future__ import annotations

from collections.abc import Mapping

from bluegreen.attempt import Attempt
from bluegreen.plan import Observation, kept_images
from bluegreen.site import Host, look
from bluegreen.steps import keep_assets, prune

#: So many releases, the newest, keep their evidence and their proof in the ledger.
_WHOLE_ROWS = 20


def clean_up(host: Host, attempt: Attempt, moves: Mapping[str, int]) -> None:
    """The step of a release that went live; `moves` are those of `keeping.keep`."""
    with attempt.forward("prune", "bluegreen prune") as note:
        seen = look(host)
        removed = prune.prune(host.engine, prunable_now(host, seen))
        collected = keep_assets.collect(host, seen, moves)
        trim_ledger(host, seen)
        note.text = f"{len(removed)} images and {collected.files} old assets removed"
        note.detail = {
            "removed": [one.ref for one in removed],
            "assets": {"files": collected.files, "bytes": collected.size},
        }


def prunable_now(host: Host, seen: Observation) -> tuple[prune.Prunable, ...]:
    history = host.ledger.history(host.site)
    retain = host.settings.retain.images
    return prune.prunable(host.engine, host.site, history, seen.live_row, retain)


def trim_ledger(host: Host, seen: Observation) -> None:
    """The ledger stays small: what a way back needs is whole, what is long past is a line."""
    history = host.ledger.history(host.site)
    kept = kept_images(history, seen.live_row, host.settings.retain.images)
    needed = [row.release.id for row in history if row.release.image in kept]
    host.ledger.trim(host.site, _WHOLE_ROWS, needed)
