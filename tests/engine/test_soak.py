"""Release after release under mixed load: nothing lost, and nothing grows.

By itself a short run; with `--thorough` the proof.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest

from bluegreen.state.folder import State
from kit import output
from kit.load.clients import NoRetryClient, trusting
from kit.load.http2 import Http2Client
from kit.load.streams import EventStream, SlowDownload, WebSocketSession
from kit.site.host import Host, Site
from kit.site.projects import Behaviour

RETAIN = 3
SHORT, WHOLE = 12, 100  # releases
WARM = 10  # releases after which pools, caches and retained images have their size
CONFIG: dict[str, Any] = {
    "retain": {"images": RETAIN},
    "assets": {"keep_releases": 3, "keep_days": 0},
    "gate": {"passes": 2, "interval": "20ms"},
    "drain": {"timeout": "30s"},
}
STREAM = 4.0  # seconds; each lives across a switch
#: What may come on top between two looks: a journal's page, a pool's buffer.
SLACK_FILES = 10
SLACK_BYTES = 2 << 20
LEDGER_ROW = 16 << 10
#: Go's heap breathes; a leak of a kept configuration would be megabytes a release.
SLACK_MEMORY = 48 << 20
SLACK_DESCRIPTORS = 64


@dataclass(frozen=True, kw_only=True)
class Size:
    containers: int
    images: int
    files: int  # in the state folder
    state: int  # bytes there, without the ledger
    ledger: int  # bytes
    edge_memory: int  # bytes, resident
    edge_descriptors: int


def size_of(host: Host, site: Site) -> Size:
    pid = host.edge_container().attrs["State"]["Pid"]
    status = Path(f"/proc/{pid}/status").read_text()
    resident = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    files = [path for path in host.state_dir.rglob("*") if path.is_file()]
    ledger = [path for path in files if path.name.startswith("ledger.db")]
    return Size(
        containers=len(site.containers()),
        images=len(site.images()),
        files=len(files) - len(ledger),
        state=sum(path.stat().st_size for path in files if path not in ledger),
        ledger=sum(path.stat().st_size for path in ledger),
        edge_memory=int(resident.split()[1]) * 1024,
        edge_descriptors=sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir()),
    )


@pytest.mark.timeout(7200)
def test_nothing_is_lost_and_nothing_grows(bare_host: Host, thorough: bool) -> None:
    releases = WHOLE if thorough else SHORT
    bare_host.edge["tls"] = "internal"
    bare_host.up()
    site = bare_host.site("v0", behaviour=Behaviour.STREAMS, config=CONFIG, files=20)
    site.bluegreen("release", expect=0)
    context = trusting(State(bare_host.state_dir).data / "caddy/pki/authorities/local/root.crt")
    began = time.monotonic()
    with ExitStack() as stack:
        address: dict[str, Any] = {"host": site.hostname, "context": context, "limit": 7200.0}
        clients = {
            "keep-alive": NoRetryClient(
                bare_host.url, threads=2, keep_alive=True, pause=0.002, **address
            ),
            "new connections": NoRetryClient(
                bare_host.url, threads=1, keep_alive=False, pause=0.01, **address
            ),
            "posts": NoRetryClient(
                bare_host.url,
                paths=("/echo",),
                body=b"x" * 2000,
                threads=1,
                keep_alive=True,
                pause=0.01,
                **address,
            ),
            "uploads": NoRetryClient(
                bare_host.url,
                paths=("/echo",),
                body=b"y" * (2 << 20),
                threads=1,
                pause=0.2,
                **address,
            ),
            "http/2": Http2Client(
                bare_host.url,
                threads=2,
                pause=0.002,
                host=site.hostname,
                limit=7200.0,
                context=_for_http2(bare_host),
            ),
        }
        for client in clients.values():
            stack.enter_context(client)
        sizes = [_round(bare_host, site, number, context) for number in range(1, releases + 1)]
        reports = {name: client.report() for name, client in clients.items()}
    for report in reports.values():
        report.assert_nothing_lost(at_least=releases)
    warm, last = sizes[WARM - 1], sizes[-1]
    output.keep(
        "soak",
        {
            "releases": releases,
            "seconds": round(time.monotonic() - began),
            "requests": {name: report.requests for name, report in reports.items()},
            "lost": {name: report.lost for name, report in reports.items()},
            f"at {WARM}": asdict(warm),
            f"at {releases}": asdict(last),
        },
    )
    assert_flat(warm, last, releases - WARM)


def _round(host: Host, site: Site, number: int, context: Any) -> Size:
    """One release with a download, a stream and a websocket open across it."""
    site.write(f"v{number}", behaviour=Behaviour.STREAMS, files=20)
    address: dict[str, Any] = {"host": site.hostname, "context": context}
    with (
        SlowDownload(host.url, seconds=STREAM, size=2 << 20, **address) as download,
        EventStream(host.url, seconds=STREAM, **address) as events,
        WebSocketSession(host.url, **address) as socket,
    ):
        running = site.bluegreen.start("release")
        running.wait_for("verify")
        reports = [download.report(), events.report(), socket.report()]
        running.wait().expect(0)
    for report in reports:
        report.assert_whole()
    assert host.get(site, context=context).version == f"v{number}"
    return size_of(host, site)


def _for_http2(host: Host) -> Any:
    context = trusting(State(host.state_dir).data / "caddy/pki/authorities/local/root.crt")
    context.set_alpn_protocols(["h2"])
    return context


def assert_flat(warm: Size, last: Size, rounds: int) -> None:
    assert last.containers == warm.containers == 1
    assert last.images == warm.images <= RETAIN + 1
    assert last.files <= warm.files + SLACK_FILES
    assert last.state <= warm.state + SLACK_BYTES
    assert last.ledger <= warm.ledger + rounds * LEDGER_ROW
    assert last.edge_memory <= warm.edge_memory + SLACK_MEMORY
    assert last.edge_descriptors <= warm.edge_descriptors + SLACK_DESCRIPTORS
