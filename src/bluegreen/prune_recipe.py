"""`bluegreen prune`: put away what a dead run left, and images beyond the kept ones."""

from __future__ import annotations

from bluegreen.attempt import Attempt
from bluegreen.golive import live_release, look, prunable_now
from bluegreen.host import Host
from bluegreen.model import Outcome, Result
from bluegreen.shown import show_size
from bluegreen.steps import prune, recover


def prune_site(host: Host, *, dry_run: bool, wait: float) -> Result:
    attempt = Attempt(host, "prune", lambda: live_release(host))
    with attempt, host.held("prune", wait) as lock:
        attempt.holds(lock)
        seen = look(host)
        candidates = prunable_now(host, seen)
        attempt.detail["images"] = [one.ref for one in candidates]
        attempt.detail["bytes"] = sum(one.size for one in candidates)
        attempt.detail["containers"] = [container.name for container in seen.leftovers]
        if dry_run:
            attempt.outcome = Outcome.PLANNED
            attempt.detail["plan"] = [
                *(f"remove the container {name}" for name in attempt.detail["containers"]),
                *(f"remove the image {one.ref} ({show_size(one.size)})" for one in candidates),
            ]
        else:
            _act(host, attempt)
    return attempt.result


def _act(host: Host, attempt: Attempt) -> None:
    with attempt.step("recover") as note:
        told = recover.recover(
            host.engine, host.edge, host.ledger, look(host), host.settings.drain.timeout
        )
        note.text = "; ".join(told) or "nothing was left"
    with attempt.step("prune") as note:
        removed = prune.prune(host.engine, prunable_now(host, look(host)))
        freed = show_size(sum(one.size for one in removed))
        note.text = f"{len(removed)} images removed, some {freed}"
        attempt.detail["images"] = [one.ref for one in removed]
    attempt.outcome = Outcome.PRUNED
