"""After trouble: one whole release is served, every book agrees with it, and nothing is left."""

from __future__ import annotations

import time
from pathlib import Path

from bluegreen.state.folder import State
from kit.load.clients import LOSSES
from kit.site.command import Ran
from kit.site.host import Site

_PATIENCE = 60.0  # seconds for a restart policy, a slow disk, a busy machine


def wait_until_served(site: Site) -> None:
    """Until users get a release: the edge answers, and what it routes to does."""
    deadline = time.monotonic() + _PATIENCE
    while not (version := _version(site)):
        assert time.monotonic() < deadline, "users get no release any more"
        time.sleep(0.05)
    assert version


def assert_truthful(site: Site, ran: Ran, before: str, to: str) -> None:
    """The command's last word is what users get: `to` where it says "released", else `before`."""
    done = ran.outcome == "released"
    served = site.host.get(site).version
    assert served == (to if done else before), f"users get {served!r} after {ran}"
    assert ran.code in ((0, 9) if done else (4, 5, 7)), ran
    assert bool(ran.error) is not done, ran
    live = ran.document["live"]
    assert live is None or live["id"] in site.live(), f"{site.live()} is live, after {ran}"


def assert_whole(site: Site, served: str = "") -> None:
    """Pointer, engine and ledger agree; nothing is there but what `served` (default: whatever
    is live) and a way back need; nothing is amiss, and nothing is left to recover."""
    assert site.bluegreen("recover", expect=0).outcome == "unchanged"
    version = site.host.get(site).version
    assert version == (served or version) != ""
    status = site.bluegreen("status", expect=0).document
    assert status["amiss"] == []
    assert status["upstream"] == site.live()
    found = [(one.name, one.status) for one in site.containers()]
    assert found == [(site.live().partition(":")[0], "running")]
    rows = site.bluegreen("history", expect=0).document["releases"]
    assert all(row["outcome"] for row in rows), "a release has no end in the ledger"
    live = next(row for row in rows if row["id"] == status["live"]["id"])
    assert live["was_live"]
    own = {image for image in site.images() if image.startswith(f"bluegreen/{site.name}:")}
    assert own <= {row["image"] for row in rows if row["was_live"]}
    assert temporary_files(site) == []
    networks = site.host.client.networks.list(names=[site.host.name])
    assert [one.name for one in networks] == [site.host.name]


def temporary_files(site: Site) -> list[Path]:
    """What a command that was cut short may leave in the state folder; other sites' stay theirs."""
    state = State(site.host.state_dir)
    places = (state.root, state.routes, state.sites / site.name, state.store / site.name / "tmp")
    found = [path for place in places if place.is_dir() for path in place.iterdir()]
    return [path for path in found if path.name.startswith(".") or path.parent.name == "tmp"]


def _version(site: Site) -> str:
    try:
        return site.host.get(site).version
    except LOSSES:
        return ""
