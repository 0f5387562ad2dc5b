"""What in a Dockerfile the classic builder would get wrong.

It drops the body of a heredoc and says "Successfully built"; it ignores --link and the
syntax line; the platform arguments are empty in it. So it may only be used for what it is
known to build as BuildKit does, and this errs on the side of refusing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bluegreen.builder.request import BuildRequest


@dataclass(frozen=True, slots=True)
class Finding:
    line: int  # 0 = not a line of the Dockerfile
    what: str


_DIRECTIVE = re.compile(r"^\s*#\s*([a-z]+)\s*=\s*(\S.*?)\s*$", re.IGNORECASE)
_NEWER_DIRECTIVES = {"syntax", "check"}
_HEREDOC = re.compile(r"<<[-~]?\s*[\"']?\w")
_NEWER_FLAG = re.compile(
    r"(?<!\S)--(mount|network|security|link|chmod|exclude|parents|checksum|keep-git-dir|unpack)\b"
)
_FLAGGED = {"RUN", "COPY", "ADD"}
_GIT = re.compile(r"(?<!\S)(git@|git://|ssh://|https?://\S+\.git(?=[#?\s]|$))")
_PLATFORM = re.compile(r"\b(TARGET|BUILD)(PLATFORM|OS|ARCH|VARIANT)\b")


def scan(request: BuildRequest) -> list[Finding]:
    """Reasons not to build this by the classic builder; [] where it would do."""
    dockerfile = request.dockerfile_path
    findings = list(scan_text(dockerfile.read_text(encoding="utf-8", errors="replace")))
    if request.secrets:
        findings.append(Finding(0, "build.secrets"))
    own_ignore = Path(f"{dockerfile}.dockerignore")
    if own_ignore.exists():
        findings.append(Finding(0, f"the file {own_ignore.name}"))
    return findings


def scan_text(text: str) -> Iterator[Finding]:
    lines = text.removeprefix("\ufeff").splitlines()
    escape = "\\"
    for number, name, value in _directives(lines):
        if name in _NEWER_DIRECTIVES:
            yield Finding(number, f"# {name}=")
        if name == "escape":
            escape = value
    for number, keyword, rest in _instructions(lines, escape):
        if found := _HEREDOC.search(rest):
            yield Finding(number, f"a heredoc ({found[0]}…)")
        if keyword in _FLAGGED and (found := _NEWER_FLAG.search(rest)):
            yield Finding(number, f"{keyword} {found[0].strip()}")
        if keyword == "ADD" and (found := _GIT.search(rest)):
            yield Finding(number, f"ADD from git ({found[0].strip()})")
        if keyword in {"ARG", "FROM"} and (found := _PLATFORM.search(rest)):
            yield Finding(number, f"the argument {found[0]}, which only BuildKit sets")


def _directives(lines: list[str]) -> Iterator[tuple[int, str, str]]:
    """They stand at the top only; the first other line ends them."""
    for number, line in enumerate(lines, 1):
        found = _DIRECTIVE.match(line)
        if found is None:
            return
        yield number, found[1].lower(), found[2]


def _instructions(lines: list[str], escape: str) -> Iterator[tuple[int, str, str]]:
    """Number of its first line, keyword in capitals, the rest with continuations joined."""
    first, joined = 0, ""
    for number, line in enumerate(lines, 1):
        # Comments and empty lines may stand between the lines of one instruction.
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        first = first or number
        if line.rstrip().endswith(escape):
            joined += line.rstrip()[: -len(escape)] + " "
            continue
        yield first, *_parted(joined + line)
        first, joined = 0, ""
    if joined:
        yield first, *_parted(joined)


def _parted(text: str) -> tuple[str, str]:
    keyword, _, rest = text.strip().partition(" ")
    if keyword.upper() == "ONBUILD":
        return _parted(rest)
    return keyword.upper(), rest
