"""A tag that no other release has; identity is the image's id."""

from __future__ import annotations

from dataclasses import replace

from bluegreen import builder
from bluegreen.builder.revision import Revision
from bluegreen.model import Release
from bluegreen.ports import Engine, Say
from bluegreen.settings import BuildSettings


def build(
    tool: builder.Buildx,
    engine: Engine,
    release: Release,
    settings: BuildSettings,
    revision: Revision,
    say: Say,
    *,
    no_cache: bool,
) -> tuple[Release, builder.Built]:
    built = builder.build(
        tool,
        engine,
        builder.BuildRequest(
            context=settings.context,
            dockerfile=settings.dockerfile,
            target=settings.target,
            args=settings.args,
            secrets=tuple(settings.secrets),
            pull=settings.pull,
            no_cache=no_cache,
            timeout=settings.timeout,
            tag=release.image,
            labels=builder.oci_labels(
                revision=release.revision,
                created=revision.commit_time,
                source=revision.source,
                title=release.site,
                site=release.site,
            ),
        ),
        say,
    )
    return replace(release, image_id=built.image_id, digest=built.digest), built


def take_prebuilt(
    engine: Engine, release: Release, ref: str, say: Say, *, pull: bool
) -> tuple[Release, builder.Built]:
    """Give an image that others built a tag of this release, so that nothing else moves it."""
    built = builder.prebuilt(engine, ref, release.image, pull, say)
    return replace(release, image_id=built.image_id, digest=built.digest), built
