"""What is served, looked at beyond the bytes: build id, the page's references, its headers.

The same look at a candidate, at the edge, and at whatever stands before the edge; whoever
asks decides what a finding leads to.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import unquote

from bluegreen.artifact import media_types
from bluegreen.artifact.needs import references
from bluegreen.lib.globs import matches
from bluegreen.model import Exchange, FileFact
from bluegreen.proof import age, build_id, cache_headers, compare
from bluegreen.proof.compare import Ask

_PARALLEL = 8
_MOST_PAGE = 8 << 20  # bytes of a page or a build id, which are held in memory
_PAGES = frozenset({"text/html", "application/xhtml+xml"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A release as it must look, whoever serves it."""

    revision: str
    build_id: str  # path, "" = none
    index: FileFact | None  # None: the site is not static
    index_path: str  # in the manifest
    page_urls: tuple[str, ...]  # where its page is looked for; the first that is one counts
    rewritten: frozenset[str]  # paths or globs
    optional: frozenset[str] = frozenset()  # likewise
    known: Mapping[str, FileFact]  # path → fact, of what the image would serve
    hosts: frozenset[str] = frozenset()
    others: Mapping[str, str] = field(default_factory=dict)  # revision → release id
    making: age.Making | None = None

    @property
    def page_is_the_images(self) -> bool:
        """Its page is compared byte for byte, and what it names is known from the image."""
        return self.index is not None and not self.is_rewritten(self.index_path)

    def is_rewritten(self, path: str) -> bool:
        """Whether the container writes `path` at its start."""
        return matches(path, self.rewritten)

    def is_optional(self, path: str) -> bool:
        """Whether `path` may be missing though the page names it."""
        return matches(path, self.optional)


@dataclass(frozen=True, slots=True)
class Finding:
    what: str
    came: Exchange


@dataclass(slots=True)
class Examined:
    """What was found. `compared`: what was asked for and held, url → digest as it came."""

    wrong: list[Finding] = field(default_factory=list)
    kept: list[tuple[str, str]] = field(default_factory=list)  # (url, header that lets it be kept)
    last_modified: str = ""
    time: age.Judgement | None = None
    build_id: str = ""  # the path that held the revision
    page: str = ""
    compared: dict[str, FileFact] = field(default_factory=dict)


def examine(ask: Ask, subject: Subject, patience: float) -> Examined:
    """Never raises. `patience`: seconds that a missing answer of a file may take."""
    found = Examined()
    page = _page(ask, subject, found, patience)
    if subject.build_id:
        _build_id(ask, subject, found, patience)
    if page is not None and not subject.page_is_the_images:
        _references(ask, subject, page, found, patience)
    _headers(ask, subject, page, found)
    return found


def _page(ask: Ask, subject: Subject, found: Examined, patience: float) -> Exchange | None:
    for url in subject.page_urls:
        came = _whole(ask, url, patience)
        if came.status == 200 and came.media_type in _PAGES:
            found.page, found.last_modified = url, came.last_modified
            if subject.index is not None and subject.page_is_the_images:
                found.time = age.of_served(
                    came.last_modified, subject.index.modified, subject.making, time.time()
                )
            return came
        if subject.index is not None:
            found.wrong.append(Finding(f"{url} gave {_told(came)}, a page expected", came))
    return None


def _whole(ask: Ask, url: str, patience: float) -> Exchange:
    asked = partial(ask, url, keep_body=True, max_body=_MOST_PAGE)
    return compare.patiently(asked, patience, _MOST_PAGE)


def _build_id(ask: Ask, subject: Subject, found: Examined, patience: float) -> None:
    came = _whole(ask, subject.build_id, patience)
    if wrong := build_id.wrong(subject.build_id, came, subject.revision, subject.others):
        found.wrong.append(Finding(wrong, came))
    else:
        found.build_id = subject.build_id
        found.compared[subject.build_id] = FileFact(came.sha256, came.size, came.media_type)


def _references(
    ask: Ask, subject: Subject, page: Exchange, found: Examined, patience: float
) -> None:
    """The page as it was served, and every file that it names: by the image's bytes where they
    are known, else by status and type."""
    found.compared[found.page] = FileFact(page.sha256, page.size, page.media_type)
    came: dict[str, Exchange] = {}
    wanted = [
        compare.Expectation(url, path, _fact(subject, path))
        for url in references.of_page(page.body, found.page, subject.hosts)
        for path in [unquote(url).lstrip("/")]
        if not subject.is_optional(path)
    ]
    wrong = compare.prove(compare.noting(ask, came), wanted, patience)
    found.wrong += [Finding(f"{found.page} names {one}", one.came) for one in wrong]
    failed = {one.expected.url for one in wrong}
    found.compared |= {
        one.url: FileFact(came[one.url].sha256, came[one.url].size, came[one.url].media_type)
        for one in wanted
        if one.url not in failed
    }


def _fact(subject: Subject, path: str) -> FileFact:
    known = subject.known.get(path)
    if known is None or subject.is_rewritten(path):
        return FileFact("", 0, media_types.expected(path))
    return known


def _headers(ask: Ask, subject: Subject, page: Exchange | None, found: Examined) -> None:
    """Which files of fixed names may be kept for a time."""
    urls = [f"/{path}" for path in sorted(subject.known) if media_types.is_never_kept(path)]
    if subject.build_id and subject.build_id not in urls:
        urls.append(subject.build_id)
    answers = [page] if page is not None else []
    with ThreadPoolExecutor(max_workers=_PARALLEL) as pool:
        answers += pool.map(ask, urls)
    for url, came in zip([found.page, *urls] if page is not None else urls, answers, strict=True):
        if came.status == 200 and (header := cache_headers.kept_by(came.headers)):
            found.kept.append((url, header))


# --- a missing asset must be a miss -----------------------------------------


def missing_urls(patterns: Iterable[str]) -> tuple[str, ...]:
    """A name that no build made for each pattern with a *: `/assets/<random>-0000.js`."""
    found = []
    for pattern in sorted(set(patterns)):
        before, star, after = pattern.rpartition("*")
        if star:
            stem = before.replace("*", "a")
            found.append(f"{stem}{secrets.token_hex(6)}-0000{after or '.js'}")
    return tuple(found)


def no_miss(url: str, came: Exchange) -> str:
    """What is wrong with the answer to a file that does not exist; "" for a plain miss."""
    if came.status in (404, 410):
        return ""
    if came.status == 200 and came.media_type in _PAGES:
        return f"{url} does not exist, and is answered with a page (status 200, {came.media_type})"
    return f"{url} does not exist, and is answered with {_told(came)}, not with 404"


# --- validators -------------------------------------------------------------


def same_validator(ask: Ask, url: str, old: Exchange) -> str:
    """Whether a browser that holds `old` would be told that it has not changed; "" if not.

    Web servers that make an ETag of a time and a size give two builds with fixed times the
    same one (whitenoise#222); the page that a browser has then outlives the release.
    """
    asked: dict[str, str] = {}
    if etag := old.headers.get("etag", ""):
        asked["If-None-Match"] = etag
    if old.last_modified:
        asked["If-Modified-Since"] = old.last_modified
    if not asked:
        return ""
    came = ask(url, headers=asked)
    if came.status != 304:
        return ""
    said = ", ".join(f"{name}: {value}" for name, value in asked.items())
    return (
        f"{url} has other bytes than live's, yet the candidate answers 304 to whoever holds live's"
        f" ({said}): browsers keep the old page. Fixed times in the image make its server give"
        " both the same validator: let it send no ETag and no Last-Modified for the page"
    )


def _told(came: Exchange) -> str:
    if not came.status:
        return f"no answer ({came.error})"
    where = f" to {came.location}" if came.location else ""
    return f"status {came.status}{where}, {came.media_type or 'no type'}"
