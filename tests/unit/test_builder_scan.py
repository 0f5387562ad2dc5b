"""The classic builder is refused whatever it would get wrong, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from bluegreen.builder.request import BuildRequest
from bluegreen.builder.scan import scan, scan_text
from bluegreen.settings.values import BuildSecret

REFUSED = {
    "syntax": ("# syntax=docker/dockerfile:1\nFROM a\n", 1, "# syntax="),
    "syntax, spaced": ("#  Syntax = docker/dockerfile:1\nFROM a\n", 1, "# syntax="),
    "check": ("# check=error=true\nFROM a\n", 1, "# check="),
    "heredoc": ("FROM a\nRUN <<EOF\necho x\nEOF\n", 2, "a heredoc (<<E…)"),
    "heredoc, dash": ("FROM a\nRUN cat <<-'EOF' >f\nx\nEOF\n", 2, "a heredoc (<<-'E…)"),
    "heredoc, copy": ("FROM a\nCOPY <<EOF /x\nhi\nEOF\n", 2, "a heredoc (<<E…)"),
    "heredoc, continued": ("FROM a\nRUN echo a && \\\n  cat <<X\nX\n", 2, "a heredoc (<<X…)"),
    "mount": ("FROM a\nRUN --mount=type=cache,target=/c make\n", 2, "RUN --mount"),
    "mount, lower case": ("from a\nrun --mount=type=cache,target=/c make\n", 2, "RUN --mount"),
    "mount, own line": ("FROM a\nRUN \\\n  # why\n\n  --mount=type=ssh git x\n", 2, "RUN --mount"),
    "mount, onbuild": ("FROM a\nONBUILD RUN --mount=type=cache,target=/c x\n", 2, "RUN --mount"),
    "network": ("FROM a\nRUN --network=none make\n", 2, "RUN --network"),
    "security": ("FROM a\nRUN --security=insecure make\n", 2, "RUN --security"),
    "link": ("FROM a\nCOPY --link a /b\n", 2, "COPY --link"),
    "chmod": ("FROM a\nCOPY --chown=1 --chmod=644 a /b\n", 2, "COPY --chmod"),
    "exclude": ("FROM a\nCOPY --exclude=*.map a /b\n", 2, "COPY --exclude"),
    "parents": ("FROM a\nCOPY --parents a/b /c\n", 2, "COPY --parents"),
    "checksum": ("FROM a\nADD --checksum=sha256:0 https://e.example/x /x\n", 2, "ADD --checksum"),
    "git": (
        "FROM a\nADD https://e.example/x.git#v1 /x\n",
        2,
        "ADD from git (https://e.example/x.git)",
    ),
    "git, ssh": ("FROM a\nADD git@e.example:x/y.git /x\n", 2, "ADD from git (git@)"),
    "platform": (
        "FROM a\nARG TARGETARCH\n",
        2,
        "the argument TARGETARCH, which only BuildKit sets",
    ),
    "platform, from": (
        "FROM --platform=$BUILDPLATFORM a\n",
        1,
        "the argument BUILDPLATFORM, which only BuildKit sets",
    ),
    "escape": (
        "# escape=`\nFROM a\nRUN echo a `\n --mount=type=cache,target=/c\n",
        3,
        "RUN --mount",
    ),
    "byte order mark": ("\ufeff# syntax=docker/dockerfile:1\nFROM a\n", 1, "# syntax="),
}

ALLOWED = {
    "stages": "FROM a AS build\nRUN make && ls -l --color\nFROM b\nCOPY --from=build /d /srv\n",
    "owner": "FROM a\nCOPY --chown=1000:1000 dist /srv\n",
    "a comment that names a flag": "FROM a\n# RUN --mount is not used, nor <<EOF\nRUN make\n",
    "a syntax line that is none": "FROM a\n# syntax=docker/dockerfile:1\nRUN make\n",
    "a download": "FROM a\nADD https://e.example/x.tar.gz /x\n",
    "redirections": "FROM a\nRUN cat < in > out 2>&1\n",
    "escape": "# escape=`\nFROM a\nRUN echo `\n  more\n",
    "health": "FROM a\nHEALTHCHECK --interval=5s CMD wget -q localhost\n",
    "command flags": 'FROM a\nCMD ["serve", "--link", "--mount"]\n',
}


@pytest.mark.parametrize(("text", "line", "what"), REFUSED.values(), ids=REFUSED)
def test_what_classic_gets_wrong_is_found_with_its_line(text: str, line: int, what: str) -> None:
    found = list(scan_text(text))

    assert [(finding.line, finding.what) for finding in found][:1] == [(line, what)]


@pytest.mark.parametrize("text", ALLOWED.values(), ids=ALLOWED)
def test_what_classic_builds_as_well_is_let_through(text: str) -> None:
    assert list(scan_text(text)) == []


def test_secrets_and_an_ignore_file_of_the_dockerfiles_own_are_found(tmp_path: Path) -> None:
    """Classic knows neither: it would fail late, or send what must stay out of the image."""
    (tmp_path / "Dockerfile").write_text("FROM a\n")
    (tmp_path / "Dockerfile.dockerignore").write_text("*.pem\n")
    request = BuildRequest(
        context=tmp_path, tag="t:1", secrets=[BuildSecret(id="npm", env="NPM_TOKEN")]
    )

    assert [finding.what for finding in scan(request)] == [
        "build.secrets",
        "the file Dockerfile.dockerignore",
    ]
