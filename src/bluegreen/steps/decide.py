"""After a dead run: what is to be live? By reads alone; the recipe acts on the answer.

Live is left as it is unless another release is proven to be better: users' answers decide,
not what the ledger says of a process that died.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bluegreen.model import ContainerFacts, LedgerRow, Outcome, Upstream
from bluegreen.plan import Observation

#: Why a release is not what it must be; "" is the proof that it is.
Prove = Callable[[LedgerRow, ContainerFacts], str]

_WENT_LIVE = frozenset({Outcome.RELEASED, Outcome.ROLLED_BACK})


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    upstream: Upstream | None  # what is to be live
    #: Of what is live and proven, and the ledger does not know to be.
    proven: LedgerRow | None = None
    because: str = ""  # why something has to be done about live; "" = nothing has
    doubt: str = ""  # what is amiss and cannot be decided here, and what to run


def judge(
    seen: Observation, history: Sequence[LedgerRow], at_edge: Prove, by_preview: Prove
) -> Judgement:
    """`history` is newest first. `at_edge` asks as users do, `by_preview` asks a container that
    users are not sent to."""
    row = seen.live_row
    if seen.upstream is not None and runs(seen.live):
        if row is None or row.was_live:
            return Judgement(upstream=seen.upstream)
        if row.outcome in _WENT_LIVE:
            return Judgement(
                upstream=seen.upstream, proven=row, because=f"{row.release.id} is live"
            )
        if seen.load:
            # What the edge answers now says nothing of the release.
            return Judgement(upstream=seen.upstream, doubt=_unproven(row, seen.load))
        wrong = at_edge(row, seen.live) if seen.live else "it is gone"
        if not wrong:
            because = f"{row.release.id} was switched to before its process died, and is proven"
            return Judgement(upstream=seen.upstream, proven=row, because=because)
        return _without(seen, history, by_preview, f"{row.release.id} is not proven: {wrong}")
    if seen.upstream is None:
        other = whole(seen, history, by_preview)
        because = f"no release is live, and {other} runs" if other else ""
        return Judgement(upstream=other, because=because)
    state = f"is {seen.live.status}" if seen.live else "does not exist"
    return _without(seen, history, by_preview, f"users are sent to {seen.upstream}, which {state}")


def runs(facts: ContainerFacts | None) -> bool:
    return facts is not None and facts.running and not facts.restarting


def whole(seen: Observation, history: Sequence[LedgerRow], by_preview: Prove) -> Upstream | None:
    """The newest release that was once live, still runs, and answers as it must."""
    present = {container.name: container for container in seen.leftovers if runs(container)}
    for row in history:
        facts = present.get(row.release.container)
        if row.was_live and facts is not None and not by_preview(row, facts):
            return upstream_of(row)
    return None


def upstream_of(row: LedgerRow) -> Upstream:
    return Upstream(row.release.container, int(row.spec["container"]["port"]))


def replaced_by(row: LedgerRow, seen: Observation, history: Sequence[LedgerRow]) -> str:
    """The release that `row` took the place of, as far as it can still be known: whose container
    is still here, or else the newest that was live before."""
    before = [one for one in history if one.was_live and one.release.id != row.release.id]
    present = {container.release_id for container in seen.leftovers}
    there = [one.release.id for one in before if one.release.id in present]
    return next(iter([*there, *(one.release.id for one in before)]), "")


def _without(
    seen: Observation, history: Sequence[LedgerRow], by_preview: Prove, because: str
) -> Judgement:
    """What to do about a live release that is not what it must be."""
    other = whole(seen, history, by_preview)
    never = seen.live_row is not None and not seen.live_row.was_live
    first = never and not any(row.was_live for row in history)
    if other is not None or first:
        return Judgement(upstream=other, because=because)
    hint = "bluegreen release, or bluegreen rollback, puts another in its place"
    return Judgement(upstream=seen.upstream, doubt=f"{because}; no other release runs: {hint}")


def _unproven(row: LedgerRow, load: str) -> str:
    return (
        f"{row.release.id} was switched to before its process died, and cannot be proven: {load};"
        " bluegreen edge up, then bluegreen recover"
    )
