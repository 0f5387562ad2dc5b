"""What the engine says of the new release, at each moment in which the old one can still serve."""

from __future__ import annotations

from typing import Any, cast

import pytest

from bluegreen.errors import EdgeUnreachable, Rejected, TakenBack
from bluegreen.model import ContainerFacts, Exchange, Upstream
from bluegreen.ports import Edge, Engine
from bluegreen.settings import ContainerSettings, FreshnessSettings, GateSettings
from bluegreen.settings import container_spec as specs
from bluegreen.steps import health

NEW, OLD = "new", "old"
SPEC = specs.read(ContainerSettings(), GateSettings(), FreshnessSettings(), (), b"key")
UPSTREAM = Upstream(NEW, 80)


class Containers:
    """An engine that knows which of them run."""

    def __init__(self, *running: str) -> None:
        self._running = running

    def inspect(self, which: str) -> ContainerFacts:
        runs = which in self._running
        return ContainerFacts(
            id=which, name=which, image_id="", image="", status="running" if runs else "exited",
            running=runs, restarting=False, exit_code=0 if runs else 137, error="",
            oom_killed=False, restart_count=0, started_at="", health="", health_log=(),
            labels={}, networks={}, restart_policy="no", pid=0,
        )  # fmt: skip

    def logs(self, *_: Any) -> tuple[str, ...]:
        return ()


class Answers:
    """An edge that gives these statuses one after the other; 0 is none."""

    def __init__(self, *statuses: int, gone: bool = False) -> None:
        self._statuses = list(statuses)
        self._gone = gone
        self.timeouts: list[float] = []

    def public(self, path: str, *, timeout: float, **_: Any) -> Exchange:
        self.timeouts.append(timeout)
        return Exchange(via="public", url=path, host="", status=self._statuses.pop(0))

    def in_flight(self, _: Upstream) -> int:
        if self._gone:
            raise EdgeUnreachable("the edge is gone")
        return 0


def engine(*running: str) -> Engine:
    return cast(Engine, Containers(*running))


def ask(edge: Answers, *running: str) -> Exchange:
    asking = health.as_users(engine(*running), cast(Edge, edge), NEW, UPSTREAM, SPEC)
    return asking("/")


def test_nobody_is_sent_to_a_candidate_that_died_after_its_gate() -> None:
    health.before_switch(engine(NEW, OLD), NEW, SPEC)
    with pytest.raises(Rejected, match="exited with code 137") as caught:
        health.before_switch(engine(OLD), NEW, SPEC)
    assert caught.value.evidence["state"]["status"] == "exited"


def test_a_release_that_fell_is_taken_back_only_where_the_old_one_can_take_over() -> None:
    health.beside_old(engine(NEW, OLD), NEW, OLD, SPEC)
    health.beside_old(engine(), NEW, OLD, SPEC)
    with pytest.raises(TakenBack, match="exited with code 137"):
        health.beside_old(engine(OLD), NEW, OLD, SPEC)


def test_an_answer_that_comes_is_taken_as_it_is() -> None:
    edge = Answers(500)
    assert ask(edge).status == 500
    assert len(edge.timeouts) == 1


def test_an_answer_that_is_late_is_waited_for_while_the_release_stands() -> None:
    """First for less than the edge holds users' requests back, then as long as a page may take."""
    edge = Answers(0, 200)
    assert ask(edge, NEW).status == 200
    assert edge.timeouts[0] < 3 < edge.timeouts[1]


@pytest.mark.parametrize("status", [0, 502])
def test_no_answer_of_a_release_that_fell_is_not_waited_for(status: int) -> None:
    with pytest.raises(TakenBack):
        ask(Answers(status), OLD)


def test_no_answer_of_an_edge_that_is_gone_says_nothing_of_the_release() -> None:
    with pytest.raises(EdgeUnreachable):
        ask(Answers(0, gone=True), NEW)
