"""Images beyond the kept ones go, of this site only, by tag, never by force."""

from __future__ import annotations

from dataclasses import dataclass

from bluegreen.errors import EngineError
from bluegreen.model import IMAGE_SITE_LABEL, ImageFacts, LedgerRow, image_repository, is_image_of
from bluegreen.plan import kept_images
from bluegreen.ports import Engine


@dataclass(frozen=True, slots=True)
class Prunable:
    ref: str  # a tag, or the id of a dangling image
    size: int  # bytes; shared layers are counted in each


def prunable(
    engine: Engine,
    site: str,
    history: tuple[LedgerRow, ...],
    live: LedgerRow | None,
    retain: int,
) -> tuple[Prunable, ...]:
    """What may go: ours by the ledger *and* by name, not kept, and no container's."""
    kept = kept_images(history, live, retain)
    recorded = {row.release.image for row in history if row.outcome}
    used = engine.images_in_use()
    found = [
        Prunable(tag, image.size)
        for image in engine.images(image_repository(site))
        for tag in image.tags
        if tag in recorded and is_image_of(site, tag) and tag not in kept
        if not _only_name_of_used(image, tag, used)
    ]
    built = {row.release.image_id for row in history}
    found += [
        Prunable(image.id, image.size)
        for image in engine.dangling({IMAGE_SITE_LABEL: site})
        if image.id in built and image.id not in used
    ]
    return tuple(found)


def prune(engine: Engine, candidates: tuple[Prunable, ...]) -> tuple[Prunable, ...]:
    """What was removed. An image that came into use meanwhile is left: the engine refuses it."""
    removed: list[Prunable] = []
    for candidate in candidates:
        try:
            engine.remove_image(candidate.ref)
        except EngineError as error:
            if error.status != 409:
                raise
        else:
            removed.append(candidate)
    return tuple(removed)


def _only_name_of_used(image: ImageFacts, tag: str, used: frozenset[str]) -> bool:
    """A second tag of a used image may go; its last one may not."""
    return image.id in used and set(image.tags) <= {tag}
