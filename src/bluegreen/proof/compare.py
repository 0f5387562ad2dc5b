"""The proof: what is served, compared with the manifest, byte for byte and type for type."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from bluegreen.artifact import decompress, media_types
from bluegreen.lib import poll
from bluegreen.model import MAX_BODY, Exchange, FileFact

#: Parallel requests: as a browser over HTTP/2, without starving a small container.
_PARALLEL = 8
#: Answers that may pass by themselves: nothing answered, or the edge had no upstream yet.
PASSING = frozenset({0, 502, 503, 504})
_RETRY_INTERVAL = 0.1
#: Seconds for a whole proof. What was not asked by then counts as not proven.
LIMIT = 120.0
#: The page is asked once more for each of these, as browsers do.
_BROWSERS_ASK = ("gzip, deflate, br, zstd", "gzip", "br", "zstd")
#: Bytes by which an encoded page may be larger than the page (incompressible content).
_OVERHEAD = 1 << 16


class Ask(Protocol):
    """One GET of a path, through one listener. A body over `max_body` bytes is no whole answer."""

    def __call__(
        self,
        path: str,
        headers: Mapping[str, str] | None = None,
        *,
        keep_body: bool = False,
        max_body: int = MAX_BODY,
    ) -> Exchange: ...


def through(probe: Callable[..., Exchange], timeout: float) -> Ask:
    """An Ask by `Edge.public`, or by anything with its signature; seconds for each answer."""

    def ask(
        path: str,
        headers: Mapping[str, str] | None = None,
        *,
        keep_body: bool = False,
        max_body: int = MAX_BODY,
    ) -> Exchange:
        return probe(path, timeout=timeout, headers=headers, keep_body=keep_body, max_body=max_body)

    return ask


def noting(ask: Ask, answers: dict[str, Exchange]) -> Ask:
    """The same, and `answers` has the last answer for each path that was asked for as it is."""

    def asked(
        path: str,
        headers: Mapping[str, str] | None = None,
        *,
        keep_body: bool = False,
        max_body: int = MAX_BODY,
    ) -> Exchange:
        came = ask(path, headers, keep_body=keep_body, max_body=max_body)
        if not headers:
            answers[path] = came
        return came

    return asked


def patiently(ask: Callable[[], Exchange], patience: float, most: int) -> Exchange:
    """What came; for `patience` seconds an answer that may pass by itself is asked for again,
    unless it was given up for being larger than `most` bytes."""
    for _ in poll.ticks(patience, _RETRY_INTERVAL):
        came = ask()
        if came.status not in PASSING or came.size > most:
            break
    return came


@dataclass(frozen=True, slots=True)
class Expectation:
    """A file that must be served. A fact without a digest asks for status and type alone."""

    url: str
    path: str  # in the manifest
    fact: FileFact
    page: bool = False  # asked once more as browsers ask, and decoded


@dataclass(frozen=True, slots=True)
class Mismatch:
    expected: Expectation
    came: Exchange
    what: str  # what is wrong, for people
    asked: str = ""  # the Accept-Encoding, where it was not the plain file

    def __str__(self) -> str:
        return f"{self.expected.url}: {self.what}"


def prove(
    ask: Ask, expected: Sequence[Expectation], patience: float, *, limit: float = LIMIT
) -> tuple[Mismatch, ...]:
    """Every mismatch; none is the proof.

    `patience`: seconds that a missing answer may take; `limit`: seconds for all of it.
    """
    if not expected:
        return ()
    end = time.monotonic() + limit
    with ThreadPoolExecutor(max_workers=min(_PARALLEL, len(expected))) as pool:
        found = pool.map(lambda one: _prove_one(ask, one, patience, end), expected)
        return tuple(mismatch for mismatch in found if mismatch is not None)


def _prove_one(ask: Ask, expected: Expectation, patience: float, end: float) -> Mismatch | None:
    left = end - time.monotonic()
    if left <= 0:
        return Mismatch(expected, _not_asked(expected), "not asked: the time of the proof was over")
    most = max(expected.fact.size, _OVERHEAD)
    for _ in poll.ticks(min(patience, left), _RETRY_INTERVAL):
        came = ask(expected.url, max_body=most) if expected.fact.sha256 else ask(expected.url)
        if came.status not in PASSING or _too_large(expected, came):
            break
    if what := _wrong(expected, came):
        return Mismatch(expected, came, what)
    if not (expected.page and expected.fact.sha256):
        return None
    return _prove_page(ask, expected, patience, end)


def _wrong(expected: Expectation, came: Exchange) -> str:
    if _too_large(expected, came):
        return _other_bytes(expected, came.size, "")
    if came.status == 0:
        return f"no answer ({came.error})"
    if came.status != 200:
        return f"status {came.status}{_reason(came)}, 200 expected"
    if not media_types.fits(expected.path, came.media_type):
        return (
            f"type {came.media_type or 'missing'}, {media_types.expected(expected.path)} expected"
        )
    if expected.fact.sha256 and came.sha256 != expected.fact.sha256:
        coding = came.headers.get("content-encoding", "")
        if coding not in ("", "identity"):
            return f"it came encoded as {coding}, though it was asked for as it is (identity)"
        return _other_bytes(expected, came.size, came.sha256)
    return ""


def _prove_page(ask: Ask, expected: Expectation, patience: float, end: float) -> Mismatch | None:
    """The page as browsers ask for it: what comes, decoded, is the same page."""
    most = expected.fact.size + _OVERHEAD
    for accepted in _BROWSERS_ASK:
        left = end - time.monotonic()
        if left < 0:
            return Mismatch(
                expected, _not_asked(expected), "not asked: the time of the proof was over"
            )
        as_browsers = {"Accept-Encoding": accepted}
        came = patiently(
            partial(ask, expected.url, as_browsers, keep_body=True, max_body=most),
            min(patience, left),
            most,
        )
        if what := _wrong_decoded(expected, came, accepted):
            return Mismatch(expected, came, f"asked for with {accepted}: {what}", accepted)
    return None


def _wrong_decoded(expected: Expectation, came: Exchange, accepted: str) -> str:
    coding = came.headers.get("content-encoding", "").strip().lower()
    if came.status != 200:
        return _wrong(expected, came)
    if coding in ("", "identity"):
        return _wrong(expected, came)
    if coding not in accepted.split(", "):
        return f"it came encoded as {coding}"
    digest, size = hashlib.sha256(), 0
    try:
        for piece in decompress.decoded(coding, [came.body]):
            digest.update(piece)
            size += len(piece)
            if size > expected.fact.size:
                break
    except decompress.Undecodable as error:
        return f"its {coding} cannot be decoded: {error}"
    if digest.hexdigest() == expected.fact.sha256:
        return ""
    return f"decoded from {coding}, {_other_bytes(expected, size, digest.hexdigest())}"


def _too_large(expected: Expectation, came: Exchange) -> bool:
    """It was given up for its size: what came is more than the whole file."""
    return came.status == 0 and bool(expected.fact.sha256) and came.size > expected.fact.size


def _other_bytes(expected: Expectation, size: int, sha256: str) -> str:
    more = "more than " if size > expected.fact.size else ""
    came = f" sha256 {sha256[:12]}," if sha256 and not more else ","
    return (
        f"other bytes than the image's {expected.path}: {more}{size} bytes{came}"
        f" {expected.fact.size} bytes sha256 {expected.fact.sha256[:12]} expected"
    )


def _reason(came: Exchange) -> str:
    if came.location:
        return f" to {came.location}"
    return f" ({came.error})" if came.error else ""


def _not_asked(expected: Expectation) -> Exchange:
    return Exchange(via="", url=expected.url, host="")
