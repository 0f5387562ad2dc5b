"""A pull: its many messages as few lines, and why a registry refused."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

from bluegreen.errors import EngineError
from bluegreen.ports import Line

_EVERY = 2.0  # seconds between two lines of progress
_LAYER = re.compile(r"[0-9a-f]{12}")
_HERE = ("Already exists", "Pull complete")


class Progress:
    """Takes the engine's messages, says a line now and then, and keeps the error."""

    def __init__(self, ref: str, say: Line) -> None:
        self.error = ""
        self._ref = ref
        self._say = say
        self._layers: dict[str, str] = {}  # id → status
        self._bytes: dict[str, tuple[int, int]] = {}  # id → here, of
        self._next = time.monotonic() + _EVERY
        say(f"pulling {ref}")

    def take(self, message: Mapping[str, Any]) -> None:
        detail = message.get("errorDetail") or {}
        if reason := detail.get("message") or message.get("error"):
            self.error = str(reason)
            return
        layer, status = str(message.get("id") or ""), str(message.get("status") or "")
        if not _LAYER.fullmatch(layer):
            if status.startswith(("Digest:", "Status:")):
                self._say(status)
            return
        self._layers[layer] = status
        progress = message.get("progressDetail") or {}
        if status == "Downloading" and progress.get("total"):
            self._bytes[layer] = int(progress.get("current") or 0), int(progress["total"])
        elif status in {"Download complete", *_HERE} and layer in self._bytes:
            self._bytes[layer] = (self._bytes[layer][1],) * 2
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _EVERY
            self._say(self._summary())

    def _summary(self) -> str:
        here = sum(status in _HERE for status in self._layers.values())
        got = sum(now for now, _ in self._bytes.values()) / 1e6
        of = sum(total for _, total in self._bytes.values()) / 1e6
        return f"{here} of {len(self._layers)} layers, {got:.1f} of {of:.1f} MB downloaded"


#: What registries and the engine say, first match first: status, pattern, what it means, hint.
_REASONS = (
    (
        401,
        r"unauthorized|authentication required|no basic auth|incorrect username or password",
        "the registry refused the login",
        "docker login {registry}, as the user who runs bluegreen",
    ),
    (
        404,
        r"pull access denied|denied: |requested access to the resource is denied",
        "the registry knows no such image, or shows it only to another login",
        "check the name; then docker login {registry}",
    ),
    (
        404,
        r"manifest unknown|manifest for .* not found|not found|no such image|name unknown",
        "the registry has no such image",
        "check its name and tag, and that it was pushed",
    ),
    (
        503,
        (
            r"connection refused|no such host|timeout|timed out|connection reset|unreachable"
            r"|server misbehaving|http response to https client|x509|tls|\beof\b|dial tcp"
        ),
        "the registry cannot be reached by the engine",
        "check the engine's network, its proxy, and {registry}",
    ),
)


def refusal(ref: str, status: int, explanation: str) -> EngineError:
    """Status 401, 404 or 503 where the reason is known, whatever way the engine told it."""
    # The engine's own prefix and a URL would hide the reason; the registry's words stay.
    reason = explanation.removeprefix(f"the engine could not pull {ref}: ")
    for meaning_status, pattern, meaning, hint in _REASONS:
        if re.search(pattern, reason, re.IGNORECASE):
            return EngineError(
                f"{ref} cannot be pulled: {meaning} ({reason})",
                hint=hint.format(registry=registry_of(ref)),
                status=meaning_status,
            )
    return EngineError(f"{ref} cannot be pulled: {reason}", status=status)


def registry_of(ref: str) -> str:
    """The host of the reference, as `docker login` takes it; "" is Docker's own."""
    first, slash, _ = ref.partition("/")
    named = slash and ("." in first or ":" in first or first == "localhost")
    return first if named else ""
