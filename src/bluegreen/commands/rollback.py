"""`bluegreen rollback`: bring back a release that was once live, with its own image and spec."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from bluegreen.attempt import Attempt
from bluegreen.commands.deploy import prepare, put_live
from bluegreen.commands.release import new_suffix, told
from bluegreen.errors import NothingToRollBackTo
from bluegreen.model import LedgerRow, Outcome, Result
from bluegreen.plan import Observation, draw, rollback_target
from bluegreen.settings import container_spec as specs
from bluegreen.site import Host, live_release
from bluegreen.undo import Undo


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    wanted: str = ""  # a release; "" = the one before
    dry_run: bool = False
    wait: float = 0.0


def rollback(host: Host, ask: Ask) -> Result:
    attempt = Attempt(host, "rollback", lambda: live_release(host))
    with attempt, host.held("rollback", ask.wait) as lock:
        attempt.holds(lock)
        _rollback(host, ask, attempt)
    return attempt.result


def _rollback(host: Host, ask: Ask, attempt: Attempt) -> None:
    seen = prepare(host, attempt, dry_run=ask.dry_run)
    with attempt.step("plan") as note:
        target = _target(host, seen, ask.wanted)
        _require_image(host, seen, target)
        spec, changed = specs.recall(target.spec, host.settings.hosts, host.state.key())
        plan = draw(
            seen,
            kind="rollback",
            now=datetime.now(UTC),
            suffix=new_suffix(),
            revision=target.release.revision,
            source=f"take the image of {target.release.id}",
            switch_kind=host.edge.switch_kind,
            target=target,
        )
        note.text = f"{told(plan)} with the image of {target.release.id}, which is still here"
    for path in changed:
        attempt.warn(f"{path} has changed since {target.release.id}: its present values are used")
    attempt.release = plan.release
    attempt.detail["target"] = target.release.id
    if ask.dry_run:
        attempt.outcome = Outcome.PLANNED
        attempt.detail["plan"] = list(plan.lines())
        return
    attempt.record(
        plan.release, kind="rollback", origin=plan.origin, spec=spec.record, spec_hash=spec.hash
    )
    with Undo(host.say.note) as undo:
        attempt.debris_of(undo)
        put_live(host, attempt, undo, plan, plan.release, spec)


def _target(host: Host, seen: Observation, wanted: str) -> LedgerRow:
    if wanted:
        row = host.ledger.find(host.site, wanted)
        target = host.ledger.get(row.origin) or row
        if not target.was_live and not row.was_live:
            raise NothingToRollBackTo(
                f"{row.release.id} was never live: it {row.outcome or 'did not end'}",
                hint="bluegreen history shows which releases were",
            )
        return target
    before = rollback_target(host.ledger.history(host.site), seen.live_row)
    if before is None:
        raise NothingToRollBackTo(
            f"{host.site} has no release before the live one", hint=_forward_again(host, seen)
        )
    return before


def _forward_again(host: Host, seen: Observation) -> str:
    """Somebody who went back too far wants to be told how to come forward."""
    live = seen.live_row.origin if seen.live_row else ""
    for row in host.ledger.history(host.site):
        if row.was_live and row.origin != live:
            return f"bluegreen rollback {row.origin} goes forward again; bluegreen history"
    return "bluegreen history"


def _require_image(host: Host, seen: Observation, target: LedgerRow) -> None:
    image = host.engine.image(target.release.image)
    if image is None or image.id != target.release.image_id:
        others = [
            row.release.id
            for row in host.ledger.history(host.site)
            if row.was_live
            and row.kind == "release"
            and row.origin not in (target.origin, seen.live_row and seen.live_row.origin)
            and host.engine.image(row.release.image) is not None
        ]
        raise NothingToRollBackTo(
            f"the image of {target.release.id} is gone: {target.release.image}",
            hint=f"bluegreen rollback {others[0]} still has its image"
            if others
            else "release its revision again: git checkout, then bluegreen release",
        )
