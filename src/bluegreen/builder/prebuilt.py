"""`--image`: an image that others built becomes a release's own."""

from __future__ import annotations

import re

from bluegreen.builder.request import Built
from bluegreen.errors import BuildFailed, EngineError, EngineUnreachable
from bluegreen.model import ImageFacts
from bluegreen.ports import Engine, Say

#: An id is never pulled: the engine would take it for a repository of Docker's own registry.
_ID = re.compile(r"(sha256:)?[0-9a-f]{12,64}")


def prebuilt(engine: Engine, ref: str, own_tag: str, pull: bool, say: Say) -> Built:
    """Pull `ref` where the engine lacks it or `pull` is true, and tag it as `own_tag`.

    What was pulled is pinned by its id: the release's own tag holds it, whatever happens
    to `ref`. Without a pull no network is needed. Raises BuildFailed where there is no such
    image or its registry refuses.
    """
    by_id = _ID.fullmatch(ref) is not None
    image = engine.image(ref) if by_id or not pull else None
    if image is None:
        if by_id:
            raise BuildFailed(f"the engine has no image with the id {ref}", hint="docker images")
        image = _pulled(engine, ref, say)
    engine.tag(image.id, own_tag)
    return Built(image_id=image.id, builder="prebuilt", digest=_digest(image, ref))


def _pulled(engine: Engine, ref: str, say: Say) -> ImageFacts:
    try:
        engine.pull(ref, say.line)
    except EngineUnreachable:
        raise
    except EngineError as error:
        raise BuildFailed(
            error.message,
            hint=error.hint or "check the reference: docker images, docker pull",
            evidence={"status": error.status},
        ) from error
    image = engine.image(ref)
    if image is None:
        raise BuildFailed(f"there is no image {ref}", hint="docker images")
    return image


def _digest(image: ImageFacts, ref: str) -> str:
    """The digest in the repository that was asked for; an image may have come from several."""
    repository = ref.partition("@")[0]
    name, colon, tag = repository.rpartition(":")
    if colon and "/" not in tag:
        repository = name
    ends = (repository, f"{repository.removeprefix('docker.io/').removeprefix('library/')}")
    return next(
        (digest for digest in image.digests if digest.partition("@")[0] in ends),
        "",
    )
