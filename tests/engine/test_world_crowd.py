"""Two hosts' worth of commands at once, on three sites of one edge, some of them killed.

Which command comes when, on which site, and which of them dies at what moment is drawn by a
seeded hand; how they meet is the machine's. Whatever comes of it: no user loses a request, each
command ends as the contract has it, and in the end one whole release serves each site.
"""

from __future__ import annotations

import random
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

from kit import output
from kit.faults.breakpoint import Halted, before
from kit.load.users_in_outage import users_of
from kit.load.wrk import Wrk
from kit.site.command import Ran
from kit.site.host import Host
from kit.site.invariants import assert_whole
from kit.site.two_versions import TwoVersions

SEED = 20261125
SITES = 3
HANDS = 6  # commands at once
COMMANDS = 28

#: How often each comes, and with which exit codes it may end beside those of `ANY`.
VERBS = {
    ("release",): (6, {9}),
    ("release", "--wait", "20"): (4, {9}),
    ("rollback",): (4, {8, 9}),
    ("recover", "--wait", "5"): (3, {9}),
    ("prune",): (3, {9}),
    ("verify",): (3, set()),
    ("status",): (3, set()),
    ("history",): (2, set()),
    ("logs",): (2, set()),
    ("edge", "up"): (2, set()),
    ("edge", "status"): (2, set()),
}
#: Done, another command holds it, interrupted.
ANY = {0, 6, 130}


@dataclass(frozen=True, slots=True)
class Blow:
    number: signal.Signals
    after: float  # seconds from its start


@dataclass(frozen=True, slots=True)
class Order:
    """One command, as it was drawn."""

    verb: tuple[str, ...]
    two_versions: TwoVersions
    blow: Blow | None

    def carry_out(self) -> Ran:
        argv = self.verb
        if argv[0] == "release":
            argv = (*self.two_versions.argv(self.two_versions.other), *argv[1:])
        running = self.two_versions.site.bluegreen.start(*argv)
        if self.blow is None:
            return running.wait()
        due = threading.Timer(self.blow.after, running.send, (self.blow.number,))
        due.start()
        try:
            return running.wait()
        finally:
            due.cancel()

    def assert_ended_as_promised(self, ran: Ran) -> None:
        allowed = ANY | VERBS[self.verb][1]
        if self.blow is not None and (self.blow.number is signal.SIGKILL or not ran.stderr):
            allowed = allowed | {-self.blow.number}  # a SIGTERM before Python itself has begun
        assert ran.code in allowed, f"{self}: {ran}"
        assert "defect" not in ran.stdout + ran.stderr, f"{self}: {ran}"
        assert "Traceback" not in ran.stderr, f"{self}: {ran}"


def drawn(crowd: list[TwoVersions]) -> Iterator[Order]:
    chance = random.Random(SEED)
    verbs, weights = list(VERBS), [often for often, _ in VERBS.values()]
    for _ in range(COMMANDS):
        blow = None
        if chance.random() < 0.35:
            number = chance.choice([signal.SIGTERM, signal.SIGKILL])
            blow = Blow(number, chance.uniform(0.2, 4.0))
        yield Order(chance.choices(verbs, weights)[0], chance.choice(crowd), blow)


def test_a_crowd_of_commands_some_of_them_killed(host: Host) -> None:
    first = TwoVersions.begun(host.site())
    crowd = [first, *(TwoVersions.begun(host.site(), first.images) for _ in range(SITES - 1))]
    with ExitStack() as stack:
        stack.enter_context(users_of(*(one.site for one in crowd), case="a crowd of commands"))
        load = stack.enter_context(Wrk(f"{host.url}/", host=first.site.hostname, connections=4))
        orders = list(drawn(crowd))
        with ThreadPoolExecutor(HANDS) as hands:
            ended = list(hands.map(Order.carry_out, orders))
        told = [f"{' '.join(one.verb)}: {ran.code}" for one, ran in zip(orders, ended, strict=True)]
        output.keep("world-crowd-exit-codes", dict(sorted(Counter(told).items())))
        for order, ran in zip(orders, ended, strict=True):
            order.assert_ended_as_promised(ran)
        for one in crowd:
            one.site.bluegreen("recover", expect=0)
            assert_whole(one.site)
        report = load.report()
        output.keep("world-crowd-wrk", {"requests": report.requests, "lost": report.lost})
        report.assert_nothing_lost(at_least=1000)


def test_a_look_that_a_release_overtakes_raises_no_alarm(host: Host) -> None:
    """A monitor runs `verify` at any time: what it has to compare with may be gone by then."""
    two_versions = TwoVersions.begun(host.site())
    with Halted(two_versions.site.bluegreen, before("client.ask"), "verify") as looking:
        two_versions.assert_the_next_release_heals()
    ran = looking.wait().expect(0)
    assert ran.document["live"]["id"] in two_versions.site.live()
