"""When was the page made? Its own time in the image against the build, and as it is served.

A time alone proves nothing: a build that took a layer from its cache, a page that was built
before its image, and a reproducible build all carry old times and are right. So every time
is given its cause; one without a cause is `suspicious`.

What was measured: BuildKit keeps a cached layer although the file was touched, and then
serves the old time; `COPY` keeps the context's time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from bluegreen.lib.humanize import SKEW, show_age

_DAY = 86400.0
#: Times that tools write in place of the real one.
_FIXED = (
    (0.0, "a zeroed time"),
    (315532800.0, "the first time that a zip file can hold, 1980-01-01"),
    (499162500.0, "the time that npm gives to every file, 1985-10-26"),
)
#: No page that anyone releases was made before; a fixed time of some other tool.
_LONG_AGO = 946684800.0  # 2000-01-01
_DIRTY = "-dirty"


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """How a release's image came to be. Times in seconds since the epoch; None: not known."""

    started: float | None  # of the build; None where an image was given
    cached: bool = False  # the builder took layers from its cache
    given: str = ""  # the image that was given in place of a build
    given_created: float | None = None  # when it says that it was made
    context_index: float | None = None  # of a file of the context with the index's very bytes
    context_path: str = ""  # that file, below the context
    source_date_epoch: float | None = None
    commit_time: float | None = None
    #: Whether git knows of no change below the context since live's revision.
    same_sources: bool | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    cause: str  # one word for machines
    told: str  # for people
    suspicious: bool = False


def of_index(modified: float, making: Making, now: float) -> Judgement:
    """What the index's time in the image says of the build that brought it."""
    if modified > now + SKEW:
        return Judgement(
            "clock", f"its time is {show_age(modified - now)} ahead: two clocks differ"
        )
    if fixed := _fixed(modified, making):
        return fixed
    if making.started is None:
        return _of_given(modified, making)
    age = show_age(max(0.0, making.started - modified))
    if modified + SKEW >= making.started:
        return Judgement("built", "made by this build")
    if making.context_index is not None and abs(making.context_index - modified) <= SKEW:
        return Judgement("context", f"{making.context_path} was made {age} before the build")
    if making.context_index is not None:
        return Judgement(
            "cached", f"the bytes of {making.context_path}, from a layer {age} older than the build"
        )
    if making.cached:
        return Judgement("cached", f"from a cached layer, {age} older than the build")
    return Judgement(
        "old",
        f"it is {age} older than the build, which took nothing from a cache, and the context has"
        " no such file: does the build copy a page that is made elsewhere?",
        suspicious=True,
    )


def of_no_change(live_revision: str, revision: str, making: Making) -> Judgement | None:
    """The content is the live one's: what that says, where the revision says otherwise.

    This is how a build that did nothing looks: a cached layer, a forgotten build of `dist`,
    an image that was not pushed. None where nothing else was to be expected.
    """
    known = {"", "none"}
    if live_revision in known or revision in known or live_revision == revision:
        return None
    if making.same_sources:
        return Judgement(
            "no-change",
            f"git knows of no change below the context between {live_revision} and {revision}",
        )
    if making.given:
        usual = f"was {making.given} built and pushed again?"
    elif making.cached:
        usual = "did the build take a cached layer (try --no-cache)?"
    else:
        usual = "was the frontend built again before its image?"
    return Judgement(
        "did-nothing",
        f"the revision went from {live_revision} to {revision}, yet every byte is the live"
        f" release's: {usual}",
        suspicious=True,
    )


def of_served(
    last_modified: str, modified: float, making: Making | None, now: float
) -> Judgement | None:
    """What `Last-Modified` says, as it came with the index's right bytes. None: nothing."""
    if not last_modified:
        return None
    served = http_time(last_modified)
    if served is None:
        return Judgement(
            "unreadable", f"Last-Modified is no date: {last_modified[:60]!r}", suspicious=True
        )
    if abs(served - modified) < 2:  # HTTP's dates are whole seconds
        return Judgement("image", "Last-Modified is the time in the image")
    if served > now + SKEW:
        return Judgement("clock", f"Last-Modified is {show_age(served - now)} ahead of this host")
    if served > modified:
        return Judgement("server", "the server sends a later Last-Modified of its own")
    if fixed := _fixed(served, making or Making(started=None)):
        return fixed
    return Judgement(
        "older",
        f"Last-Modified is {show_age(modified - served)} older than the file in the image: the"
        " server takes it from elsewhere (a mount over the web root, a cache of its own?), and"
        " browsers that hold a page of between are told that it has not changed",
        suspicious=True,
    )


def http_time(text: str) -> float | None:
    """An HTTP date (RFC 9110, 5.6.7) in seconds since the epoch."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None


def engine_time(text: str) -> float | None:
    """An RFC 3339 time as the engine writes it, with its nine digits of a second."""
    found = re.match(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)?$", text)
    if found is None:
        return None
    moment = datetime.fromisoformat(found[1] + (found[3] or "Z").replace("Z", "+00:00"))
    return moment.astimezone(UTC).timestamp()


def epoch_of(args: Mapping[str, str], environ: Mapping[str, str]) -> float | None:
    """SOURCE_DATE_EPOCH as the build gets it: an argument goes over the environment.
    https://reproducible-builds.org/specs/source-date-epoch/"""
    value = args.get("SOURCE_DATE_EPOCH") or environ.get("SOURCE_DATE_EPOCH") or ""
    return float(value) if value.isascii() and value.isdigit() else None


def is_dirty(revision: str) -> bool:
    return revision.endswith(_DIRTY)


def clean(revision: str) -> str:
    return revision.removesuffix(_DIRTY)


def _of_given(modified: float, making: Making) -> Judgement:
    created = making.given_created
    if created is not None and modified > created + SKEW and created > _LONG_AGO:
        return Judgement("clock", "it is newer than its image says it is: two clocks differ")
    return Judgement("given", "its image was built before, and given with --image")


def _fixed(moment: float, making: Making) -> Judgement | None:
    """A time that a reproducible build or a packer wrote in place of the real one."""
    if making.source_date_epoch is not None and abs(moment - making.source_date_epoch) < 2:
        return Judgement("source-date-epoch", "SOURCE_DATE_EPOCH")
    if making.commit_time is not None and abs(moment - making.commit_time) < 2:
        return Judgement("commit-time", "the time of the commit, as reproducible builds write it")
    for fixed, name in _FIXED:
        if abs(moment - fixed) <= _DAY:  # written in some other zone's time
            return Judgement("zeroed", name)
    if moment < _LONG_AGO:
        return Judgement("zeroed", "a fixed time long ago")
    return None
