"""Which builder, and the proof that the tag names what it built."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from bluegreen.builder import buildx
from bluegreen.builder.output import Redactor, Transcript
from bluegreen.builder.request import BuildRequest, Built
from bluegreen.builder.scan import Finding, scan
from bluegreen.errors import BuildFailed
from bluegreen.ports import Engine, Say

_INSTALL = "install buildx: apt-get install docker-buildx, or docker-buildx-plugin"


def build(engine: Engine, request: BuildRequest, say: Say) -> Built:
    """An image under `request.tag`, with its id.

    Says the builder's lines as they come. Raises BuildFailed with the last of them as
    evidence; a value of a build secret stands in none of them.
    """
    request.check()
    values = request.secret_values()
    transcript = Transcript(say.line, Redactor(values.values()))
    if request.builder == "classic":
        _refuse_what_classic_gets_wrong(request, "build.builder is classic", "")
        built = _classic(engine, request, transcript, say)
    elif (tool := buildx.find()) is not None:
        say.line(f"builder: {tool.name}")
        digests = buildx.build(tool, engine.facts(), request, values, transcript)
        image_id = _identity(engine, request.tag, digests)
        built = Built(image_id=image_id, builder=tool.name, warnings=tuple(transcript.warnings))
    elif request.builder == "buildx":
        raise BuildFailed("docker buildx is missing on this host", hint=_INSTALL)
    else:
        _refuse_what_classic_gets_wrong(request, "docker buildx is missing", _INSTALL)
        say.warn("docker buildx is missing: this is built by the classic builder")
        built = _classic(engine, request, transcript, say)
    return replace(built, cached=transcript.cached)


def _classic(engine: Engine, request: BuildRequest, transcript: Transcript, say: Say) -> Built:
    say.line("builder: classic")
    image_id = engine.build_classic(
        request.context,
        request.dockerfile_path,
        tag=request.tag,
        labels=request.labels,
        args=request.args,
        target=request.target,
        pull=request.pull,
        no_cache=request.no_cache,
        timeout=request.timeout,
        say=transcript.line,
    )
    return Built(image_id=_identity(engine, request.tag, {image_id}), builder="classic")


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


def _refuse_what_classic_gets_wrong(request: BuildRequest, why: str, hint: str) -> None:
    findings = scan(request)
    if not findings:
        return
    first = findings[0]
    raise BuildFailed(
        f"{why}, and the classic builder would get {_place(first, request)} wrong",
        hint=hint or 'set build.builder = "auto", and ' + _INSTALL,
        evidence={"findings": [f"{_place(finding, request)}" for finding in findings]},
    )


def _place(finding: Finding, request: BuildRequest) -> str:
    if not finding.line:
        return finding.what
    return f"{finding.what} in line {finding.line} of {request.dockerfile_path}"
