"""The one place that waits: a poll with a deadline."""

from __future__ import annotations

import time
from collections.abc import Iterator


def ticks(timeout: float, interval: float) -> Iterator[float]:
    """Yield the seconds that are left, at once and then every `interval`, the last time at 0.

    A loop that falls out of it has run out of time.
    """
    deadline = time.monotonic() + timeout
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            yield 0.0
            return
        yield left
        time.sleep(max(0.0, min(interval, deadline - time.monotonic())))
