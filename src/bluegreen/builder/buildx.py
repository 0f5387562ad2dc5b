"""`docker buildx build` as a child process.

docker-py knows the engine's classic builder alone, which drops the body of a heredoc and says
"Successfully built". `docker build` is never called: without the plugin it is that builder too.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from bluegreen.builder.output import Transcript
from bluegreen.builder.process import run
from bluegreen.builder.request import BuildRequest
from bluegreen.builder.tool import Buildx
from bluegreen.errors import BuildFailed
from bluegreen.model import EngineFacts

_FLAGS_SINCE = (0, 10)  # --provenance and --sbom
_DIGESTS = ("containerimage.digest", "containerimage.config.digest")
_SECRET_VARIABLE = "BLUEGREEN_BUILD_SECRET_"
#: Arguments of these names would change what the docker CLI itself does; they go by argv.
_MEANS_SOMETHING = re.compile(
    r"(PATH|HOME|TMPDIR|SSL_\w+|LD_\w+|XDG_\w+|GO\w+|DOCKER_\w+|BUILDX_\w+|BUILDKIT_\w+"
    r"|BLUEGREEN_\w+|OTEL_\w+)",
    re.IGNORECASE,
)
_HINTS = (
    (
        r"pull access denied|unauthorized|insufficient_scope|authorization failed",
        "check the name of the base image; then docker login, as the user who runs bluegreen",
    ),
    (
        r"dial tcp|no such host|i/o timeout|tls handshake|failed to do request",
        "the engine cannot reach the base image's registry: check its network and its proxy",
    ),
    (r"no space left on device", "free space: bluegreen prune, docker system df"),
    (
        r"(code = |: )unavailable|cannot connect to the docker daemon|error during connect",
        "the engine went away in the middle of the build: docker version, then run the same"
        " command again",
    ),
)
_VARIABLE = re.compile(r"[A-Za-z_]\w*", re.ASCII)


def build(
    tool: Buildx,
    engine: EngineFacts,
    request: BuildRequest,
    secrets: Mapping[str, str],
    transcript: Transcript,
) -> frozenset[str]:
    """Build and load into the engine; the digests that the image may have as its id.

    Raises BuildFailed naming the step that failed, with the last lines as evidence.
    """
    with _folder() as folder:
        metadata = Path(folder, "metadata.json")
        argv = arguments(tool, request, metadata)
        ended = run(argv, environment(engine, request, secrets), transcript.line, request.timeout)
        if ended.timed_out:
            raise BuildFailed(
                f"the build took longer than {request.timeout:.0f} s, and was stopped",
                hint="raise build.timeout in bluegreen.toml",
                evidence={"log": transcript.last},
            )
        if ended.code != 0:
            raise _failure(ended.code, transcript)
        return _digests(metadata)


def _folder() -> tempfile.TemporaryDirectory[str]:
    try:
        return tempfile.TemporaryDirectory(prefix="bluegreen-build-")
    except OSError as error:
        raise BuildFailed(
            f"no temporary folder can be made for the build: {error.strerror or error}",
            hint="free space there, or name another place with TMPDIR",
        ) from error


def arguments(tool: Buildx, request: BuildRequest, metadata: Path) -> list[str]:
    """The command line. It holds no value of an argument or of a secret: anyone may read it."""
    argv = [tool.docker, "buildx", "build", "--progress=plain", "--load"]
    if tool.version >= _FLAGS_SINCE:
        # With attestations, an unchanged image gets another id at each build.
        argv += ["--provenance=false", "--sbom=false"]
    argv += ["--metadata-file", str(metadata), "--tag", request.tag]
    argv += ["--file", str(request.dockerfile_path)]
    argv += ["--target", request.target] if request.target else []
    argv += ["--pull"] if request.pull else []
    argv += ["--no-cache"] if request.no_cache else []
    for name, value in request.labels.items():
        argv += ["--label", f"{name}={value}"]
    for name, value in request.args.items():
        argv += ["--build-arg", name if _by_environment(name) else f"{name}={value}"]
    for number, secret in enumerate(request.secrets):
        if secret.src is not None:
            origin = f"src={(request.context / secret.src).absolute()}"
        else:
            origin = f"env={_SECRET_VARIABLE}{number}"
        argv += ["--secret", _csv(f"id={secret.id}", origin)]
    return [*argv, "--", str(request.context)]


def environment(
    engine: EngineFacts, request: BuildRequest, secrets: Mapping[str, str]
) -> dict[str, str]:
    """Ours, the engine that is meant, and every value that argv must not show."""
    variables = {name: value for name, value in os.environ.items() if name != "DOCKER_CONTEXT"}
    for name in ("DOCKER_TLS", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"):
        variables.pop(name, None)
    variables |= engine.cli_environment
    variables["DOCKER_CLI_HINTS"] = "false"
    variables |= {name: value for name, value in request.args.items() if _by_environment(name)}
    for number, secret in enumerate(request.secrets):
        if secret.src is None:
            variables[f"{_SECRET_VARIABLE}{number}"] = secrets[secret.id]
    return variables


def _by_environment(name: str) -> bool:
    return bool(_VARIABLE.fullmatch(name)) and not _MEANS_SOMETHING.fullmatch(name)


def _csv(*fields: str) -> str:
    """buildx reads these options as one line of CSV: a path may hold a comma."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(fields)
    return line.getvalue()


def _failure(code: int, transcript: Transcript) -> BuildFailed:
    reason = transcript.error or f"docker buildx build ended with exit code {code}"
    at = f" at {transcript.step}" if transcript.step else ""
    return BuildFailed(
        f"the build failed{at}: {reason}", hint=_hint(reason), evidence={"log": transcript.last}
    )


def _hint(reason: str) -> str:
    for pattern, hint in _HINTS:
        if re.search(pattern, reason, re.IGNORECASE):
            return hint
    return "correct the Dockerfile or what it runs; its last lines are kept with the release"


def _digests(metadata: Path) -> frozenset[str]:
    try:
        content = json.loads(metadata.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BuildFailed("docker buildx build wrote no metadata of what it built") from error
    return frozenset(content[key] for key in _DIGESTS if content.get(key))
