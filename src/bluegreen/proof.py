"""The proof: what is served, compared with the manifest, byte for byte and type for type."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from bluegreen import media, poll
from bluegreen.model import Exchange, FileFact

#: Parallel requests: as a browser over HTTP/2, without starving a small container.
_PARALLEL = 8
#: Answers that may pass by themselves: nothing answered, or the edge had no upstream yet.
PASSING = frozenset({0, 502, 503, 504})
_RETRY_INTERVAL = 0.1

Ask = Callable[[str], Exchange]


@dataclass(frozen=True, slots=True)
class Expectation:
    url: str
    path: str  # in the manifest
    fact: FileFact


@dataclass(frozen=True, slots=True)
class Mismatch:
    expected: Expectation
    came: Exchange
    what: str  # what is wrong, for people

    def __str__(self) -> str:
        return f"{self.expected.url}: {self.what}"


def prove(ask: Ask, expected: Sequence[Expectation], patience: float) -> tuple[Mismatch, ...]:
    """Every mismatch; none is the proof. `patience`: seconds that a missing answer may take."""
    if not expected:
        return ()
    with ThreadPoolExecutor(max_workers=min(_PARALLEL, len(expected))) as pool:
        found = pool.map(lambda one: _prove_one(ask, one, patience), expected)
        return tuple(mismatch for mismatch in found if mismatch is not None)


def _prove_one(ask: Ask, expected: Expectation, patience: float) -> Mismatch | None:
    for _ in poll.ticks(patience, _RETRY_INTERVAL):
        came = ask(expected.url)
        if came.status not in PASSING:
            break
    what = _wrong(expected, came)
    return Mismatch(expected, came, what) if what else None


def _wrong(expected: Expectation, came: Exchange) -> str:
    if came.status == 0:
        return f"no answer ({came.error})"
    if came.status != 200:
        return f"status {came.status}{_reason(came)}, 200 expected"
    if not media.fits(expected.path, came.media_type):
        return f"type {came.media_type or 'missing'}, {media.expected(expected.path)} expected"
    if came.sha256 != expected.fact.sha256:
        return (
            f"other bytes than the image's {expected.path}: {came.size} bytes"
            f" sha256 {came.sha256[:12]}, {expected.fact.size} bytes"
            f" sha256 {expected.fact.sha256[:12]} expected"
        )
    return ""


def _reason(came: Exchange) -> str:
    if came.location:
        return f" to {came.location}"
    return f" ({came.error})" if came.error else ""
