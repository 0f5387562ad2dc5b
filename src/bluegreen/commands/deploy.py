"""From an image to users: the part of the recipe that a release and a rollback share."""

from __future__ import annotations

import time
from functools import partial

from bluegreen.attempt import Attempt, Note
from bluegreen.commands import recover
from bluegreen.lib import preload
from bluegreen.lib.humanize import show_past, show_size
from bluegreen.model import Outcome, Release, Upstream, is_container_of
from bluegreen.plan import Observation, Plan
from bluegreen.proof.origin import Birth
from bluegreen.settings.container_spec import Spec
from bluegreen.site import Host, look
from bluegreen.steps import (
    boot,
    gate,
    hand_over,
    health,
    inspect,
    keep_assets,
    preflight,
    promote,
    prune,
    tidy_up,
    verify,
    withdraw,
)
from bluegreen.steps.prove import Proving
from bluegreen.steps.unchanged import ends_here
from bluegreen.undo import Undo


def prepare(host: Host, attempt: Attempt, *, dry_run: bool) -> Observation:
    """Preflight and recover: the host is fit, and what a dead run left is put away."""
    with attempt.step("preflight") as note:
        seen = look(host)
        unsettled = host.running.unsettled(host.settings)
        host.running.check(host.site, routed=not (seen.load or unsettled))
        keep_assets.check(host)
        free = preflight.check_space(
            host.engine.facts(),
            host.state.root,
            host.settings.retain.min_free,
            _size_of(tidy_up.prunable_now(host, seen)),
        )
        note.text = f"engine {host.engine.facts().version}, edge {host.running.name}, {free}"
    return recover.put_in_order(host, attempt, seen, unsettled, dry_run=dry_run)


def put_live(
    host: Host,
    attempt: Attempt,
    undo: Undo,
    plan: Plan,
    release: Release,
    spec: Spec,
    birth: Birth | None = None,
) -> None:
    """Inspect, boot, gate, switch, verify; then, past the point of no return, drain and retire.

    `release` has its image, `birth` what is known of its making (None at a rollback).
    Whatever fails before that point is undone by `undo`.
    """
    engine, edge, settings, step = host.engine, host.edge, host.settings, attempt.step
    seen, name = plan.observation, release.container
    new, old = Upstream(name, spec.container.port), seen.upstream
    labels = boot.labels_of(release, spec, host.running.name)
    proving = Proving(host, attempt, seen, release, spec, birth)

    undo.later(
        f"withdraw {name}",
        lambda: withdraw.withdraw(engine, edge, release, new.port),
        by_hand=f"docker rm -f {name}",
    )
    with step("inspect") as note:
        found = inspect.inspect(engine, release, spec.freshness, labels, frozenset(settings.hosts))
        _tell_inspected(host, note, found, seen, release)
        for warning in found.warnings:
            attempt.warn(warning)
        if told := proving.image(found):
            note.text += f": {told}"
    unchanged = seen.live_release if birth and proving.as_live else None
    if unchanged and ends_here(attempt, undo, proving, unchanged, spec.freshness.unchanged):
        return
    with step("boot") as note:
        preload.load("loguru")
        container = boot.boot(engine, release, spec, host.running.name, labels)
        note.text = f"{name} ({release.slot})"
    with step("gate") as note:
        passed = gate.gate(engine, edge, container, new, spec, found.expected, host.say.line)
        note.text = f"{passed.passes}/{spec.gate.passes} passes, {passed.compared} files compared"
        note.detail = {"passes": passed.passes, "compared": passed.compared}
        proving.candidate(container, new)
    moves = keep_assets.keep(host, attempt, undo, release, found, spec, passed.answers)

    if seen.load:
        with step("route") as note:
            host.running.register(settings)
            note.text = f"{seen.load}: the edge's configuration was loaded once"
    with step("switch") as note:
        health.before_switch(engine, container, spec)
        promote.promote(engine, container, spec.container.restart)
        undo.later(
            f"return traffic to {old or 'the 503 answer'}",
            lambda: withdraw.return_traffic(edge, old, new, settings.drain.timeout),
            by_hand="bluegreen recover",
        )
        edge.prepare(new, old)
        began = time.perf_counter()
        edge.switch(new)
        took = time.perf_counter() - began
        note.text = f"by {edge.switch_kind} in {took * 1000:.1f} ms"
        note.detail = {"by": edge.switch_kind, "act_seconds": round(took, 5)}
    with step("verify") as note:
        compared = verify.verify(engine, edge, container, new, spec, found.expected)
        proving.edge(container)
        note.text = f"users get the new release, {compared} files compared"
        note.detail = {"compared": compared}

    # ---- point of no return: a failure from here on is debris. Only where the new release falls
    # while the old one still runs, it is taken back (retirement.let_go).
    undo.commit()
    attempt.switched = True
    attempt.replaced = plan.replaces
    attempt.outcome = Outcome.RELEASED if plan.kind == "release" else Outcome.ROLLED_BACK
    with attempt.advisory():
        host.ledger.went_live(release.id, plan.replaces.id if plan.replaces else "")
    with attempt.advisory():
        edge.tidy()
    clean_up = partial(tidy_up.clean_up, host, attempt, moves)
    if not (old and seen.live):
        clean_up()
    elif not is_container_of(host.site, seen.live.name):
        attempt.warn(
            f"{old.container} got users' requests until now, and bluegreen did not make it: it"
            f" is left as it is; remove it when nobody needs it: docker rm -f {old.container}"
        )
        clean_up()
    else:
        stands = partial(health.beside_old, engine, container, seen.live.id, spec)
        hand_over.let_go(host, attempt, undo, old, seen.live, stands, clean_up)
    with attempt.advisory():
        if trouble := gate.trouble_of(engine.inspect(container)):
            attempt.debris.append(f"users are sent to {new}, and {trouble[0]}: bluegreen rollback")


def _tell_inspected(
    host: Host, note: Note, found: inspect.Inspected, seen: Observation, release: Release
) -> None:
    """Its age and digest beside those of live."""
    live = seen.live_row
    if found.manifest is None or found.index is None:
        note.text = f"image {release.image_id[:19]}, no web_root to look into"
    else:
        host.ledger.inspected(release.id, found.digest, found.index.sha256, found.index.modified)
        note.text = (
            f"{len(found.manifest.files)} files, digest {found.digest[:12]}"
            f" (live: {live.manifest_digest[:12] if live else 'none'}),"
            f" index {show_past(time.time() - found.index.modified, 'old')}"
        ) + (f"; {found.note}" if found.note else "")
        note.detail = {
            "files": len(found.manifest.files),
            "bytes": sum(file.size for file in found.manifest.files.values()),
            "digest": found.digest,
            "live_digest": live.manifest_digest if live else None,
            "index_modified": found.index.modified,
            "live_index_modified": live.index_modified if live else None,
            "size": show_size(sum(file.size for file in found.manifest.files.values())),
            "needs": dict(found.needs),
        }


def _size_of(candidates: tuple[prune.Prunable, ...]) -> tuple[int, int]:
    return len(candidates), sum(one.size for one in candidates)
