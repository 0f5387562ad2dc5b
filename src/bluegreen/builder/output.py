"""A build's output: shown as it comes, without its secrets; the end is kept as evidence."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable

from bluegreen.ports import Line

_KEPT = 20  # last lines, as evidence
_SHORTEST = 4  # characters; a shorter value would blank out half of every line
_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[@-_]|[\x00-\x08\x0b-\x1f\x7f]")

# buildx's plain progress: the step that failed is repeated, with its last lines, between rules.
_FAILED_STEP = re.compile(r"^ > (\[.+\].*?):?\s*$")
_FAILED = re.compile(r"^ERROR: (.+)$")
_LAYERS_OF_WRAPPING = re.compile(
    r"^(failed to \w+: |failed to solve with frontend \S+: |failed to create LLB definition: "
    r"|rpc error: code = \w+ desc = )+"
)
#: A step's name, and that it was not run; a base image is always taken from what is there.
_STEP = re.compile(r"^#(\d+) \[.+?\] (?!FROM )\w")
_CACHED = re.compile(r"^#(\d+) CACHED$")
_WARNING = re.compile(r"^(?:#\d+ )?WARN(?:ING)?:\s+(.+)$|^ - (\w+: .+)$")


class Redactor:
    """Replaces secret values, whole and line by line, for a log comes in lines."""

    def __init__(self, values: Iterable[str]) -> None:
        parts = {part.strip() for value in values for part in (value, *value.splitlines())}
        # The longest first: one secret may begin with another.
        known = sorted((part for part in parts if len(part) >= _SHORTEST), key=len, reverse=True)
        self._secret = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, text: str) -> str:
        return self._secret.sub("***", text) if self._secret else text


class Transcript:
    """Takes a builder's lines."""

    def __init__(self, say: Line, redact: Redactor) -> None:
        self.step = ""  # the step that failed
        self.error = ""  # why
        self.cached = False  # a step was not run: its layer is from an earlier build
        self.warnings: list[str] = []
        self._say = say
        self._redact = redact
        self._last: deque[str] = deque(maxlen=_KEPT)
        self._steps: set[str] = set()

    @property
    def last(self) -> list[str]:
        return list(self._last)

    def line(self, text: str) -> None:
        text = self._redact(_ESCAPES.sub("", text)).rstrip()
        if not text:
            return
        self._last.append(text)
        self._say(text)
        if found := _FAILED_STEP.match(text):
            self.step = found[1]
        elif found := _STEP.match(text):
            self._steps.add(found[1])
        elif found := _CACHED.match(text):
            self.cached |= found[1] in self._steps
        elif found := _FAILED.match(text):
            self.error = _LAYERS_OF_WRAPPING.sub("", found[1])
        elif found := _WARNING.match(text):
            self.warnings.append(found[1] or found[2])
