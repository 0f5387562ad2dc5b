"""What can go wrong. Each error carries its exit code and the command to run next.

    BluegreenError                 1  a defect of ours
    ├── ConfigError                2  wrong usage or configuration
    ├── BuildFailed                3  the image could not be built or pulled
    ├── Rejected                   4  the candidate failed inspect, boot or gate
    ├── TakenBack                  5  switched, then verify failed; undone
    ├── SiteBusy                   6  another command holds the site or the edge
    ├── NotFit                     7  engine, edge or host is not fit
    │   ├── EngineError               the engine refused or failed an act
    │   │   └── EngineUnreachable     no engine answers
    │   └── EdgeError                 the edge refused or failed an act
    │       └── EdgeUnreachable       no edge answers
    └── NothingToRollBackTo        8
    Interrupted (KeyboardInterrupt)  130  Ctrl-C or SIGTERM

The message says what failed; `hint` says what to run; what is live is added by
the recipe, which alone knows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class BluegreenError(Exception):
    """Base of every error that bluegreen raises on purpose."""

    exit_code = 1

    def __init__(
        self, message: str, *, hint: str = "", evidence: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.evidence: dict[str, Any] = dict(evidence or {})


class ConfigError(BluegreenError):
    """Wrong usage or configuration; `problems` lists every mistake found."""

    exit_code = 2

    def __init__(self, message: str, *, hint: str = "", problems: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint=hint)
        self.problems = problems


class BuildFailed(BluegreenError):
    exit_code = 3


class Rejected(BluegreenError):
    """The candidate failed before any user saw it; live is untouched."""

    exit_code = 4


class TakenBack(BluegreenError):
    """The release was switched, failed its proof, and was taken back."""

    exit_code = 5


class SiteBusy(BluegreenError):
    exit_code = 6


class NotFit(BluegreenError):
    """The engine, the edge or the host cannot do what was asked."""

    exit_code = 7


class EngineError(NotFit):
    """The engine refused or failed an act. `status` is its HTTP status, 0 if none."""

    #: The status of an act that found the engine's disk full (RFC 4918, 11.5).
    FULL = 507

    def __init__(self, message: str, *, hint: str = "", status: int = 0) -> None:
        super().__init__(message, hint=hint)
        self.status = status


class EngineUnreachable(EngineError):
    pass


class EdgeError(NotFit):
    pass


class EdgeUnreachable(EdgeError):
    pass


class NothingToRollBackTo(BluegreenError):
    exit_code = 8


class Interrupted(KeyboardInterrupt):
    """Ctrl-C or SIGTERM; raised in the main thread, never inside an undo."""

    exit_code = 130
