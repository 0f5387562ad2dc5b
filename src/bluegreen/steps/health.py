"""Does the new release still stand? The engine's word, for as long as the old one can serve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bluegreen.errors import Rejected, TakenBack
from bluegreen.model import MAX_BODY, Exchange, Upstream
from bluegreen.ports import Edge, Engine
from bluegreen.proof import compare, evidence
from bluegreen.settings.container_spec import Spec
from bluegreen.steps.decide import runs
from bluegreen.steps.gate import PROBE_TIMEOUT, trouble_of

#: Seconds that an answer may take before the container is looked at: less than edge.try_duration,
#: for which the edge holds back requests that it has no upstream for.
_SOON = 1.0


def before_switch(engine: Engine, container: str, spec: Spec) -> None:
    """The last look: nobody is sent to what died after its gate. Raises Rejected."""
    if (trouble := trouble_of(engine.inspect(container))) is not None:
        found = evidence.collect(engine, container, spec)
        raise Rejected(
            f"after its gate {trouble[0]}{evidence.last_words(found)}",
            hint=trouble[1],
            evidence=found,
        )


def after_switch(
    engine: Engine, container: str, spec: Spec, exchanges: Sequence[Exchange] = ()
) -> None:
    """Raises TakenBack where it fell."""
    if (trouble := trouble_of(engine.inspect(container))) is not None:
        found = evidence.collect(engine, container, spec, exchanges)
        raise TakenBack(
            f"users were sent to the new release, and {trouble[0]}{evidence.last_words(found)}",
            hint=trouble[1],
            evidence=found,
        )


def beside_old(engine: Engine, container: str, old: str, spec: Spec) -> None:
    """Raises TakenBack where it fell, and the old one still runs and can take over."""
    if trouble_of(engine.inspect(container)) is not None and runs(engine.inspect(old)):
        after_switch(engine, container, spec)


def as_users(
    engine: Engine, edge: Edge, container: str, upstream: Upstream, spec: Spec
) -> compare.Ask:
    """Ask the public listener. Where no answer comes soon, the container is looked at first: if
    it fell, users' requests still wait at the edge, and follow the pointer back. Raises TakenBack
    then, and EdgeUnreachable where it is the edge that is gone."""
    soon = compare.through(edge.public, _SOON)
    patient = compare.through(edge.public, PROBE_TIMEOUT)

    def ask(
        path: str,
        headers: Mapping[str, str] | None = None,
        *,
        keep_body: bool = False,
        max_body: int = MAX_BODY,
    ) -> Exchange:
        came = soon(path, headers, keep_body=keep_body, max_body=max_body)
        if came.status not in compare.PASSING:
            return came
        after_switch(engine, container, spec, [came])
        if not came.status:
            edge.in_flight(upstream)  # an edge that is being restarted is waited for
        return patient(path, headers, keep_body=keep_body, max_body=max_body)

    return ask
