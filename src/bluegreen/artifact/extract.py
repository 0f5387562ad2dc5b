"""The image's files, read through a container of its own that is never started.

It has none of the site's mounts: a volume over the web root must not be taken for the image.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from bluegreen.model import ContainerPlan, Release
from bluegreen.ports import Engine


def scratch_name(release: Release) -> str:
    return f"{release.container}-inspect"


@contextmanager
def image_files(
    engine: Engine, release: Release, folder: str, labels: Mapping[str, str]
) -> Iterator[Iterator[bytes]]:
    """The folder as a tar stream. EngineError with status 404 where the image has none."""
    plan = ContainerPlan(
        name=scratch_name(release),
        image=release.image,
        network="none",
        labels=labels,
        command=("true",),  # an image without a command cannot be created otherwise
    )
    try:
        yield engine.archive(engine.create(plan), folder)
    finally:
        engine.remove(plan.name)
