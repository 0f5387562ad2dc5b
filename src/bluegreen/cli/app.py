"""The command line: verbs and their options. What is heavy is imported when a verb runs."""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from bluegreen import __version__
from bluegreen.lib import signals

if TYPE_CHECKING:
    from collections.abc import Callable

    from bluegreen.model import Result
    from bluegreen.ports import Say
    from bluegreen.settings import Settings

app = typer.Typer(
    name="bluegreen",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Put a new build of a frontend in front of users without one lost request,"
    " prove that they get it, and take it back by hand.\n\n"
    "First time on a host:  bluegreen edge up, then  bluegreen release\n\n"
    "In trouble:  bluegreen status, then  bluegreen rollback",
    epilog="Exit codes: 0 done, 1 findings of verify (or a defect), 2 usage or configuration,"
    " 3 build failed, 4 candidate rejected,"
    " 5 taken back, 6 another command holds the site, 7 engine or edge not fit,"
    " 8 nothing to roll back to, 9 released but something remains, 130 interrupted.",
)
edge_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="The Caddy that users reach, one a host."
)
app.add_typer(edge_app, name="edge")

Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        envvar="BLUEGREEN_CONFIG",
        help="The site's configuration; default: bluegreen.toml",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Also what is asked and answered")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Only errors and warnings")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would happen, and stop")]
Wait = Annotated[
    float,
    typer.Option("--wait", metavar="SECONDS", help="Wait so long for another command to end"),
]


@app.command()
def release(
    image: Annotated[
        str, typer.Option("--image", metavar="REF", help="Skip the build and take this image")
    ] = "",
    revision: Annotated[
        str,
        typer.Option(
            "--revision", metavar="REV", help="Default: git HEAD, -dirty when the tree is"
        ),
    ] = "",
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Build every layer anew")] = False,
    dry_run: DryRun = False,
    wait: Wait = 0.0,
    config: Config = None,
    as_json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Build, start beside live, check, switch, prove, drain, retire.

    A candidate that fails is removed and live stays as it was; its log and each probe's
    answer are kept (bluegreen logs).
    """

    def act(settings: Settings, say: Say) -> Result:
        from dataclasses import replace

        from bluegreen import site
        from bluegreen.builder import revision as revisions
        from bluegreen.commands.release import Ask
        from bluegreen.commands.release import release as run

        found = revisions.of(settings.build.context)
        if revision:
            found = replace(found, name=revision)
        with site.opened(settings, say) as here:
            ask = Ask(revision=found, image=image, no_cache=no_cache, dry_run=dry_run, wait=wait)
            return run(here, ask)

    _run("release", config, as_json, verbose, quiet, act)


@app.command()
def rollback(
    wanted: Annotated[
        str,
        typer.Argument(
            metavar="[RELEASE]", help="Its id, the start of it, or its revision", show_default=False
        ),
    ] = "",
    dry_run: DryRun = False,
    wait: Wait = 0.0,
    config: Config = None,
    as_json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Bring back a release that was once live; by default the one before.

    Its own image and its own container settings, through the same checks as a release:
    live is not touched until the old one has passed. A release that was rolled back from
    is passed over; name it to go forward again.
    """

    def act(settings: Settings, say: Say) -> Result:
        from bluegreen import site
        from bluegreen.commands.rollback import Ask
        from bluegreen.commands.rollback import rollback as run

        with site.opened(settings, say) as here:
            return run(here, Ask(wanted=wanted, dry_run=dry_run, wait=wait))

    _run("rollback", config, as_json, verbose, quiet, act)


@app.command()
def status(
    proof: Annotated[
        bool,
        typer.Option("--proof", help="Also the evidence: image, candidate, edge, each compared"),
    ] = False,
    config: Config = None,
    as_json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """What is live, since when, from which image, and what is amiss."""

    def act(settings: Settings, say: Say) -> Result:
        from bluegreen import site
        from bluegreen.commands.status import status as run

        with site.opened(settings, say) as here:
            return run(here, with_proof=proof)

    _run("status", config, as_json, verbose, quiet, act)


@app.command()
def verify(
    url: Annotated[
        str,
        typer.Option(
            "--url",
            metavar="URL",
            help="Also through what stands before the edge: https://www.example.com",
        ),
    ] = "",
    config: Config = None,
    as_json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Compare what users get with the live release's image, byte for byte, at any time.

    Tells a stale container (origin) from a stale edge and from a stale CDN. One line; exit
    code 0, or 1 with findings. Made for a cron job: it takes no lock and changes nothing.
    """

    def act(settings: Settings, say: Say) -> Result:
        from bluegreen import site
        from bluegreen.commands.verify import verify as run

        with site.opened(settings, say) as here:
            return run(here, url)

    _run("verify", config, as_json, verbose, quiet, act)


@app.command()
def history(
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, help="So many, the newest first")
    ] = 20,
    config: Config = None,
    as_json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Every release: when, what revision, how it ended, and whether its image is kept."""

    def act(settings: Settings, say: Say) -> Result:
        from bluegreen import site
        from bluegreen.commands.history import history as run

        with site.opened(settings, say) as here:
            return run(here, limit)

    _run("history", config, as_json, verbose, quiet, act)


@app.command()
def logs(
    wanted: Annotated[
        str,
        typer.Argument(
            metavar="[RELEASE]", help="Default: the newest, failed or not", show_default=False
        ),
    ] = "",
    tail: Annotated[int, typer.Option("--tail", "-n", min=1, help="So many lines")] = 100,
    config: Config = None,
    as_json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """A release's log; of one that failed, the evidence that was kept."""

    def act(settings: Settings, say: Say) -> Result:
        from bluegreen import site
        from bluegreen.commands.history import logs as run

        with site.opened(settings, say) as here:
            return run(here, wanted, tail)

    _run("logs", config, as_json, verbose, quiet, act)


@app.command()
def prune(
    dry_run: DryRun = False,
    wait: Wait = 0.0,
    config: Config = None,
    as_json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Put away what a dead run left, and images beyond the kept ones.

    Only this site's own; never an image that a container or a kept release needs.
    """

    def act(settings: Settings, say: Say) -> Result:
        from bluegreen import site
        from bluegreen.commands.prune import prune_site

        with site.opened(settings, say) as here:
            return prune_site(here, dry_run=dry_run, wait=wait)

    _run("prune", config, as_json, verbose, quiet, act)


@app.command()
def recover(
    dry_run: DryRun = False,
    wait: Wait = 0.0,
    config: Config = None,
    as_json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Finish or take back what a dead run left, and put away the rest.

    Every command that acts does it first. What is live is left as it is unless another
    release is proven to be better; what cannot be decided is told, with exit code 9.
    """

    def act(settings: Settings, say: Say) -> Result:
        from bluegreen import site
        from bluegreen.commands.recover import recover as run

        with site.opened(settings, say) as here:
            return run(here, dry_run=dry_run, wait=wait)

    _run("recover", config, as_json, verbose, quiet, act)


@edge_app.command("up")
def edge_up(
    recreate: Annotated[
        bool,
        typer.Option(
            "--recreate", help="Make the container anew: some 0.7 s of refused connections"
        ),
    ] = False,
    config: Config = None,
    as_json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Start the edge, or apply changed [edge] settings to it."""

    def act(settings: Settings, say: Say) -> Result:
        from bluegreen.commands import edge as edge_commands
        from bluegreen.engine import connect

        return edge_commands.up(settings, connect(), say, recreate=recreate)

    _run("edge up", config, as_json, verbose, quiet, act)


@edge_app.command("down")
def edge_down(
    force: Annotated[bool, typer.Option("--force", help="Also while a site is live")] = False,
    config: Config = None,
    as_json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Remove the edge's container and network; its state folder stays."""

    def act(settings: Settings, say: Say) -> Result:
        from bluegreen.commands import edge as edge_commands
        from bluegreen.engine import connect

        return edge_commands.down(settings, connect(), say, force=force)

    _run("edge down", config, as_json, verbose, quiet, act)


@edge_app.command("status")
def edge_status(
    config: Config = None, as_json: Json = False, verbose: Verbose = False, quiet: Quiet = False
) -> None:
    """The edge's container, its sites and what is amiss."""

    def act(settings: Settings, _: Say) -> Result:
        from bluegreen.commands import edge as edge_commands
        from bluegreen.engine import connect

        return edge_commands.status(settings, connect())

    _run("edge status", config, as_json, verbose, quiet, act)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"bluegreen {__version__}")
        raise typer.Exit


@app.callback()
def main_options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version")
    ] = False,
) -> None:
    pass


def _run(
    command: str,
    config: Path | None,
    as_json: bool,
    verbose: bool,
    quiet: bool,
    act: Callable[[Settings, Say], Result],
) -> None:
    from bluegreen.cli.run import Common, run

    common = Common(config=config, as_json=as_json, verbose=verbose, quiet=quiet)
    raise typer.Exit(run(command, common, act))


def main() -> None:
    signals.leave_at_once()
    # One short act: collecting after each 700 new objects would cost a tenth of its imports.
    gc.set_threshold(150_000)
    try:
        app()
    except SystemExit as end:
        _leave(end.code if isinstance(end.code, int) else bool(end.code))


def _leave(code: int) -> NoReturn:
    """At once: taking an interpreter with all these modules apart takes some 60 ms, and nothing
    waits for it (what must be closed or synced was, before the result was printed)."""
    with suppress(OSError):  # whoever read it has gone
        sys.stdout.flush()
    with suppress(OSError):
        sys.stderr.flush()
    os._exit(code)
