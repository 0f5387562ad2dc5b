"""Which order is better for assets, live first or the store? Measured in alternating pairs.

    .venv/bin/python -m kit.load.bench_assets [pairs] [seconds]      (from tests/)

Two sites with the same files behind one edge, each with its own container, one a setting;
wrk asks at the edge's own address, not through Docker's proxy for published ports.
"""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import docker

from kit.site.host import Host, Site

ORDERS = ("live", "store")
_CONNECTIONS = 32
_MIX = """\
local paths, at = {%s}, 0
function request()
  at = at %% #paths + 1
  return wrk.format("GET", paths[at])
end
"""
_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


@dataclass(frozen=True, slots=True)
class Figures:
    rate: float  # requests a second
    half: float  # milliseconds, of the median request
    slow: float  # milliseconds, of the 99th of a hundred


def measure(url: str, site: Site, paths: list[str], seconds: int) -> Figures:
    """Raises RuntimeError where any answer was not 2xx."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_MIX % ",".join(f'"{path}"' for path in paths))
        script.flush()
        command = ["wrk", "-t1", f"-c{_CONNECTIONS}", f"-d{seconds}s", "--latency"]
        command += ["-s", script.name, "-H", f"Host: {site.hostname}", url]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise RuntimeError(said)
    latency = dict(re.findall(r"^\s+(50|99)%\s+(\S+)", said, re.MULTILINE))
    found = re.search(r"Requests/sec:\s+([\d.]+)", said)
    if found is None:
        raise RuntimeError(said)
    return Figures(float(found[1]), _milliseconds(latency["50"]), _milliseconds(latency["99"]))


def _milliseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()  # type: ignore[union-attr]
    return float(number) * _UNITS[unit]


def main(pairs: int = 6, seconds: int = 5) -> None:
    client = docker.from_env()
    host = Host(client)
    try:
        host.up()
        sites = {order: host.site(config={"assets": {"order": order}}) for order in ORDERS}
        for site in sites.values():
            site.bluegreen("release", expect=0)
        networks = host.edge_container().attrs["NetworkSettings"]["Networks"]
        url = f"http://{networks[host.name]['IPAddress']}:{host.port}/"
        for name, chosen in (("asset", _asset), ("mix", _mix)):
            found: dict[str, list[Figures]] = {order: [] for order in ORDERS}
            for pair in range(pairs):
                for order in ORDERS if pair % 2 else ORDERS[::-1]:
                    site = sites[order]
                    found[order].append(measure(url, site, chosen(site), seconds))
            _tell(name, found)
    finally:
        host.remove()


def _asset(site: Site) -> list[str]:
    return [next(f"/{path}" for path in site.project.files if path.startswith("assets/chunk-10-"))]


def _mix(site: Site) -> list[str]:
    """The page, and every asset once."""
    return ["/", *(f"/{path}" for path in site.project.files if Path(path).parts[0] == "assets")]


def _tell(name: str, found: dict[str, list[Figures]]) -> None:
    for order, figures in found.items():
        rates = ", ".join(f"{one.rate:.0f}" for one in figures)
        print(
            f"{name:6} {order:6} {statistics.median(one.rate for one in figures):7.0f} requests/s,"
            f" p50 {statistics.median(one.half for one in figures):.2f} ms,"
            f" p99 {statistics.median(one.slow for one in figures):.2f} ms  ({rates})"
        )
    ratios = [s.rate / live.rate for live, s in zip(found["live"], found["store"], strict=True)]
    print(f"{name:6} store/live, pair by pair: {', '.join(f'{ratio:.2f}' for ratio in ratios)}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
