"""The gate's proof again, through the public listener: what users now get."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bluegreen.errors import TakenBack
from bluegreen.lib import poll
from bluegreen.model import Exchange, Upstream
from bluegreen.ports import Edge, Engine
from bluegreen.proof import compare, evidence
from bluegreen.settings.container_spec import Spec
from bluegreen.steps import health
from bluegreen.steps.gate import described, listed

#: How long an answer may be missing; a candidate that passed the gate answers at once.
_PATIENCE = 10.0
#: How long it may be wrong: each second of it is a second of users' errors.
_WRONG_PATIENCE = 1.0
_INTERVAL = 0.1

_Fail = Callable[[str, Sequence[Exchange]], TakenBack]


def verify(
    engine: Engine,
    edge: Edge,
    container: str,
    upstream: Upstream,
    spec: Spec,
    expected: Sequence[compare.Expectation],
) -> int:
    """The number of files compared. Raises TakenBack, with the evidence, on any difference.

    The caller's undo then brings the previous release back.
    """

    def fail(what: str, exchanges: Sequence[Exchange]) -> TakenBack:
        return TakenBack(
            f"users did not get the new release: {what}",
            hint="its evidence is kept: bluegreen logs",
            evidence=evidence.collect(engine, container, spec, exchanges),
        )

    health.after_switch(engine, container, spec)
    routed = edge.live()
    if routed != upstream:
        raise fail(f"the edge routes to {routed or 'no release'}, not to {upstream}", ())
    ask = health.as_users(engine, edge, container, upstream, spec)
    answer = _answer(ask, spec, fail)
    wrong = compare.prove(ask, expected, _PATIENCE)
    if wrong:
        raise fail(listed(wrong), [answer, *(mismatch.came for mismatch in wrong)])
    # It may answer between two crashes: its restart policy is already that of a live one.
    health.after_switch(engine, container, spec, [answer])
    return len(expected)


def _answer(ask: compare.Ask, spec: Spec, fail: _Fail) -> Exchange:
    for left in poll.ticks(_PATIENCE, _INTERVAL):
        answer = ask(spec.gate.path)
        if answer.status in spec.gate.status:
            return answer
        if answer.status not in compare.PASSING and left < _PATIENCE - _WRONG_PATIENCE:
            break
    raise fail(f"{spec.gate.path} gave {described(answer)}", [answer])
