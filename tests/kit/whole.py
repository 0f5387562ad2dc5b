"""What must hold whatever the world did: users lose nothing, and one whole release serves.

with users_of(site, case="a full disk"):
    …                          # the trouble, and the command that ends it
assert_whole(site)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from bluegreen.state import State
from kit import output
from kit.loads import NoRetryClient
from kit.world import Site

_LIMIT = 550.0  # seconds


@contextmanager
def users_of(*sites: Site, case: str, at_least: int = 100, pause: float = 0.01) -> Iterator[None]:
    """Users who never retry, with a new connection for each request and with one kept alive.

    The more sites, the longer the `pause` (seconds) of each user between two requests.
    """
    with ExitStack() as stack:
        loads = [
            stack.enter_context(
                NoRetryClient(
                    site.host.url,
                    host=site.hostname,
                    keep_alive=kept,
                    threads=2,
                    pause=pause * len(sites),
                    limit=_LIMIT,
                )
            )
            for site in sites
            for kept in (False, True)
        ]
        yield
        reports = [load.report() for load in loads]
    facts = {
        "requests": sum(report.requests for report in reports),
        "lost": sum(report.lost for report in reports),
    }
    output.keep(f"world-{case.replace(' ', '-')}", facts)
    for report in reports:
        report.assert_nothing_lost(at_least=at_least // len(reports))
        assert "" not in report.versions, f"an answer that is no release's: {report.versions}"


def assert_whole(site: Site) -> None:
    """Pointer, engine and ledger agree, nothing is amiss, and nothing is left to recover."""
    assert site.bluegreen("recover", expect=0).outcome == "unchanged"
    status = site.bluegreen("status", expect=0).document
    assert status["amiss"] == []
    assert [one.name for one in site.containers()] == [site.live().partition(":")[0]]
    assert status["upstream"] == site.live()
    rows = site.bluegreen("history", expect=0).document["releases"]
    assert all(row["outcome"] for row in rows), rows
    live = next(row for row in rows if row["id"] == status["live"]["id"])
    assert live["was_live"]
    own = {image for image in site.images() if image.startswith(f"bluegreen/{site.name}:")}
    assert own <= {row["image"] for row in rows}
    assert temporary_files(site) == []


def temporary_files(site: Site) -> list[str]:
    """What a command that was cut short may leave in the state folder."""
    state = State(site.host.state_dir)
    places = (state.root, state.sites / site.name, state.routes, state.store / site.name / "tmp")
    found = [path for place in places if place.is_dir() for path in place.iterdir()]
    return [str(path) for path in found if path.name.startswith(".") or path.parent.name == "tmp"]
