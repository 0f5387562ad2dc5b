"""Headless Chromium, spoken to in the Chrome DevTools Protocol: tabs as people leave them open.

with Browser({"shop.test": "127.0.0.1"}) as browser:
    tab = browser.open("http://shop.test:8080/")
    tab.click("button")
    tab.wait_for("document.title === 'Done'")
    assert tab.errors() == []
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from websockets.sync.client import ClientConnection, connect

_FLAGS = (
    "--headless",
    "--no-sandbox",  # a sandbox of its own needs rights that a container's root lacks
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--window-size=800,480",
    "--remote-debugging-port=0",
)
_PATIENCE = 30.0  # seconds, for the browser to start and for one answer of it
_POLL = 0.05


class Tab:
    """One tab. What goes wrong in it is kept until `errors` is asked."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._number = 0
        self._errors: list[str] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": params}))
        while True:
            told = json.loads(self._socket.recv(_PATIENCE))
            if told.get("id") == self._number:
                break
            self._keep(told)
        if "error" in told:
            raise RuntimeError(f"{method}: {told['error']}")
        result: dict[str, Any] = told["result"]
        return result

    def goto(self, url: str) -> None:
        self.call("Page.navigate", url=url)

    def reload(self) -> None:
        """As the reload button does: the page is asked for anew, its assets may be cached."""
        self.call("Page.reload")

    def evaluate(self, expression: str) -> Any:
        told = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in told:
            raise RuntimeError(f"{expression}: {told['exceptionDetails']}")
        return told["result"].get("value")

    def click(self, selector: str) -> None:
        self.evaluate(f"document.querySelector({json.dumps(selector)}).click()")

    def wait_for(self, expression: str, timeout: float = _PATIENCE) -> None:
        deadline = time.monotonic() + timeout
        while True:
            # While a page is being replaced there is nothing to evaluate in.
            with suppress(RuntimeError):
                if self.evaluate(expression):
                    return
            if time.monotonic() > deadline:
                shown = self.evaluate("document.documentElement.outerHTML")
                raise AssertionError(f"never came: {expression}\n{self._errors}\n{shown}")
            time.sleep(_POLL)

    def text(self, selector: str) -> str:
        return str(self.evaluate(f"document.querySelector({json.dumps(selector)})?.innerText"))

    def errors(self) -> list[str]:
        """Errors on the console, exceptions and requests that failed, since the tab was opened."""
        self.evaluate("0")  # its answer comes after all that was told before
        return list(self._errors)

    def screenshot(self, path: Path) -> Path:
        """A PNG of what a person sees now."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(
            base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])
        )
        return path

    def _keep(self, told: Mapping[str, Any]) -> None:
        params = told.get("params", {})
        match told.get("method"):
            case "Runtime.exceptionThrown":
                details = params["exceptionDetails"]
                thrown = details.get("exception", {}).get("description", "")
                self._errors.append(f"exception: {thrown or details['text']}")
            case "Runtime.consoleAPICalled" if params["type"] in ("error", "assert"):
                self._errors.append(f"console: {params['args']}")
            case "Log.entryAdded" if params["entry"]["level"] == "error":
                entry = params["entry"]
                self._errors.append(f"log: {entry['text']} {entry.get('url', '')}")
            case "Network.loadingFailed" if not params.get("canceled"):
                self._errors.append(f"request: {params['errorText']}")


class Browser(AbstractContextManager["Browser"]):
    """One process with a new profile."""

    def __init__(self, names: Mapping[str, str]) -> None:
        """`names`: host name → address, in place of DNS."""
        self._names = names
        self._profile = Path(tempfile.mkdtemp(prefix="bg-chromium-"))
        self._log = self._profile / "chromium.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._tabs = ExitStack()
        self._port = 0

    def __enter__(self) -> Self:
        program = shutil.which("chromium") or shutil.which("google-chrome")
        if program is None:
            raise FileNotFoundError("no chromium: apt-get install chromium")
        rules = ",".join(f"MAP {name} {address}" for name, address in self._names.items())
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    program,
                    *_FLAGS,
                    f"--user-data-dir={self._profile}",
                    f"--host-resolver-rules={rules}",
                    "about:blank",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._port = self._await_port()
        return self

    def open(self, url: str) -> Tab:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._port}/json/new?about:blank", method="PUT"
        )
        with urllib.request.urlopen(request, timeout=_PATIENCE) as answer:
            target = json.load(answer)
        told = connect(
            target["webSocketDebuggerUrl"], max_size=None, open_timeout=_PATIENCE, proxy=None
        )
        tab = Tab(self._tabs.enter_context(told))
        tab.goto(url)
        return tab

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._tabs.close()
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        # Its helpers may still be writing there for a moment.
        shutil.rmtree(self._profile, ignore_errors=True)

    def _await_port(self) -> int:
        assert self._process is not None
        told = self._profile / "DevToolsActivePort"
        deadline = time.monotonic() + _PATIENCE
        while not (told.exists() and told.read_text().strip()):
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = self._log.read_text(errors="replace")
                raise RuntimeError(f"chromium did not start: {said[-2000:]}")
            time.sleep(_POLL)
        return int(told.read_text().split()[0])
