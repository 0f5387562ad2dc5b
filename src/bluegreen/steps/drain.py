"""Wait until the old release has no request in flight, or the deadline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bluegreen.lib import poll
from bluegreen.model import Upstream
from bluegreen.ports import Edge, Line

#: Between an edge's choice of an upstream and its count lies a moment in which a request is
#: not seen; so many empty counts in a row, this far apart, are taken for zero.
_ZEROS = 3
_INTERVAL = 0.2


@dataclass(frozen=True, slots=True)
class Drained:
    left: int  # requests, streams and websockets still open at the deadline
    most: int  # seen at once


def drain(
    edge: Edge,
    upstream: Upstream,
    timeout: float,
    say: Line | None = None,
    at_each_count: Callable[[], None] = lambda: None,
) -> Drained:
    """Raises EdgeError where the edge cannot be asked: nothing unconfirmed is then stopped.

    `at_each_count` is done before it, instead of only waiting; what it raises ends the waiting.
    """
    zeros = most = count = 0
    for left in poll.ticks(timeout, _INTERVAL):
        at_each_count()
        count = edge.in_flight(upstream)
        most = max(most, count)
        zeros = 0 if count else zeros + 1
        if zeros >= _ZEROS:
            return Drained(0, most)
        if count and say is not None:
            say(f"{count} in flight, {left:.0f} s left")
    return Drained(count, most)
