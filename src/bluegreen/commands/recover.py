"""`bluegreen recover`: finish what a dead run had proven, take back what it had not, put away
the rest. Every command that acts begins with it.

The pointer is trusted first, then the engine, then the ledger. Each remedy is idempotent, and
the ledger's row is closed last: a recovery that dies is recovered by the next.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bluegreen.attempt import Attempt
from bluegreen.errors import EngineError, TakenBack
from bluegreen.model import (
    MAX_BODY,
    ContainerFacts,
    LedgerRow,
    Outcome,
    Result,
    Upstream,
    image_repository,
    is_image_of,
)
from bluegreen.plan import Observation
from bluegreen.proof import compare, record
from bluegreen.proof import page as pages
from bluegreen.settings import ContainerSettings
from bluegreen.settings import container_spec as specs
from bluegreen.site import Host, live_release, look
from bluegreen.state import durable
from bluegreen.steps import decide as step
from bluegreen.steps import keep_assets, promote, retire, verify
from bluegreen.steps.drain import drain
from bluegreen.steps.gate import PROBE_TIMEOUT, described
from bluegreen.steps.inspect import Inspected
from bluegreen.steps.prove import subject_of

_PATIENCE = 3.0  # seconds that a missing answer of what is not live may take


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    todo: str
    done: str
    act: Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    remedies: tuple[Remedy, ...]
    doubts: tuple[str, ...]


def recover(host: Host, *, dry_run: bool, wait: float) -> Result:
    """By hand. Exit code 9 where something is amiss that it does not decide."""
    attempt = Attempt(host, "recover", lambda: live_release(host))
    with attempt, host.held("recover", wait) as lock:
        attempt.holds(lock)
        seen = look(host)
        found = diagnose(host, seen, host.running.unsettled(host.settings), images=True)
        attempt.detail["plan"] = [remedy.todo for remedy in found.remedies]
        attempt.detail["doubts"] = list(found.doubts)
        attempt.debris += found.doubts
        if dry_run:
            attempt.outcome = Outcome.PLANNED
        elif found.remedies:
            _act(host, attempt, found)
            attempt.outcome = Outcome.RECOVERED
        else:
            attempt.outcome = Outcome.UNCHANGED
    return attempt.result


def put_in_order(
    host: Host, attempt: Attempt, seen: Observation, unsettled: str, *, dry_run: bool = False
) -> Observation:
    """At the start of another command. What is seen afterwards; with `dry_run` nothing is done."""
    found = diagnose(host, seen, unsettled)
    for doubt in found.doubts:
        attempt.warn(doubt)
    if dry_run or not found.remedies:
        return seen
    _act(host, attempt, found)
    return look(host)


def diagnose(host: Host, seen: Observation, unsettled: str, *, images: bool = False) -> Diagnosis:
    """Reads only. `unsettled`: what the edge says of itself. `images`: also those of releases
    that are over; the prune at the end of every release removes them too."""
    history = host.ledger.history(host.site)
    found = step.judge(seen, history, partial(_at_edge, host), partial(_by_preview, host))
    remedies = [
        *_edge(host, unsettled),
        *_live(host, seen, history, found),
        *_containers(host, seen, found),
        *_rows(host, seen, found),
        *(_images(host, history, found) if images else ()),
        *_files(host),
    ]
    return Diagnosis(remedies=tuple(remedies), doubts=(found.doubt,) if found.doubt else ())


def _act(host: Host, attempt: Attempt, found: Diagnosis) -> None:
    with attempt.step("recover") as note:
        done = note.detail["done"] = []
        for remedy in found.remedies:
            remedy.act()
            done.append(remedy.done)
            host.say.note(remedy.done)
        note.text = "; ".join(done)


# --- the edge ---------------------------------------------------------------


def _edge(host: Host, unsettled: str) -> Iterator[Remedy]:
    if unsettled:
        yield Remedy(
            todo=f"store the edge's configuration: {unsettled}",
            done=f"stored the edge's configuration: {unsettled}",
            act=lambda: host.running.settle(host.settings),
        )


# --- live -------------------------------------------------------------------


def _live(
    host: Host, seen: Observation, history: Sequence[LedgerRow], found: step.Judgement
) -> Iterator[Remedy]:
    row, to = found.proven, found.upstream
    if row is not None and seen.live is not None:
        replaced = step.replaced_by(row, seen, history)
        yield Remedy(
            todo=f"finish {row.release.id}: {found.because}",
            done=f"finished {row.release.id}: {found.because}",
            act=partial(_finish, host, row, seen.live, replaced),
        )
    if to != seen.upstream:
        name = to or "the 503 answer"
        yield Remedy(
            todo=f"return traffic to {name}: {found.because}",
            done=f"returned traffic to {name}: {found.because}",
            act=partial(_return_traffic, host, seen, to),
        )
    elif seen.live is not None and lost_restart(seen):
        name = seen.live.name
        yield Remedy(
            todo=f"let {name} outlive a reboot again",
            done=f"let {name} outlive a reboot again: it was live, then about to go, then live",
            act=partial(promote.promote, host.engine, seen.live.id, _restart_of(seen.live_row)),
        )


def lost_restart(seen: Observation) -> bool:
    """Live was about to go, came back, and lacks its restart policy since."""
    lacks_it = seen.live is not None and seen.live.restart_policy == "no"
    return lacks_it and _restart_of(seen.live_row) != "no"


def _restart_of(row: LedgerRow | None) -> str:
    """As the release was given it; one that the ledger does not know keeps what it has."""
    return _container_of(row).restart if row else "no"


def _finish(host: Host, row: LedgerRow, live: ContainerFacts, replaced: str) -> None:
    restart = _container_of(row).restart
    if live.restart_policy != restart:
        promote.promote(host.engine, live.id, restart)
    host.ledger.went_live(row.release.id, row.replaced or replaced)
    if row.outcome:
        host.ledger.finish(row.release.id, _gone_live(row))


def _return_traffic(host: Host, seen: Observation, to: Upstream | None) -> None:
    if to is not None:
        row = host.ledger.get(_release_of(to.container, seen))
        if row is not None:
            promote.promote(host.engine, to.container, _container_of(row).restart)
    host.edge.prepare(to, seen.upstream)
    host.edge.switch(to)
    host.edge.tidy()


def _at_edge(host: Host, row: LedgerRow, facts: ContainerFacts) -> str:
    """What users get now, against what the ledger kept of the image."""
    if facts.image_id != row.release.image_id:
        return f"it runs the image {facts.image_id[:19]}, not {row.release.image_id[:19]}"
    spec = specs.without_files(row.spec, host.settings.hosts)
    expected = record.expected_of(row.proof)
    if spec.freshness.web_root and not expected:
        return "the ledger kept no digests of its image"
    try:
        verify.verify(host.engine, host.edge, facts.id, step.upstream_of(row), spec, expected)
    except TakenBack as error:
        _require_edge(host)
        return error.message
    path = spec.freshness.index
    index = next((one.fact for one in expected if one.path == path), None)
    inspected = Inspected(manifest=None, index=index, expected=expected)
    subject = subject_of(row.release, spec, inspected, host.ledger.history(host.site))
    wrong = pages.examine(
        compare.through(host.edge.public, PROBE_TIMEOUT), subject, _PATIENCE
    ).wrong
    if wrong:
        _require_edge(host)
    return wrong[0].what if wrong else ""


def _require_edge(host: Host) -> None:
    """An edge that does not answer at all says nothing of the release: raises EdgeError."""
    host.running.check(host.site, routed=False)


def _by_preview(host: Host, row: LedgerRow, facts: ContainerFacts) -> str:
    if facts.image_id != row.release.image_id:
        return "it runs another image"
    spec, to = specs.without_files(row.spec, host.settings.hosts), step.upstream_of(row)
    asked = partial(host.edge.preview, to, spec.gate.path, timeout=PROBE_TIMEOUT)
    answer = compare.patiently(asked, _PATIENCE, MAX_BODY)
    if answer.status not in spec.gate.status:
        return described(answer)
    ask = compare.through(partial(host.edge.preview, to), PROBE_TIMEOUT)
    wrong = compare.prove(ask, record.expected_of(row.proof), _PATIENCE)
    return str(wrong[0]) if wrong else ""


# --- what is nobody's -------------------------------------------------------


def _containers(host: Host, seen: Observation, found: step.Judgement) -> Iterator[Remedy]:
    """All that is ours and not live; while live is in doubt, what was live before stays."""
    live = found.upstream.container if found.upstream else ""
    ours = [*seen.leftovers, *([seen.live] if seen.live and seen.upstream else [])]
    for container in ours:
        row = host.ledger.get(container.release_id)
        once_live = row is None or row.was_live
        if container.name == live or (found.doubt and once_live and container.running):
            continue
        yield Remedy(
            todo=f"remove {container.name}, which a dead run left",
            done=f"removed {container.name}, which a dead run left",
            act=partial(_put_away, host, container, row, seen),
        )


def _put_away(
    host: Host, container: ContainerFacts, row: LedgerRow | None, seen: Observation
) -> None:
    if not container.running:
        host.engine.remove(container.id)
        return
    retire.no_way_back(host.engine, container.id)
    port = seen.upstream.port if seen.upstream else host.settings.container.port
    upstream = step.upstream_of(row) if row else Upstream(container.name, port)
    drain(host.edge, upstream, host.settings.drain.timeout, host.say.line)
    grace = _container_of(row).stop_grace if row else host.settings.container.stop_grace
    retire.retire(host.engine, container.id, grace)


def _rows(host: Host, seen: Observation, found: step.Judgement) -> Iterator[Remedy]:
    for row in seen.unfinished:
        outcome, error = _end_of(row, seen, found)
        yield Remedy(
            todo=f"close {row.release.id} in the ledger as {outcome}: its process died",
            done=f"closed {row.release.id} in the ledger as {outcome}: its process died",
            act=partial(_close, host, row, outcome, error, seen),
        )


def _end_of(row: LedgerRow, seen: Observation, found: step.Judgement) -> tuple[Outcome, str]:
    name = row.release.container
    if found.upstream is not None and found.upstream.container == name:
        if row.was_live or found.proven is not None:
            return _gone_live(row), ""
        return Outcome.INTERRUPTED, f"its process died; {found.doubt}"
    if seen.upstream is not None and seen.upstream.container == name:
        return Outcome.TAKEN_BACK, f"its process died; {found.because}"
    return Outcome.INTERRUPTED, "its process died"


def _close(host: Host, row: LedgerRow, outcome: Outcome, error: str, seen: Observation) -> None:
    facts = {"code": 130, "message": error, "hint": ""} if error else {}
    is_live = seen.upstream is not None and seen.upstream.container == row.release.container
    if outcome is Outcome.TAKEN_BACK or not (is_live or row.was_live):
        if row.kind == "release":
            _remove_image(host, row.release.image)
        keep_assets.store_of(host).forget(row.release.id)
    host.ledger.finish(row.release.id, outcome, error=facts)


def _images(host: Host, history: Sequence[LedgerRow], found: step.Judgement) -> Iterator[Remedy]:
    """Of releases that ended without having been live, and whose undo failed."""
    there = {tag for one in host.engine.images(image_repository(host.site)) for tag in one.tags}
    live = found.upstream.container if found.upstream else ""
    for row in history:
        ref = row.release.image
        over = row.outcome and not row.was_live and row.release.container != live
        if over and row.kind == "release" and ref in there and is_image_of(host.site, ref):
            yield Remedy(
                todo=f"remove the image {ref}, which was never live",
                done=f"removed the image {ref}, which was never live",
                act=partial(_remove_image, host, ref),
            )


def _remove_image(host: Host, ref: str) -> None:
    try:
        host.engine.remove_image(ref)
    except EngineError as error:
        if error.status != 409:  # somebody uses it by now
            raise


def _files(host: Host) -> Iterator[Remedy]:
    left = host.state.left_files(host.site)
    if left:
        yield Remedy(
            todo=f"remove {len(left)} temporary files",
            done=f"removed {len(left)} temporary files",
            act=partial(_remove_files, left),
        )


def _remove_files(left: Sequence[Path]) -> None:
    for path in left:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            durable.remove(path)


# --- words ------------------------------------------------------------------


def _gone_live(row: LedgerRow) -> Outcome:
    return Outcome.RELEASED if row.kind == "release" else Outcome.ROLLED_BACK


def _container_of(row: LedgerRow) -> ContainerSettings:
    return ContainerSettings.model_validate(row.spec["container"])


def _release_of(container: str, seen: Observation) -> str:
    return container.removeprefix(f"bg-{seen.site}-")
