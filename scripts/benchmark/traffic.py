"""Throughput and latency through the edge, beside a Caddy with a static upstream."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark.pairs import Result, Row
from benchmark.peers import KamalProxy, Static
from benchmark.place import Place, there
from kit.site.host import Site

_CONNECTIONS = 32
_ASSETS = 10
_MIX = ("app-", "vendor-", "inter-", "chunk-", "image-")

#: Asks the paths in turn, and sums up as JSON. What is not a 2xx counts as an error.
_SCRIPT = """\
local paths = {%s}
local turn, bad = 0, 0
local threads = {}
function setup(thread) table.insert(threads, thread) end
function init(args) failed = 0 end
function request()
  turn = turn %% #paths + 1
  return wrk.format("GET", paths[turn])
end
function response(status) if status < 200 or status > 299 then failed = failed + 1 end end
function done(summary, latency)
  local e, failed = summary.errors, 0
  for _, thread in ipairs(threads) do failed = failed + thread:get("failed") end
  print(string.format('BENCH {"requests":%%d,"microseconds":%%d,"p50":%%f,"p99":%%f,"bad":%%d}',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    failed + e.connect + e.read + e.write + e.timeout))
end
"""


@dataclass(frozen=True, slots=True)
class Measured:
    rate: float  # requests a second
    p50: float  # milliseconds
    p99: float


@dataclass(frozen=True, slots=True)
class Target:
    url: str
    host: str

    def measure(self, paths: Sequence[str], seconds: int) -> Measured:
        with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
            script.write(_SCRIPT % ",".join(json.dumps(path) for path in paths))
            script.flush()
            done = subprocess.run(
                ["wrk", "-t1", f"-c{_CONNECTIONS}", f"-d{seconds}s", "-s", script.name,
                 "-H", f"Host: {self.host}", f"{self.url}/"],
                capture_output=True, text=True, check=True,
            )  # fmt: skip
        line = next(line for line in done.stdout.splitlines() if line.startswith("BENCH "))
        counted = json.loads(line.removeprefix("BENCH "))
        if counted["bad"] or not counted["requests"]:
            raise RuntimeError(f"{self.url} as {self.host}: {done.stdout}")
        return Measured(
            counted["requests"] / counted["microseconds"] * 1e6,
            counted["p50"] / 1000,
            counted["p99"] / 1000,
        )


def traffic(place: Place, pairs: int, seconds: int) -> Iterator[Result]:
    """The index alone, and a page's mix, in both orders of the asset store."""
    sites = {order: _served(place, order) for order in ("live", "store")}
    live = sites["live"]
    page = _page(live)
    peers = {}
    static = Static(place, place.built(live, "a")[0])
    peers["static upstream"] = Target(static.url, live.hostname)
    if there("kamal-proxy"):
        kamal = KamalProxy(place, place.built(live, "a")[0])
        peers["kamal-proxy"] = Target(kamal.url, live.hostname)
    for peer, theirs in peers.items():
        wanted = 0.93 if peer == "static upstream" else 1.0
        ours = Target(place.edge_url, live.hostname)
        yield from _compared("index", ours, theirs, peer, ["/"], pairs, seconds, wanted)
        for order, site in sites.items():
            ours = Target(place.edge_url, site.hostname)
            what = f'page, assets.order = "{order}"'
            wanted_mix = 2.0 if peer == "kamal-proxy" and order == "store" else None
            paths = page if order == "live" else _page(site)
            yield from _compared(
                what, ours, theirs, peer, paths, pairs, seconds, wanted_mix, _page(live)
            )
    static.down()


def _compared(
    what: str,
    ours: Target,
    theirs: Target,
    peer: str,
    paths: Sequence[str],
    pairs: int,
    seconds: int,
    at_least: float | None,
    their_paths: Sequence[str] | None = None,
) -> Iterator[Row]:
    rows = {
        "rate": Row(group="traffic", what=f"{what}: requests a second", beside=peer, unit="/s",
                    at_least=at_least),
        "p50": Row(group="traffic", what=f"{what}: p50", beside=peer, unit="ms"),
        "p99": Row(group="traffic", what=f"{what}: p99", beside=peer, unit="ms"),
    }  # fmt: skip
    for number in range(pairs + 1):
        mine = ours.measure(paths, seconds if number else 1)
        other = theirs.measure(their_paths or paths, seconds if number else 1)
        if number:
            for field, row in rows.items():
                row.ours.append(getattr(mine, field))
                row.theirs.append(getattr(other, field))
    yield from rows.values()


def _served(place: Place, order: str) -> Site:
    site = place.site({"assets": {"order": order}})
    place.bluegreen(site, "release", "--image", place.built(site, "a")[0])
    return site


def _page(site: Site) -> list[str]:
    """The index and ten hashed assets of every kind."""
    names = sorted(name for name in site.project.files if name.startswith("assets/"))
    chosen = [next(name for name in names if Path(name).name.startswith(stem)) for stem in _MIX]
    chosen += [name for name in names if name not in chosen][: _ASSETS - len(chosen)]
    return ["/", *(f"/{name}" for name in chosen)]
