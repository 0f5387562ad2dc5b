"""A build, and the proof that the tag names what it made."""

from __future__ import annotations

from collections.abc import Collection

from bluegreen.builder import buildx
from bluegreen.builder.output import Redactor, Transcript
from bluegreen.builder.request import BuildRequest, Built
from bluegreen.builder.tool import Buildx
from bluegreen.errors import BuildFailed
from bluegreen.ports import Engine, Say


def build(tool: Buildx, engine: Engine, request: BuildRequest, say: Say) -> Built:
    """An image under `request.tag`, with its id.

    Says the builder's lines as they come. Raises BuildFailed with the last of them as
    evidence; a value of a build secret stands in none of them.
    """
    request.check()
    values = request.secret_values()
    transcript = Transcript(say.line, Redactor(values.values()))
    say.line(f"builder: {tool.name}")
    digests = buildx.build(tool, engine.facts(), request, values, transcript)
    return Built(
        image_id=_identity(engine, request.tag, digests),
        builder=tool.name,
        cached=transcript.cached,
        warnings=tuple(transcript.warnings),
    )


def _identity(engine: Engine, tag: str, digests: Collection[str]) -> str:
    """The id that the engine gives to the tag. It has to be one that the builder names.

    Which of the builder's digests is the id depends on the engine's image store; what
    `--iidfile` writes is an id that containerd's store does not know.
    """
    image = engine.image(tag)
    if image is None:
        raise BuildFailed(
            f"the build succeeded and the engine has no image {tag}",
            hint="does buildx build elsewhere? docker buildx ls; docker buildx use default",
        )
    if image.id not in digests:
        raise BuildFailed(
            f"{tag} is {image.id}, and the build made {', '.join(sorted(digests)) or 'nothing'}:"
            " something else moved the tag",
            hint="run the same command again",
        )
    return image.id
