"""What status, history and logs look like for people."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from bluegreen.lib.humanize import show_past, show_size
from bluegreen.model import Result


def status(result: Result) -> None:
    console = Console(highlight=False, soft_wrap=True)
    facts, seen = result.detail, result.detail.get("container")
    table = Table.grid(padding=(0, 2))
    hosts = ", ".join(facts["hosts"]) or "any host"
    table.add_row("site", f"{result.site} ({hosts}) behind {facts['edge']}")
    if result.live is None:
        table.add_row("live", "no release; the edge answers 503 with Retry-After")
    else:
        table.add_row("live", f"{result.live.id} ({result.live.slot or 'unknown'})")
        table.add_row("since", _since(facts["since"]))
        table.add_row("image", str(facts["image"] or "unknown"))
        table.add_row("revision", str(facts["revision"] or "unknown"))
    if seen:
        health = f", {seen['health']}" if seen["health"] else ""
        up = f", up {seen['up']}" if seen["up"] else ""
        table.add_row("container", f"{seen['name']}: {seen['status']}{health}{up}")
    if (store := facts["store"])["order"] != "off":
        files = f"{store['files']} files of {store['releases']} releases"
        sizes = f"{show_size(store['bytes'])} of {show_size(store['max_bytes'])}"
        table.add_row("assets", f"{files}, {sizes}")
    if acting := facts["acting"]:
        step = f", in step {acting['step']}" if acting.get("step") else ""
        table.add_row("acting", f"{acting.get('command')} (pid {acting['pid']}){step}")
    console.print(table)
    for trouble in facts["amiss"]:
        console.print(f"! {trouble}", style="yellow", markup=False)
    if not facts["amiss"]:
        console.print("nothing is amiss", style="green")
    if "proof" in facts:
        _proof(console, facts["proof"])


def _proof(console: Console, proof: Mapping[str, Any]) -> None:
    """The chain of evidence: each link, what it was compared with, and every digest."""
    if not proof:
        console.print("no proof is kept of this release: it is older than the ledger's proofs")
        return
    image = proof.get("image", {})
    said = f"manifest {image['digest'][:12]} of {image['files']} files" if "digest" in image else ""
    console.print()
    console.print(f"image      {image.get('at', '')}  {image.get('image_id', '')[:19]}  {said}")
    for one in image.get("times", ()):
        console.print(f"           its time: {one['told']}", markup=False)
    for name in ("candidate", "edge"):
        link = proof.get(name)
        if link is None:
            continue
        told = f"{link['compared']} files as the {link['against']} has them"
        if path := link.get("build_id"):
            told += f", the revision in {path}"
        if moment := link.get("last_modified"):
            told += f", Last-Modified {moment}"
        console.print(f"{name:<10} {link['at']}  {told}", markup=False)
    for url, fact in proof.get("edge", {}).get("files", {}).items():
        console.print(f"  {fact['sha256'][:12] or '-':<12}  {url}", markup=False)


def _since(moment: str | None) -> str:
    if not moment:
        return "unknown"
    since = datetime.fromisoformat(moment)
    ago = show_past((datetime.now(UTC) - since).total_seconds(), "ago")
    return f"{since:%Y-%m-%d %H:%M:%S} UTC, {ago}"


def edge(result: Result) -> None:
    console = Console(highlight=False, soft_wrap=True, markup=False)
    facts = result.detail["edge"]
    if result.command == "edge down":
        gone = "is down" if result.outcome == "down" else "was not up"
        console.print(f"the edge {facts['name']} {gone}; its state folder stays")
        return
    did = "was up already" if result.outcome == "unchanged" else "is up"
    console.print(
        f"the edge {facts['name']} {did}: {facts['url']}"
        f" (tls {facts['tls']}, switch by {facts['switch']}, state in {facts['state_dir']})"
    )
    sites = result.detail["sites"]
    if not sites:
        console.print("it has no site yet: bluegreen release")
    for name, site in sites.items():
        hosts = ", ".join(site["hosts"]) or "any host"
        console.print(f"  {name} ({hosts}): {site['live'] or 'no release is live'}")


def history(result: Result) -> None:
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
    rows = result.detail["releases"]
    if not rows:
        console.print("no release yet: bluegreen release")
        return
    table = Table(box=None, pad_edge=False)
    for name in ("release", "slot", "started", "revision", "outcome", "seconds", ""):
        table.add_column(name, justify="right" if name == "seconds" else "left", no_wrap=True)
    for row in rows:
        live = result.live is not None and row["id"] == result.live.id
        marks = "live" if live else "image kept" if row["image_kept"] and row["was_live"] else ""
        kind = f" to {row['origin']}" if row["kind"] == "rollback" else ""
        seconds = f"{row['seconds']:.1f}" if row["seconds"] is not None else "-"
        outcome = (row["outcome"] or "no end") + kind
        table.add_row(
            row["id"],
            row["slot"],
            row["started"][:19].replace("T", " "),
            row["revision"],
            outcome,
            seconds,
            marks,
            style="bold" if live else None,
        )
    console.print(table)


def logs(result: Result) -> None:
    console = Console(highlight=False, soft_wrap=True, markup=False)
    facts = result.detail
    if facts["kept"] and result.release is not None:
        console.print(f"{result.release.id}: {facts['outcome'] or 'no end'}", style="bold")
        for step in result.steps:
            console.print(f"  {step.name:<10} {step.status:<12} {step.seconds:.2f} s")
        if message := facts["error"].get("message"):
            console.print(f"error: {message}")
        if state := facts["evidence"].get("state"):
            console.print(
                f"container: {state['status']}, exit code {state['exit_code']}"
                + (f", {state['error']}" if state["error"] else "")
            )
        for listening in facts["evidence"].get("listening", ()):
            console.print(f"listened on {listening}")
        for probe in facts["evidence"].get("exchanges", ()):
            answer = probe["status"] or "no answer"
            console.print(f"probe: {probe['via']} {probe['url']} → {answer} {probe['error']}")
    for line in facts["lines"]:
        console.print(line)
    if not facts["lines"]:
        console.print("no log lines are kept")
