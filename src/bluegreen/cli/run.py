"""From a command line to a result and an exit code: settings, signals, the log, the printer."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from bluegreen.cli import report
from bluegreen.cli.verbs import Verb
from bluegreen.errors import BluegreenError, EdgeError, Interrupted
from bluegreen.lib import log, signals
from bluegreen.model import IDLE, ErrorFacts, Outcome, Result
from bluegreen.settings import Settings, load
from bluegreen.state import durable
from bluegreen.state import folder as folders

if TYPE_CHECKING:
    from loguru import Logger


def run(verb: Verb, asked: Namespace) -> int:
    """Run one verb and print its result. Returns the exit code."""
    os.umask(0o077)
    signals.install()
    log.start(*([_to_stderr] if asked.verbose else []))
    say = report.Progress(sys.stderr, quiet=asked.quiet, verbose=asked.verbose)
    site = ""
    settings: Settings | None = None
    try:
        settings = load(None if asked.config is None else Path(asked.config))
        site = settings.site
        _log_to_file(settings)
        result = verb.act(settings, say, asked)
    except BluegreenError as error:
        result = _failed(verb.name, site, error, _stored(settings))
    except Interrupted:
        result = _interrupted(verb.name, site)
    except Exception as error:  # noqa: BLE001 the last resort: it is logged and reported
        log.defect(f"a defect in {verb.name}", error)
        result = _defect(verb.name, site, error)
    finally:
        say.stop()
        log.flush()
    report.show(result, as_json=asked.as_json, quiet=asked.quiet)
    return result.exit_code


def _stored(settings: Settings | None) -> Mapping[str, str]:
    """What is stored as live, for an error that came before anybody could be asked."""
    if settings is None:
        return {}
    from bluegreen.edge.registry import Registry

    registry = Registry(_state(settings))
    try:
        route = registry.routes().get(settings.site)
        upstream = IDLE if route is None else registry.dial(route)
    except EdgeError:
        return {}  # the error at hand says more
    return {} if upstream == IDLE else {"upstream": upstream}


def _failed(command: str, site: str, error: BluegreenError, stored: Mapping[str, str]) -> Result:
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
        detail=stored,
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


def _to_stderr(logger: Logger) -> None:
    # diagnose would print the values of variables, and secrets with them
    logger.add(sys.stderr, level="DEBUG", format=log.FORMAT, diagnose=False)


def _log_to_file(settings: Settings) -> None:
    """Debug lines and tracebacks, where the state folder is there and may be written."""
    there = _state(settings)

    def to_file(logger: Logger) -> None:
        try:
            logger.add(
                there.log,
                level="DEBUG",
                format=log.FORMAT,
                rotation="5 MB",
                retention=3,
                diagnose=False,
                # On a full disk each line would be a traceback of loguru's own on stderr.
                filter=lambda _: not durable.disk_trouble(there.log.parent)[0],
            )
            if there.log.stat().st_uid == os.geteuid():
                there.log.chmod(there.file_mode)
        except OSError as error:
            log.warning(f"no log file: {error.strerror}")

    if os.access(there.log.parent, os.W_OK):
        log.also(to_file)


def _state(settings: Settings) -> folders.State:
    folder = settings.edge.state_dir
    return folders.State(Path(folder) if folder else folders.default_root())
