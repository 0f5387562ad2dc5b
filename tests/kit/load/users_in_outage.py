"""Users of a site of whom none retries, and what they lost since the world was well again.

with UsersInOutage(site) as users:
    ...                     # an outage, in which requests are lost
    users.expect_all()      # from here on every request must be answered
    ...
users.assert_served_again("v1", "v2")

with users_of(site, case="a full disk"):
    ...                     # trouble that no request may be lost in
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from kit import output
from kit.load.clients import Failure, NoRetryClient
from kit.site.host import Site

_LIMIT = 550.0  # seconds


@dataclass(frozen=True, slots=True)
class Tally:
    requests: int
    lost: int
    lost_since: tuple[Failure, ...]  # of requests sent since all had to be answered
    versions: frozenset[str]

    def __str__(self) -> str:
        return f"{self.requests} requests, {self.lost} lost, {len(self.lost_since)} when all was up"


class UsersInOutage(AbstractContextManager["UsersInOutage"]):
    """Some with a new connection for every request, some who keep theirs alive."""

    def __init__(self, site: Site, *, pause: float = 0.005) -> None:
        self._clients = [
            NoRetryClient(
                site.host.url, host=site.hostname, keep_alive=keep, threads=2, pause=pause
            )
            for keep in (False, True)
        ]
        self._since = [0.0, 0.0]
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        for client in self._clients:
            self._stack.enter_context(client)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def expect_all(self) -> None:
        """From now on: what was sent before may be lost."""
        self._since = [client.elapsed for client in self._clients]

    def tally(self) -> Tally:
        """So far."""
        reports = [client.so_far() for client in self._clients]
        assert not any(report.ran_out for report in reports), "the load ended by itself"
        return Tally(
            requests=sum(report.requests for report in reports),
            lost=sum(report.lost for report in reports),
            lost_since=tuple(
                failure
                for report, since in zip(reports, self._since, strict=True)
                for failure in report.failures
                if failure.asked >= since
            ),
            versions=frozenset().union(*(report.versions for report in reports)) - {""},
        )

    def assert_served(self, *versions: str, at_least: int = 50) -> Tally:
        """Nothing was lost since `expect_all`, and every answer was of one of these versions."""
        found = self.tally()
        first = "\n  ".join(str(failure) for failure in found.lost_since[:10])
        assert not found.lost_since, f"{found}:\n  {first}"
        assert found.requests >= at_least, f"only {found}"
        assert found.versions <= set(versions), f"answers came from {sorted(found.versions)}"
        return found

    def assert_served_again(self, *versions: str) -> Tally:
        """The same after an outage, which these users noticed: so they would notice the next."""
        found = self.assert_served(*versions)
        assert found.lost, f"nobody noticed an outage: {found}"
        return found


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
        for load in loads:
            load.wait_for(at_least // len(loads))
        reports = [load.report() for load in loads]
    facts = {
        "requests": sum(report.requests for report in reports),
        "lost": sum(report.lost for report in reports),
    }
    output.keep(f"world-{case.replace(' ', '-')}", facts)
    for report in reports:
        report.assert_nothing_lost(at_least=at_least // len(reports))
        assert "" not in report.versions, f"an answer that is no release's: {report.versions}"
