"""The command line: each verb with its options. What is heavy is imported when a verb runs."""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

from bluegreen import __version__
from bluegreen.cli.verbs import Menu, Option, count, flag, text
from bluegreen.lib import signals

if TYPE_CHECKING:
    from argparse import Namespace

    from bluegreen.model import Result
    from bluegreen.ports import Say
    from bluegreen.settings import Settings

app = Menu(
    "bluegreen",
    "Put a new build of a frontend in front of users without one lost request,"
    " prove that they get it, and take it back by hand.\n\n"
    "First time on a host: bluegreen edge up, then bluegreen release\n\n"
    "In trouble: bluegreen status, then bluegreen rollback",
    Option(
        "--version",
        action="version",
        version=f"bluegreen {__version__}",
        help="Show the version and exit",
    ),
    epilog="Exit codes: 0 done, 1 findings of verify (or a defect), 2 usage or configuration,"
    " 3 build failed, 4 candidate rejected,"
    " 5 taken back, 6 another command holds the site, 7 engine, edge or host not fit,"
    " 8 nothing to roll back to, 9 released but something remains, 130 interrupted.",
)

DRY_RUN = flag("--dry-run", help="Print what would happen, and stop")
WAIT = Option(
    "--wait",
    metavar="SECONDS",
    type=float,
    default=0.0,
    help="Wait so long for another command to end (default: 0)",
)


@app.verb(
    "release",
    text("--image", metavar="REF", help="Skip the build and take this image"),
    text("--revision", metavar="REV", help="Default: git HEAD, -dirty when the tree is"),
    flag("--no-cache", help="Build every layer anew"),
    DRY_RUN,
    WAIT,
)
def release(settings: Settings, say: Say, asked: Namespace) -> Result:
    """Build, start beside live, check, switch, prove, drain, retire.

    A candidate that fails is removed and live stays as it was; its log and each probe's
    answer are kept (bluegreen logs).
    """
    from dataclasses import replace

    from bluegreen import site
    from bluegreen.builder import revision as revisions
    from bluegreen.commands.release import Ask
    from bluegreen.commands.release import release as run

    revision = revisions.of(settings.build.context)
    if asked.revision:
        revision = replace(revision, name=asked.revision)
    ask = Ask(
        revision=revision,
        image=asked.image,
        no_cache=asked.no_cache,
        dry_run=asked.dry_run,
        wait=asked.wait,
    )
    with site.opened(settings, say) as here:
        return run(here, ask)


@app.verb(
    "rollback",
    text("wanted", nargs="?", metavar="RELEASE", help="Its id, the start of it, or its revision"),
    DRY_RUN,
    WAIT,
)
def rollback(settings: Settings, say: Say, asked: Namespace) -> Result:
    """Bring back a release that was once live; by default the one before.

    Its own image and its own container settings, through the same checks as a release:
    live is not touched until the old one has passed. A release that was rolled back from
    is passed over; name it to go forward again.
    """
    from bluegreen import site
    from bluegreen.commands.rollback import Ask
    from bluegreen.commands.rollback import rollback as run

    with site.opened(settings, say) as here:
        return run(here, Ask(wanted=asked.wanted, dry_run=asked.dry_run, wait=asked.wait))


@app.verb(
    "status",
    flag("--proof", help="Also the evidence: image, candidate, edge, each compared"),
)
def status(settings: Settings, say: Say, asked: Namespace) -> Result:
    """What is live, since when, from which image, and what is amiss."""
    from bluegreen import site
    from bluegreen.commands.status import status as run

    with site.opened(settings, say) as here:
        return run(here, with_proof=asked.proof)


@app.verb(
    "verify",
    text(
        "--url",
        metavar="URL",
        help="Also through what stands before the edge: https://www.example.com",
    ),
)
def verify(settings: Settings, say: Say, asked: Namespace) -> Result:
    """Compare what users get with the live release's image, byte for byte, at any time.

    Tells a stale container (origin) from a stale edge and from a stale CDN. One line; exit
    code 0, or 1 with findings. Made for a cron job: it takes no lock and changes nothing.
    """
    from bluegreen import site
    from bluegreen.commands.verify import verify as run

    with site.opened(settings, say) as here:
        return run(here, asked.url)


@app.verb(
    "history",
    Option(
        "-n",
        "--limit",
        metavar="N",
        type=count,
        default=20,
        help="So many, the newest first (default: %(default)s)",
    ),
)
def history(settings: Settings, say: Say, asked: Namespace) -> Result:
    """Every release: when, what revision, how it ended, and whether its image is kept."""
    from bluegreen import site
    from bluegreen.commands.history import history as run

    with site.opened(settings, say) as here:
        return run(here, asked.limit)


@app.verb(
    "logs",
    text("wanted", nargs="?", metavar="RELEASE", help="Default: the newest, failed or not"),
    Option(
        "-n",
        "--tail",
        metavar="N",
        type=count,
        default=100,
        help="So many lines (default: %(default)s)",
    ),
)
def logs(settings: Settings, say: Say, asked: Namespace) -> Result:
    """A release's log; of one that failed, the evidence that was kept."""
    from bluegreen import site
    from bluegreen.commands.history import logs as run

    with site.opened(settings, say) as here:
        return run(here, asked.wanted, asked.tail)


@app.verb("prune", DRY_RUN, WAIT)
def prune(settings: Settings, say: Say, asked: Namespace) -> Result:
    """Put away what a dead run left, and images beyond the kept ones.

    Only this site's own; never an image that a container or a kept release needs.
    """
    from bluegreen import site
    from bluegreen.commands.prune import prune_site

    with site.opened(settings, say) as here:
        return prune_site(here, dry_run=asked.dry_run, wait=asked.wait)


@app.verb("recover", DRY_RUN, WAIT)
def recover(settings: Settings, say: Say, asked: Namespace) -> Result:
    """Finish or take back what a dead run left, and put away the rest.

    Every command that acts does it first. What is live is left as it is unless another
    release is proven to be better; what cannot be decided is told, with exit code 9.
    """
    from bluegreen import site
    from bluegreen.commands.recover import recover as run

    with site.opened(settings, say) as here:
        return run(here, dry_run=asked.dry_run, wait=asked.wait)


edge = app.menu("edge", "The Caddy that users reach, one a host.")


@edge.verb(
    "up",
    flag("--recreate", help="Make the container anew: some 0.7 s of refused connections"),
)
def edge_up(settings: Settings, say: Say, asked: Namespace) -> Result:
    """Start the edge, or apply changed [edge] settings to it."""
    from bluegreen.commands import edge as edge_commands
    from bluegreen.engine import connect

    return edge_commands.up(settings, connect(), say, recreate=asked.recreate)


@edge.verb("down", flag("--force", help="Also while a site is live"))
def edge_down(settings: Settings, say: Say, asked: Namespace) -> Result:
    """Remove the edge's container and network; its state folder stays."""
    from bluegreen.commands import edge as edge_commands
    from bluegreen.engine import connect

    return edge_commands.down(settings, connect(), say, force=asked.force)


@edge.verb("status")
def edge_status(settings: Settings, _say: Say, _asked: Namespace) -> Result:
    """The edge's container, its sites and what is amiss."""
    from bluegreen.commands import edge as edge_commands
    from bluegreen.engine import connect

    return edge_commands.status(settings, connect())


def main() -> None:
    signals.leave_at_once()
    # One short act: collecting after each 700 new objects would cost a tenth of its imports.
    gc.set_threshold(150_000)
    try:
        verb, asked = app.parse(sys.argv[1:])
        from bluegreen.cli.run import run

        _leave(run(verb, asked))
    except SystemExit as end:
        _leave(end.code if isinstance(end.code, int) else bool(end.code))
    except BrokenPipeError:  # whoever read the result has gone
        _leave(1)


def _leave(code: int) -> NoReturn:
    """At once: taking an interpreter with all these modules apart takes some 60 ms, and nothing
    waits for it (what must be closed or synced was, before the result was printed)."""
    with suppress(OSError):  # whoever read it has gone
        sys.stdout.flush()
    with suppress(OSError):
        sys.stderr.flush()
    os._exit(code)
