"""The asset store as part of the recipes: kept before the switch, collected after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime

from bluegreen.artifact.extract import image_files
from bluegreen.assets import Contents, Stay, Store, Usage, to_keep
from bluegreen.assets import fill as step
from bluegreen.attempt import Attempt
from bluegreen.lib.humanize import show_size
from bluegreen.model import Exchange, LedgerRow, Release, Upstream
from bluegreen.plan import Observation, rollback_target
from bluegreen.settings.container_spec import Spec
from bluegreen.site import Host
from bluegreen.steps import boot
from bluegreen.steps.inspect import Inspected
from bluegreen.undo import Undo


def store_of(host: Host) -> Store:
    return Store(
        folder=host.state.store / host.site,
        folder_mode=host.state.folder_mode("store"),
        file_mode=host.state.file_mode,
    )


def check(host: Host) -> None:
    """Raises EdgeError where the edge does not see what would be kept."""
    if host.settings.assets.paths:
        host.running.check_store(host.site)


def keep(
    host: Host,
    attempt: Attempt,
    undo: Undo,
    release: Release,
    found: Inspected,
    spec: Spec,
    answers: Mapping[str, Exchange],
) -> dict[str, int]:
    """Which files get other headers once the release is live: path → class.

    `answers`: what the candidate has said already, by URL. Raises NotFit where the store cannot
    be written.
    """
    settings = host.settings.assets
    if not settings.paths or found.manifest is None:
        return {}
    store = store_of(host)
    labels = boot.labels_of(release, spec, host.running.name)
    upstream = Upstream(release.container, spec.container.port)
    with attempt.step("keep") as note:
        undo.later(
            "give up the candidate's place in the asset store",
            lambda: store.forget(release.id),
            by_hand="bluegreen prune",
        )
        kept = step.keep(
            store,
            release.id,
            found.manifest,
            settings,
            frozenset(spec.freshness.rewritten),
            lambda path, timeout, size: (
                answers.get(path)
                or host.edge.preview(upstream, path, timeout=timeout, max_body=size)
            ),
            lambda: (
                nullcontext(iter(found.tar))
                if found.tar
                else image_files(host.engine, release, spec.freshness.web_root, labels)
            ),
        )
        left_out = sum(map(len, kept.left_out.values()))
        note.text = f"{kept.new} assets kept ({show_size(kept.size)}), {kept.known} were there"
        note.detail = {
            "new": kept.new,
            "known": kept.known,
            "bytes": kept.size,
            "live_only": {reason: paths[:20] for reason, paths in kept.left_out.items()},
        }
        if left_out:
            note.text += f", {left_out} served live only"
    for warning in step.told(kept):
        attempt.warn(warning)
    return kept.moves


def collect(host: Host, seen: Observation, moves: Mapping[str, int] | None = None) -> Usage:
    """What was removed. `moves` are those of `keep`, for a release that is live by now."""
    store = store_of(host)
    if not store.folder.is_dir():
        return Usage()
    for path, number in (moves or {}).items():
        store.move(path, number)
    return store.collect(kept(host, seen))


def collectable(host: Host, seen: Observation) -> Usage:
    """What `collect` would remove now."""
    store = store_of(host)
    return store.unneeded(kept(host, seen)) if store.folder.is_dir() else Usage()


def kept(host: Host, seen: Observation) -> frozenset[str]:
    """The releases whose files stay, as the settings have it now.

    One that was never live is not among them; one that the ledger does not know is.
    """
    settings, history = host.settings.assets, host.ledger.history(host.site)
    live = seen.live_release.id if seen.live_release else ""
    never = {row.release.id for row in history if row.outcome and not row.was_live} - {live}
    before = rollback_target(history, seen.live_row)
    needed = {live, before.release.id if before else ""}
    if seen.live_row is not None:
        needed.add(seen.live_row.replaced)
    stays = [
        Stay(contents.id, {path: file.size for path, file in contents.files.items()})
        for contents in _newest_first(store_of(host).releases(), history)
        if contents.id not in never
    ]
    return to_keep(
        stays,
        frozenset(needed),
        keep_releases=settings.keep_releases,
        keep_days=settings.keep_days,
        max_size=settings.max_size,
        now=datetime.now(UTC),
    )


def _newest_first(stored: Sequence[Contents], history: Sequence[LedgerRow]) -> tuple[Contents, ...]:
    """By the ledger, for a clock may have been set back between two releases; those that it
    does not know are older than it, and have the order of their ids."""
    place = {row.release.id: number for number, row in enumerate(history)}
    by_id = sorted(stored, key=lambda contents: contents.id, reverse=True)
    return tuple(sorted(by_id, key=lambda contents: place.get(contents.id, len(place))))
