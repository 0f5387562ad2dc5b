"""`wrk` as a load: saturating, keep-alive, and every status counted."""

from __future__ import annotations

import json
import signal
import subprocess
import tempfile
import time
from contextlib import AbstractContextManager
from types import TracebackType
from typing import IO, Self

from kit.load.clients import LIMIT, PATIENCE, Failure, LoadReport


class Wrk(AbstractContextManager["Wrk"]):
    """Runs in the background until `report()`; its own summary would take a 3xx for an answer."""

    SCRIPT = """\
local threads = {}
function setup(thread) table.insert(threads, thread) end
function init(args) counts = {} end
function response(status, headers, body) counts[status] = (counts[status] or 0) + 1 end
function done(summary, latency, requests)
  local sum, errors = {}, summary.errors
  for _, thread in ipairs(threads) do
    for status, count in pairs(thread:get("counts")) do
      sum[status] = (sum[status] or 0) + count
    end
  end
  local parts = {}
  for status, count in pairs(sum) do
    table.insert(parts, string.format('"%d":%d', status, count))
  end
  print(string.format(
    'KIT {"requests":%d,"connect":%d,"read":%d,"write":%d,"timeout":%d,"statuses":{%s}}',
    summary.requests, errors.connect, errors.read, errors.write, errors.timeout,
    table.concat(parts, ",")))
end
"""

    def __init__(
        self,
        url: str,
        *,
        host: str = "",
        connections: int = 32,
        threads: int = 1,
        limit: float = LIMIT,
    ) -> None:
        self.url = url
        self.host = host
        self.connections = connections
        self.threads = threads
        self.limit = limit
        self._process: subprocess.Popen[str] | None = None
        self._script: IO[str] | None = None
        self._report: LoadReport | None = None
        self._began = 0.0

    def __enter__(self) -> Self:
        self._script = tempfile.NamedTemporaryFile("w", suffix=".lua")
        self._script.write(self.SCRIPT)
        self._script.flush()
        header = ["-H", f"Host: {self.host}"] if self.host else []
        self._began = time.monotonic()
        self._process = subprocess.Popen(
            [
                "wrk",
                f"-t{self.threads}",
                f"-c{self.connections}",
                f"-d{int(self.limit)}s",
                f"--timeout={int(PATIENCE)}s",
                *("-s", self._script.name),
                *header,
                self.url,
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._finish()

    def report(self) -> LoadReport:
        """Stop, and say what came of it."""
        return self._finish()

    def _finish(self) -> LoadReport:
        if self._report is not None:
            return self._report
        assert self._process is not None and self._script is not None, "not entered"
        ran_out = self._process.poll() is not None
        self._process.send_signal(signal.SIGINT)  # wrk sums up and exits
        try:
            output, _ = self._process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise
        finally:
            self._script.close()
        self._report = self._parse(output, time.monotonic() - self._began, ran_out)
        return self._report

    def _parse(self, output: str, seconds: float, ran_out: bool) -> LoadReport:
        line = next((line for line in output.splitlines() if line.startswith("KIT ")), "")
        if not line:
            raise RuntimeError(f"wrk did not sum up: {output.strip()}")
        counted = json.loads(line.removeprefix("KIT "))
        statuses = {int(status): count for status, count in counted.pop("statuses").items()}
        requests = counted.pop("requests")
        bad = {status: n for status, n in statuses.items() if not 200 <= status < 300}
        reasons = [f"{n} {kind} errors" for kind, n in counted.items() if n]
        reasons += [f"{n} answers with status {status}" for status, n in bad.items()]
        lost = sum(counted.values()) + sum(bad.values())
        return LoadReport(
            requests=requests + sum(counted.values()),
            failures=tuple(Failure(seconds, reason) for reason in reasons),
            statuses=statuses,
            versions={},
            seconds=seconds,
            ran_out=ran_out,
            lost=lost,
            details=counted,
        )
