"""The log: debug lines and tracebacks, for whoever looks for a defect.

Lines wait here until `flush`: importing loguru takes longer than a switch. A command that acts
has it imported while its container starts; one that only reads has nothing to write.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loguru import Logger

    #: Gives loguru's logger one more place to write to.
    Sink = Callable[[Logger], None]


@dataclass(frozen=True, slots=True)
class _Line:
    level: str
    text: str
    error: BaseException | None
    time: datetime = field(default_factory=lambda: datetime.now().astimezone())


#: Of a line in a sink: the time at which it came, not that at which it is written.
FORMAT = "{extra[at]} {level: <7} {message}"

_waiting: list[_Line] = []
_sinks: list[Sink] = []


def start(*sinks: Sink) -> None:
    """Forget what came before, and write to these."""
    _waiting.clear()
    _sinks[:] = sinks


def also(sink: Sink) -> None:
    _sinks.append(sink)


def debug(text: str, error: BaseException | None = None) -> None:
    _waiting.append(_Line("DEBUG", text, error))


def warning(text: str) -> None:
    _waiting.append(_Line("WARNING", text, None))


def defect(text: str, error: BaseException) -> None:
    _waiting.append(_Line("ERROR", text, error))


def flush() -> None:
    """Write what waits, with the times at which it came."""
    if not (_waiting and _sinks):
        return
    from loguru import logger

    logger.remove()
    for sink in _sinks:
        sink(logger)
    for line in _waiting:
        dated = logger.bind(at=line.time.isoformat(timespec="milliseconds"))
        dated.opt(exception=line.error).log(line.level, "{}", line.text)
    _waiting.clear()
