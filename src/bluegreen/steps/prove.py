"""The chain of evidence of one attempt: image → candidate → edge, each against the one before.

It says what is amiss beyond the bytes, as warnings or as the attempt's end, and writes each
link to the ledger as soon as it holds.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from bluegreen.artifact.asset_paths import is_asset
from bluegreen.attempt import Attempt
from bluegreen.errors import Rejected, TakenBack
from bluegreen.model import Exchange, FileFact, LedgerRow, Release, Upstream
from bluegreen.plan import Observation
from bluegreen.proof import age, cache_headers, compare, evidence, origin, record
from bluegreen.proof import page as pages
from bluegreen.settings.container_spec import Spec
from bluegreen.site import Host
from bluegreen.steps import health
from bluegreen.steps.gate import PROBE_TIMEOUT
from bluegreen.steps.inspect import Inspected, index_url

#: How long a file that the page names may go unanswered while the page itself is served.
_PATIENCE = 5.0
_RECENT = 10  # releases whose revision is recognised in another one's place
_TIME_HINT = (
    "build again with --no-cache, and the frontend before its image; or set"
    ' freshness.last_modified = "warn"'
)


def subject_of(
    release: Release,
    spec: Spec,
    found: Inspected,
    history: Sequence[LedgerRow],
    making: age.Making | None = None,
) -> pages.Subject:
    """A release as it must look, by its image and its own settings."""
    freshness = spec.freshness
    others = {
        row.release.revision: row.release.id
        for row in reversed(history)
        if row.release.revision not in ("", "none", release.revision)
    }
    static = found.index is not None
    return pages.Subject(
        revision=release.revision,
        build_id=freshness.build_id,
        index=found.index,
        index_path=freshness.index,
        page_urls=(found.page_url or index_url(freshness.index),)
        if static
        else tuple(dict.fromkeys((spec.gate.path, "/"))),
        rewritten=frozenset(freshness.rewritten),
        optional=frozenset(freshness.optional),
        known=found.manifest.files if found.manifest else {},
        hosts=frozenset(spec.hosts),
        others=others,
        making=making,
    )


class Proving:
    def __init__(
        self,
        host: Host,
        attempt: Attempt,
        seen: Observation,
        release: Release,
        spec: Spec,
        birth: origin.Birth | None,
    ) -> None:
        """`birth`: None at a rollback, whose image is old on purpose."""
        self._host = host
        self._attempt = attempt
        self._seen = seen
        self._release = release
        self._spec = spec
        self._birth = birth
        self._links: dict[str, Any] = {}
        self._candidate = pages.Examined()
        self._upstream: Upstream | None = None

    # --- image --------------------------------------------------------------

    def image(self, found: Inspected) -> str:
        """The first link. What the index's time says, for people; raises Rejected where it is
        suspicious and that is to be a failure."""
        making = self._making(found)
        live = self._seen.live_row
        history = self._host.ledger.history(self._release.site, _RECENT)
        self._found = found
        self._subject = subject_of(self._release, self._spec, found, history, making)
        times: list[age.Judgement] = []
        if making is not None and self._mode != "off":
            if found.index is not None:
                times.append(age.of_index(found.index.modified, making, time.time()))
            if self._same_content(live) and live is not None:
                told = age.of_no_change(live.release.revision, self._release.revision, making)
                times += [told] if told else []
        self._link(
            "image",
            record.image_link(
                self._release,
                found.manifest,
                self._spec.freshness.index,
                found.index,
                found.expected,
                times,
            ),
        )
        for one in times:
            self._judge(one, self._index_name)
        return times[0].told if times else ""

    @property
    def as_live(self) -> bool:
        """The same bytes, spec and routing as live, which runs and is what the ledger says."""
        row, container = self._seen.live_row, self._seen.live
        return (
            row is not None
            and self._same_content(row)
            and row.spec_hash == self._spec.hash
            and not self._seen.load
            and container is not None
            and container.running
            and container.health != "unhealthy"
            and container.image_id == row.release.image_id
        )

    def live_is_seen(self) -> tuple[pages.Finding, ...]:
        """What users get of the live release now, against this image; () is the proof."""
        ask = self._public()
        wrong = compare.prove(ask, self._found.expected, _PATIENCE)
        seen = pages.examine(ask, self._subject, _PATIENCE)
        return (*(pages.Finding(str(one), one.came) for one in wrong), *seen.wrong)

    def _same_content(self, live: LedgerRow | None) -> bool:
        if live is None:
            return False
        if self._found.manifest is None:
            return live.release.image_id == self._release.image_id
        return live.manifest_digest == self._found.digest

    def _making(self, found: Inspected) -> age.Making | None:
        if self._birth is None:
            return None
        live = self._seen.live_row
        revision = live.release.revision if live else ""
        return origin.making(self._birth, found.index, self._spec.freshness.index, revision)

    # --- candidate ----------------------------------------------------------

    def candidate(self, container: str, upstream: Upstream) -> None:
        """The second link, after the gate has compared the bytes. Raises Rejected."""
        self._upstream = upstream
        ask = self._preview(upstream)
        self._candidate = found = pages.examine(ask, self._subject, _PATIENCE)
        if found.wrong:
            raise self._rejected(container, found.wrong)
        if found.time is not None and self._birth is not None and self._mode != "off":
            self._judge(found.time, found.page)
        missing = self._missing(ask, container)
        self._validators(ask)
        if warning := cache_headers.warning(found.kept):
            self._attempt.warn(warning)
        self._link("candidate", record.served_link("image", self._bytes, found, missing=missing))

    def _missing(self, ask: compare.Ask, container: str) -> dict[str, int]:
        """url → status of files that do not exist. A page in their place ends the candidate,
        unless the edge's asset store answers for it."""
        repaired = self._host.settings.assets.paths
        statuses = {}
        for url in pages.missing_urls(repaired or self._script_folders()):
            came = ask(url)
            statuses[url] = came.status
            if wrong := pages.no_miss(url, came):
                if not repaired:
                    raise self._rejected(
                        container,
                        [pages.Finding(wrong, came)],
                        "let the server answer 404 for files that are not there (try_files only"
                        " for paths without an ending), or set assets.paths, and the edge does",
                    )
                self._attempt.warn(f"{wrong}; the edge answers 404 in its place (assets.paths)")
        return statuses

    def _script_folders(self) -> set[str]:
        urls = [one.url for one in self._bytes] + list(self._candidate.compared)
        folders = {url.rpartition("/")[0] for url in urls if url.endswith((".js", ".mjs", ".css"))}
        return {f"{folder}/*" for folder in folders if folder}

    def _validators(self, ask: compare.Ask) -> None:
        """Browsers that hold live's page must be given the candidate's."""
        old = self._seen.upstream
        if self._mode == "off" or old is None or not self._candidate.page:
            return
        before = self._preview(old)(self._candidate.page)
        mine = self._subject.index.sha256 if self._subject.index else ""
        if before.status != 200 or before.sha256 == mine or not before.sha256:
            return
        if told := pages.same_validator(ask, self._candidate.page, before):
            self._judge(age.Judgement("validator", told, suspicious=True), "")

    # --- edge ---------------------------------------------------------------

    def edge(self, container: str) -> None:
        """The third link, after the bytes were compared through the edge. Raises TakenBack."""
        host, upstream = self._host, Upstream(self._release.container, self._spec.container.port)
        ask = health.as_users(host.engine, host.edge, container, upstream, self._spec)
        found = pages.examine(ask, self._subject, _PATIENCE)
        wrong = found.wrong or self._unlike_candidate(found)
        if wrong:
            raise TakenBack(
                f"users did not get the new release: {_listed(wrong)}",
                hint="its evidence is kept: bluegreen logs",
                evidence=self._evidence(container, wrong),
            )
        self._link("edge", record.served_link("candidate", self._bytes, found))

    def _unlike_candidate(self, found: pages.Examined) -> list[pages.Finding]:
        """Files that the image's bytes do not prove: what the candidate served is the measure,
        if it serves the same twice."""
        if self._upstream is None:
            return []
        ask = self._preview(self._upstream)
        wrong = []
        for url, fact in found.compared.items():
            first = self._candidate.compared.get(url)
            if first is None or first.sha256 == fact.sha256 or not self._is_steady(url):
                continue
            again = ask(url)
            if again.sha256 == first.sha256:
                wrong.append(pages.Finding(_unlike(url, fact, first), again))
        return wrong

    def _is_steady(self, url: str) -> bool:
        """A hashed file, or one that the container writes once, at its start."""
        page = self._index_name if url == self._candidate.page else url.lstrip("/")
        if self._subject.index is not None and self._subject.is_rewritten(page):
            return True
        return is_asset(url, self._host.settings.assets.paths)

    # --- inside -------------------------------------------------------------

    @property
    def _mode(self) -> str:
        return self._spec.freshness.last_modified

    @property
    def _index_name(self) -> str:
        return self._spec.freshness.index

    @property
    def _bytes(self) -> Sequence[compare.Expectation]:
        return self._found.expected

    def _preview(self, upstream: Upstream) -> compare.Ask:
        return compare.through(partial(self._host.edge.preview, upstream), PROBE_TIMEOUT)

    def _public(self) -> compare.Ask:
        return compare.through(self._host.edge.public, PROBE_TIMEOUT)

    def _link(self, name: str, link: dict[str, Any]) -> None:
        self._links[name] = link
        self._host.ledger.proven(self._release.id, self._links)

    def _judge(self, one: age.Judgement, name: str) -> None:
        if not one.suspicious:
            return
        told = f"{name}: {one.told}" if name else one.told
        if self._mode == "fail":
            raise Rejected(told, hint=_TIME_HINT)
        self._attempt.warn(told)

    def _rejected(self, container: str, wrong: Sequence[pages.Finding], hint: str = "") -> Rejected:
        return Rejected(
            f"the candidate is not what was built: {_listed(wrong)}",
            hint=hint or "its evidence is kept: bluegreen logs",
            evidence=self._evidence(container, wrong),
        )

    def _evidence(self, container: str, wrong: Sequence[pages.Finding]) -> dict[str, Any]:
        exchanges: list[Exchange] = [one.came for one in wrong]
        return evidence.collect(self._host.engine, container, self._spec, exchanges)


def _unlike(url: str, edge: FileFact, candidate: FileFact) -> str:
    return (
        f"the edge serves other bytes for {url} (sha256 {edge.sha256[:12]}) than the candidate"
        f" (sha256 {candidate.sha256[:12]}): another container answers, or a cache"
    )


def _listed(wrong: Sequence[pages.Finding], most: int = 3) -> str:
    rest = len(wrong) - most
    shown = "; ".join(one.what for one in wrong[:most])
    return shown + (f"; and {rest} more" if rest > 0 else "")
