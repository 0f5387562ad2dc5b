"""From a command line to a result and an exit code: settings, signals, the log, the printer."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bluegreen import report, signals, state
from bluegreen.errors import BluegreenError, Interrupted
from bluegreen.model import ErrorFacts, Outcome, Result
from bluegreen.ports import Say
from bluegreen.settings import Settings, load

_log = logging.getLogger("bluegreen")  # what every module of ours logs to
_LOG_SIZE = 5_000_000  # bytes of one log file
_LOG_FILES = 3  # older ones that are kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """What every command takes."""

    config: Path | None
    as_json: bool
    verbose: bool
    quiet: bool


def run(command: str, common: Common, act: Callable[[Settings, Say], Result]) -> int:
    """Run one command and print its result. Returns the exit code."""
    os.umask(0o077)
    signals.install()
    _log_to_stderr(common.verbose)
    say = report.Progress(sys.stderr, quiet=common.quiet, verbose=common.verbose)
    site = ""
    try:
        settings = load(common.config)
        site = settings.site
        _log_to_file(settings)
        _log.debug("%s of %s", command, site)
        result = act(settings, say)
    except BluegreenError as error:
        result = _failed(command, site, error)
    except Interrupted:
        result = _interrupted(command, site)
    except Exception as error:  # noqa: BLE001 the last resort: it is logged and reported
        _log.error("a defect in %s", command, exc_info=error)
        result = _defect(command, site, error)
    finally:
        say.stop()
    report.show(result, as_json=common.as_json, quiet=common.quiet)
    return result.exit_code


def _failed(command: str, site: str, error: BluegreenError) -> Result:
    return Result(
        command=command,
        outcome=Outcome.FAILED,
        site=site,
        exit_code=error.exit_code,
        error=ErrorFacts(
            code=error.exit_code,
            message=error.message,
            hint=error.hint,
            problems=tuple(getattr(error, "problems", ())),
            evidence=error.evidence,
        ),
    )


def _interrupted(command: str, site: str) -> Result:
    return Result(
        command=command,
        outcome=Outcome.INTERRUPTED,
        site=site,
        exit_code=Interrupted.exit_code,
        error=ErrorFacts(code=130, message="interrupted", hint="run the same command again"),
    )


def _defect(command: str, site: str, error: Exception) -> Result:
    return Result(
        command=command,
        outcome=Outcome.FAILED,
        site=site,
        exit_code=1,
        error=ErrorFacts(
            code=1,
            message=f"a defect of bluegreen ({type(error).__name__})",
            hint="bluegreen status; the traceback is in the log file and with -v on stderr",
        ),
    )


def _log_to_stderr(verbose: bool) -> None:
    logging.raiseExceptions = False  # what cannot be logged must not disturb the act
    _log.setLevel(logging.DEBUG)
    _log.propagate = False
    handler = logging.StreamHandler(sys.stderr) if verbose else logging.NullHandler()
    _log.handlers = [_formatted(handler)]


def _log_to_file(settings: Settings) -> None:
    """Debug lines and tracebacks, where the state folder is there and may be written."""
    from logging.handlers import RotatingFileHandler

    root = Path(settings.edge.state_dir) if settings.edge.state_dir else state.default_root()
    path = state.State(root).log
    if os.access(path.parent, os.W_OK):
        try:
            handler = RotatingFileHandler(path, maxBytes=_LOG_SIZE, backupCount=_LOG_FILES)
            _log.addHandler(_formatted(handler))
            if path.stat().st_uid == os.geteuid():
                path.chmod(state.State(root).file_mode)
        except OSError as error:
            _log.warning("no log file: %s", error.strerror)


def _formatted(handler: logging.Handler) -> logging.Handler:
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    return handler
