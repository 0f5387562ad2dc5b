"""The one place that waits: a poll with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator


def ticks(timeout: float, interval: float | Callable[[], float]) -> Iterator[float]:
    """Yield the seconds that are left, at once and then every `interval`, the last time at 0.

    What the loop does meanwhile counts into the interval, which may change from one time to the
    next. A loop that falls out of it has run out of time.
    """
    deadline = time.monotonic() + timeout
    while True:
        began = time.monotonic()
        if began >= deadline:
            yield 0.0
            return
        yield deadline - began
        seconds = interval() if callable(interval) else interval
        time.sleep(max(0.0, min(began + seconds, deadline) - time.monotonic()))
