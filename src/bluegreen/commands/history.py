"""`bluegreen history` and `bluegreen logs`: what the ledger and the engine remember."""

from __future__ import annotations

from typing import Any

from bluegreen.errors import NothingToRollBackTo
from bluegreen.model import LedgerRow, Outcome, Result
from bluegreen.site import Host, look


def history(host: Host, limit: int) -> Result:
    """The newest releases first, and which of them can still be brought back."""
    seen = look(host)
    tags = {tag for image in host.engine.images(f"bluegreen/{host.site}") for tag in image.tags}
    rows = host.ledger.history(host.site, limit)
    return Result(
        command="history",
        outcome=Outcome.SHOWN,
        site=host.site,
        live=seen.live_release,
        detail={"releases": [_told(row, row.release.image in tags) for row in rows]},
    )


def logs(host: Host, wanted: str, tail: int) -> Result:
    """A release's log lines; of one that failed, also what was seen before it was removed."""
    seen = look(host)
    if wanted:
        row = host.ledger.find(host.site, wanted)
    else:
        newest = host.ledger.history(host.site, 1)
        if not newest:
            raise NothingToRollBackTo(f"{host.site} has no release yet", hint="bluegreen release")
        row = host.ledger.get(newest[0].release.id) or newest[0]
    lines = host.engine.logs(row.release.container, tail)
    return Result(
        command="logs",
        outcome=Outcome.SHOWN,
        site=host.site,
        release=row.release,
        live=seen.live_release,
        steps=row.steps,
        detail={
            "outcome": row.outcome,
            "lines": list(lines or row.evidence.get("log", ())),
            "kept": not lines,
            "error": dict(row.error),
            "evidence": dict(row.evidence),
        },
    )


def _told(row: LedgerRow, has_image: bool) -> dict[str, Any]:
    seconds = (row.finished - row.started).total_seconds() if row.finished else None
    if seconds is not None and seconds < 0:
        seconds = None  # the clock was set back meanwhile
    return {
        "id": row.release.id,
        "slot": row.release.slot,
        "kind": row.kind,
        "origin": row.origin,
        "revision": row.release.revision,
        "image": row.release.image,
        "image_id": row.release.image_id,
        "image_kept": has_image,
        "outcome": row.outcome,
        "was_live": row.was_live,
        "started": row.started.isoformat(),
        "seconds": seconds,
        "error": row.error.get("message", ""),
    }
