"""`bluegreen status`: what is live, by the pointer and the engine, and what is amiss."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from bluegreen.commands import recover
from bluegreen.errors import BluegreenError
from bluegreen.lib.humanize import SKEW, show_age
from bluegreen.model import ContainerFacts, Outcome, Result
from bluegreen.plan import Observation
from bluegreen.site import Host, look
from bluegreen.state import lock as locks
from bluegreen.steps import keep_assets


def status(host: Host, *, with_proof: bool = False) -> Result:
    """Reads only, and takes no lock: it answers while a release runs."""
    seen = look(host)
    row = seen.live_row
    return Result(
        command="status",
        outcome=Outcome.SHOWN,
        site=host.site,
        release=row.release if row else None,
        live=seen.live_release,
        detail={
            "hosts": list(host.settings.hosts),
            "edge": host.running.name,
            "switch": host.edge.switch_kind,
            "upstream": str(seen.upstream) if seen.upstream else None,
            "container": _container(seen.live) if seen.live else None,
            "since": row.finished.isoformat() if row and row.finished else None,
            "image": row.release.image if row else None,
            "revision": row.release.revision if row else None,
            "acting": locks.owner_of(host.state.site_lock(host.site)) or None,
            "store": _store(host),
            "amiss": list(amiss(host, seen)),
            **({"proof": dict(row.proof) if row else {}} if with_proof else {}),
        },
    )


def amiss(host: Host, seen: Observation) -> tuple[str, ...]:
    """What is not as it should be, each with the command that helps."""
    acting = bool(locks.owner_of(host.state.site_lock(host.site)))
    found = [*_edge_troubles(host), *_live_troubles(seen)]
    if seen.load and seen.upstream is not None:
        found.append(f"the edge does not have this configuration yet ({seen.load}): release again")
    if not acting:
        if seen.live is not None and recover.lost_restart(seen):
            found.append(f"{seen.live.name} would not outlive a reboot: bluegreen recover")
        found += [
            f"{container.name} is {container.status} and not live, left by a dead run:"
            " bluegreen recover"
            for container in seen.leftovers
        ]
        found += [
            f"the ledger has {row.release.id} without an end, its process died: bluegreen recover"
            for row in seen.unfinished
        ]
    return tuple(found)


def _edge_troubles(host: Host) -> list[str]:
    try:
        host.running.check(host.site)
        keep_assets.check(host)
    except BluegreenError as error:
        return [f"{error.message}: {error.hint}"]
    return []


def _live_troubles(seen: Observation) -> list[str]:
    if seen.upstream is None:
        return ["no release is live: bluegreen release"]
    name = seen.upstream.container
    if seen.live is None:
        live = seen.live_release.id if seen.live_release else ""
        return [
            f"the edge sends users to {name}, which does not exist:"
            f" bluegreen rollback {live} starts it anew"
        ]
    found = []
    if not seen.live.running:
        found.append(
            f"{name} is {seen.live.status} with exit code {seen.live.exit_code}:"
            f" docker start {name}, or bluegreen rollback"
        )
    if seen.live.restart_count:
        found.append(f"{name} restarted {seen.live.restart_count} times: bluegreen logs")
    if seen.live.health == "unhealthy":
        found.append(f"{name} is unhealthy by its own check: bluegreen logs")
    if seen.live_row is None:
        found.append(f"the ledger does not know {name}: release again to record it")
    elif not seen.live_row.was_live and seen.live_row.outcome:
        found.append(
            f"the ledger says that {seen.live_row.release.id} is {seen.live_row.outcome},"
            " yet it is live: the pointer and the engine are right"
        )
    elif seen.live_row.release.image_id not in ("", seen.live.image_id):
        found.append(f"{name} runs another image than the ledger has: bluegreen release")
    return found


def _store(host: Host) -> dict[str, Any]:
    """The immutable files that are kept for old tabs."""
    usage = keep_assets.store_of(host).usage()
    return {
        "order": host.settings.assets.order if host.settings.assets.paths else "off",
        "files": usage.files,
        "bytes": usage.size,
        "releases": usage.releases,
        "max_bytes": host.settings.assets.max_size,
    }


def _container(facts: ContainerFacts) -> dict[str, Any]:
    return {
        "name": facts.name,
        "status": facts.status,
        "health": facts.health,
        "image_id": facts.image_id,
        "restart_count": facts.restart_count,
        "started_at": facts.started_at,
        "up": _up(facts.started_at) if facts.running else "",
    }


def _up(started_at: str) -> str:
    """ "" where the clock was set back since: how long it runs is then not to be known."""
    moment = datetime.fromisoformat(started_at[:19]).replace(tzinfo=UTC)
    seconds = (datetime.now(UTC) - moment).total_seconds()
    return show_age(max(0.0, seconds)) if seconds > -SKEW else ""
