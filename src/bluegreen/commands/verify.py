"""`bluegreen verify`: is what users get still the live release? Made for a monitor.

The image of the live release says what must be served; the container, the public listener
and, with `--url`, whatever stands before it are each asked for it. Reads only, no lock.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from bluegreen import probe
from bluegreen.commands.release import new_suffix
from bluegreen.errors import ConfigError, EngineError, Rejected
from bluegreen.model import ErrorFacts, LedgerRow, Outcome, Result, Upstream
from bluegreen.plan import Observation
from bluegreen.proof import blame, cache_headers, compare, record
from bluegreen.proof import page as proofpage
from bluegreen.proof.blame import Blame, Place, Wrong
from bluegreen.settings import container_spec as specs
from bluegreen.site import Host, look
from bluegreen.steps import boot, inspect
from bluegreen.steps.decide import runs
from bluegreen.steps.gate import PROBE_TIMEOUT
from bluegreen.steps.prove import subject_of

_PATIENCE = 3.0
_RECENT = 10
_LOOKS = 3


def verify(host: Host, url: str = "") -> Result:
    """Exit code 0, or 1 with findings that say whether the container, the edge or the CDN is
    stale."""
    began = time.monotonic()
    through = _client(url) if url else None
    for _ in range(_LOOKS):
        seen = look(host)
        result = _verify(host, seen, began, url, through)
        if not result.exit_code or host.edge.live() == seen.upstream:
            break  # else a switch overtook it: what it found was right of another release
    return result


def _verify(
    host: Host, seen: Observation, began: float, url: str, through: probe.Client | None
) -> Result:
    row, upstream = seen.live_row, seen.upstream
    if upstream is None or row is None:
        trouble = _without_release(seen)
        return _result(host, seen, began, (trouble,), {}, "nothing to compare with")
    container = _container(seen, row, upstream)
    if container and not runs(seen.live):  # each request would take the edge's whole try_duration
        return _result(host, seen, began, container, {}, "the engine's word")
    found, source = _expected(host, row)
    subject = _subject(host, row, found)
    asks: dict[Place, compare.Ask] = {
        Place.ORIGIN: compare.through(partial(host.edge.preview, upstream), PROBE_TIMEOUT),
        Place.EDGE: compare.through(host.edge.public, PROBE_TIMEOUT),
    }
    if through is not None:
        asks[Place.CDN] = compare.through(
            partial(through.ask, host=urlsplit(url).netloc), PROBE_TIMEOUT
        )
    wrong: dict[Place, list[Wrong]] = {}
    pages: dict[Place, proofpage.Examined] = {}
    for place, ask in asks.items():
        wrong[place], pages[place] = _look_at(ask, found.expected, subject)
    _unlike_origin(subject, pages, wrong)
    blames = (*container, *blame.blame(wrong))
    checked = {str(place): _told(found.expected, pages[place], wrong[place]) for place in asks}
    return _result(host, seen, began, blames, checked, source, url)


# --- what must be served ----------------------------------------------------


def _expected(host: Host, row: LedgerRow) -> tuple[inspect.Inspected, str]:
    """From the image, read again; where it is gone, from the digests that the ledger kept."""
    release, spec = row.release, _spec(host, row)
    image = host.engine.image(release.image)
    if image is not None and image.id == release.image_id:
        # Read under an id of its own, so that two at once do not take each other's container.
        moment = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        scratch = replace(release, id=f"{moment}-{new_suffix()}")
        labels = boot.labels_of(scratch, spec, host.running.name)
        try:
            hosts = frozenset(spec.hosts)
            return inspect.inspect(host.engine, scratch, spec.freshness, labels, hosts), "the image"
        except (EngineError, Rejected):
            if not row.proof:
                raise
    kept = record.expected_of(row.proof)
    path = spec.freshness.index
    index = next((one.fact for one in kept if one.path == path), None)
    if index is None and spec.freshness.web_root:
        raise Rejected(
            f"the image of {release.id} is gone, and the ledger kept no digests of it",
            hint="bluegreen release",
        )
    return inspect.Inspected(manifest=None, index=index, expected=kept), "the ledger's digests"


def _spec(host: Host, row: LedgerRow) -> specs.Spec:
    """As recorded; what its env files hold plays no part here, and they may be gone."""
    return specs.without_files(row.spec, host.settings.hosts)


def _subject(host: Host, row: LedgerRow, found: inspect.Inspected) -> proofpage.Subject:
    history = host.ledger.history(host.site, _RECENT)
    subject = subject_of(row.release, _spec(host, row), found, history)
    if found.manifest is None:
        known = {one.path: one.fact for one in found.expected}
        if not found.expected:
            patterns = host.settings.assets.paths
            known = record.seen_at_edge(row.proof, patterns)
        subject = replace(subject, known=known)
    return subject


# --- what is served ---------------------------------------------------------


def _look_at(
    ask: compare.Ask, expected: Sequence[compare.Expectation], subject: proofpage.Subject
) -> tuple[list[Wrong], proofpage.Examined]:
    mismatches = compare.prove(ask, expected, _PATIENCE)
    page = proofpage.examine(ask, subject, _PATIENCE)
    found = [
        Wrong(
            path=one.expected.url,
            what=str(one),
            sha256=one.came.sha256,
            caches=cache_headers.told_by_caches(one.came.headers),
        )
        for one in mismatches
    ]
    told = {one.path for one in found}
    for one in page.wrong:
        path = urlsplit(one.came.url).path or "/"
        if path not in told:
            caches = cache_headers.told_by_caches(one.came.headers)
            found.append(Wrong(path=path, what=one.what, sha256=one.came.sha256, caches=caches))
    return found, page


def _unlike_origin(
    subject: proofpage.Subject,
    pages: dict[Place, proofpage.Examined],
    wrong: dict[Place, list[Wrong]],
) -> None:
    """A page that the container wrote at its start has no digest in the image: the container's
    own answer is the measure."""
    if subject.index is None or subject.page_is_the_images:
        return
    url = pages[Place.ORIGIN].page
    first = pages[Place.ORIGIN].compared.get(url)
    for place in (Place.EDGE, Place.CDN):
        came = pages[place].compared.get(url) if place in pages else None
        if first is not None and came is not None and came.sha256 != first.sha256:
            what = (
                f"{url} has other bytes (sha256 {came.sha256[:12]}) than what the container"
                f" serves (sha256 {first.sha256[:12]})"
            )
            wrong[place].append(Wrong(path=url, what=what, sha256=came.sha256))


def _container(seen: Observation, row: LedgerRow, upstream: Upstream) -> tuple[Blame, ...]:
    """The engine's word on the live container."""
    facts, name = seen.live, upstream.container
    if facts is None:
        what = f"the container {name} does not exist"
    elif not facts.running:
        what = f"the container {name} is {facts.status} with exit code {facts.exit_code}"
    elif row.release.image_id and facts.image_id != row.release.image_id:
        what = (
            f"the container {name} runs the image {facts.image_id[:19]}, not the released"
            f" {row.release.image_id[:19]}"
        )
    else:
        return ()
    return (Blame(place=Place.ORIGIN, path="", what=what),)


def _without_release(seen: Observation) -> Blame:
    what = "no release is live"
    if seen.upstream is not None:
        what = f"{seen.upstream.container} is live, and the ledger does not know it"
    return Blame(place=Place.ORIGIN, path="", what=what)


def _client(url: str) -> probe.Client:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
        raise ConfigError(
            f"--url {url!r} is no address of a site",
            hint="give its scheme and host: --url https://www.example.com",
        )
    tls = ssl.create_default_context() if parts.scheme == "https" else None
    origin = f"{parts.scheme}://{parts.netloc}"
    return probe.Client(origin, via="url", tls=tls, sni=parts.hostname)


# --- what came of it --------------------------------------------------------


def _told(
    expected: Sequence[compare.Expectation], page: proofpage.Examined, wrong: Sequence[Wrong]
) -> dict[str, Any]:
    urls = {one.url for one in expected} | set(page.compared)
    return {
        "compared": len(urls),
        "wrong": len(wrong),
        "build_id": page.build_id or None,
        "last_modified": page.last_modified or None,
        "kept": [f"{path} ({header})" for path, header in page.kept],
    }


def _result(
    host: Host,
    seen: Observation,
    began: float,
    blames: Sequence[Blame],
    checked: dict[str, Any],
    source: str,
    url: str = "",
) -> Result:
    row = seen.live_row
    seconds = time.monotonic() - began
    compared = max((place["compared"] for place in checked.values()), default=0)
    where = " and ".join(("the edge", *([url] if url else [])))
    who = f"{row.release.id} ({row.release.revision})" if row else "no release"
    error = None
    if blames:
        error = ErrorFacts(
            code=1,
            message=f"{who}: {'; '.join(str(one) for one in blames[:3])}"
            + (f"; and {len(blames) - 3} more" if len(blames) > 3 else ""),
            hint=blame.HINTS[blames[0].place],
        )
    return Result(
        command="verify",
        outcome=Outcome.FAILED if blames else Outcome.VERIFIED,
        site=host.site,
        exit_code=1 if blames else 0,
        release=row.release if row else None,
        live=seen.live_release,
        seconds=seconds,
        error=error,
        detail={
            "against": source,
            "checked": checked,
            "findings": [
                {"where": str(one.place), "path": one.path, "what": one.what} for one in blames
            ],
            "text": f"verified: {who}, {compared} files through {where}, by {source},"
            f" in {seconds:.1f} s",
        },
    )
