"""The engine's own, older builder, asked through its API.

Whether it may be asked is not decided here: `builder` scans the Dockerfile first.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from bluegreen.engine.connection import Connection
from bluegreen.engine.context import packed
from bluegreen.engine.translate import hint_for
from bluegreen.errors import BuildFailed, EngineError, EngineUnreachable
from bluegreen.ports import Line

_KEPT = 20  # last lines, as evidence


class Classic(Connection):
    def build_classic(
        self,
        context: Path,
        dockerfile: Path,
        *,
        tag: str,
        labels: Mapping[str, str],
        args: Mapping[str, str],
        target: str,
        pull: bool,
        no_cache: bool,
        timeout: float,
        say: Line,
    ) -> str:
        log = _Log(say)
        deadline = time.monotonic() + timeout
        try:
            with packed(context, dockerfile) as (tar, name):
                options = {
                    "fileobj": tar,
                    "custom_context": True,
                    "dockerfile": name,
                    "tag": tag,
                    "labels": dict(labels),
                    "buildargs": dict(args),
                    "target": target or None,
                    "pull": pull,
                    "nocache": no_cache,
                    # Without both, containers of the steps stay behind.
                    "rm": True,
                    "forcerm": True,
                    "use_config_proxy": False,
                    "timeout": timeout,
                    "decode": True,
                }
                self.once("build", lambda: self._run(options, log, deadline))
        except EngineUnreachable as error:
            if time.monotonic() >= deadline:
                raise _timed_out(timeout, log) from None
            error.evidence["log"] = log.last
            raise
        except EngineError as error:
            reason = error.message.removeprefix("the engine could not build: ")
            raise BuildFailed(
                f"the build failed: {reason}", hint=error.hint, evidence={"log": log.last}
            ) from None
        except OSError as error:
            raise BuildFailed(
                f"the build's context cannot be read: {error.filename or context}:"
                f" {(error.strerror or str(error)).lower()}",
                hint="correct its rights, or name it in .dockerignore",
            ) from error
        if log.error:
            raise BuildFailed(
                f"the build failed at {log.step or 'its start'}: {log.error}",
                hint=hint_for(log.error),
                evidence={"log": log.last},
            )
        if log.out_of_time:
            raise _timed_out(timeout, log)
        if not log.image_id:
            raise BuildFailed(
                "the engine ended the build and named no image", evidence={"log": log.last}
            )
        return log.image_id

    def _run(self, options: dict[str, Any], log: _Log, deadline: float) -> None:
        """Closing the stream makes the engine cancel the build."""
        with closing(self.api.build(**options)) as stream:
            for message in stream:
                log.take(message)
                if time.monotonic() >= deadline:
                    log.out_of_time = True
                    return


class _Log:
    """What the build's stream of messages said."""

    def __init__(self, say: Line) -> None:
        self.image_id = ""
        self.error = ""
        self.step = ""
        self.out_of_time = False
        self._say = say
        self._last: deque[str] = deque(maxlen=_KEPT)
        self._rest = ""

    @property
    def last(self) -> list[str]:
        return [*self._last, *([self._rest] if self._rest else [])]

    def take(self, message: Mapping[str, Any]) -> None:
        # The text "Successfully built …" can be printed by any RUN; this cannot.
        if identity := (message.get("aux") or {}).get("ID"):
            self.image_id = str(identity)
        if reason := (message.get("errorDetail") or {}).get("message") or message.get("error"):
            self.error = str(reason).strip()
        for line in self._lines(str(message.get("stream") or "")):
            if line.startswith("Step "):
                self.step = line
            self._last.append(line)
            self._say(line)

    def _lines(self, text: str) -> Iterator[str]:
        *whole, self._rest = (self._rest + text).split("\n")
        return (line.rstrip() for line in whole if line.strip())


def _timed_out(timeout: float, log: _Log) -> BuildFailed:
    return BuildFailed(
        f"the build took longer than {timeout:.0f} s, and was stopped"
        + (f" at {log.step}" if log.step else ""),
        hint="raise build.timeout in bluegreen.toml",
        evidence={"log": log.last},
    )
