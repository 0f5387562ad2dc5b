"""`bluegreen prune`: put away what a dead run left, images and assets beyond the kept ones."""

from __future__ import annotations

from bluegreen.attempt import Attempt
from bluegreen.commands import recover
from bluegreen.lib.humanize import show_size
from bluegreen.model import Outcome, Result
from bluegreen.plan import Observation
from bluegreen.site import Host, live_release, look
from bluegreen.steps import keep_assets, prune
from bluegreen.steps.tidy_up import prunable_now, trim_ledger


def prune_site(host: Host, *, dry_run: bool, wait: float) -> Result:
    attempt = Attempt(host, "prune", lambda: live_release(host))
    with attempt, host.held("prune", wait) as lock:
        attempt.holds(lock)
        seen = look(host)
        candidates = prunable_now(host, seen)
        attempt.detail["images"] = [one.ref for one in candidates]
        attempt.detail["bytes"] = sum(one.size for one in candidates)
        attempt.detail["containers"] = [container.name for container in seen.leftovers]
        unsettled = host.running.unsettled(host.settings)
        found = recover.diagnose(host, seen, unsettled)
        assets = keep_assets.collectable(host, seen)
        attempt.detail["assets"] = {"files": assets.files, "bytes": assets.size}
        if dry_run:
            attempt.outcome = Outcome.PLANNED
            attempt.detail["plan"] = [
                *(remedy.todo for remedy in found.remedies),
                *(f"remove the image {one.ref} ({show_size(one.size)})" for one in candidates),
                *(
                    [f"remove {assets.files} old assets ({show_size(assets.size)})"]
                    if assets.files
                    else []
                ),
            ]
        else:
            _act(host, attempt, seen, unsettled)
    return attempt.result


def _act(host: Host, attempt: Attempt, seen: Observation, unsettled: str) -> None:
    recover.put_in_order(host, attempt, seen, unsettled)
    with attempt.step("prune") as note:
        seen = look(host)
        removed = prune.prune(host.engine, prunable_now(host, seen))
        trim_ledger(host, seen)
        freed = show_size(sum(one.size for one in removed))
        note.text = f"{len(removed)} images removed, some {freed}"
        collected = keep_assets.collect(host, seen)
        note.text += f"; {collected.files} old assets, {show_size(collected.size)}"
        attempt.detail["assets"] = {"files": collected.files, "bytes": collected.size}
        attempt.detail["images"] = [one.ref for one in removed]
    attempt.outcome = Outcome.PRUNED
