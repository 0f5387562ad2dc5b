"""Which engine is meant: DOCKER_HOST, DOCKER_CONTEXT, the current context, the default socket.

docker-py takes the local socket for a context that it does not know; the CLI fails. A
release that was meant for another host must not happen here, so this fails too, and both
the SDK and the CLI are then given the endpoint that was found.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bluegreen.errors import NotFit

DEFAULT_SOCKET = "unix:///var/run/docker.sock"
_SPOKEN = ("unix://", "tcp://", "http://", "https://")


@dataclass(frozen=True, slots=True)
class Tls:
    folder: Path  # holds ca.pem, cert.pem, key.pem: those that there are
    verify: bool

    def file(self, name: str) -> str | None:
        path = self.folder / name
        return str(path) if path.is_file() else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    url: str
    source: str  # where it was named, for messages
    tls: Tls | None = None

    @property
    def local(self) -> bool:
        return self.url.startswith("unix://")

    @property
    def socket(self) -> Path | None:
        return Path("/" + self.url.removeprefix("unix://").lstrip("/")) if self.local else None

    def cli_environment(self) -> dict[str, str]:
        """What makes the docker CLI speak to this very engine."""
        variables = {"DOCKER_HOST": self.url}
        if self.tls is not None:
            variables["DOCKER_CERT_PATH"] = str(self.tls.folder)
            variables["DOCKER_TLS_VERIFY" if self.tls.verify else "DOCKER_TLS"] = "1"
        return variables


def resolve(environ: Mapping[str, str]) -> Endpoint:
    """The endpoint in the order of the docker CLI.

    Raises NotFit for a context that does not exist and for a transport that is not spoken.
    """
    folder = Path(environ.get("DOCKER_CONFIG") or Path(_home(environ)) / ".docker")
    if host := environ.get("DOCKER_HOST", "").strip():
        return _checked(Endpoint(url=host, source="DOCKER_HOST", tls=_named_tls(environ, folder)))
    if name := environ.get("DOCKER_CONTEXT", ""):
        return _of_context(name, "DOCKER_CONTEXT", folder)
    config = folder / "config.json"
    if name := str(_json(config).get("currentContext", "")):
        return _of_context(name, f"currentContext in {config}", folder)
    return Endpoint(url=DEFAULT_SOCKET, source="the default socket")


def _home(environ: Mapping[str, str]) -> str:
    return environ.get("HOME") or str(Path.home())


def _named_tls(environ: Mapping[str, str], folder: Path) -> Tls | None:
    """As the CLI: any text in DOCKER_TLS_VERIFY, "0" too, turns verification on."""
    verify = bool(environ.get("DOCKER_TLS_VERIFY"))
    if not verify and not environ.get("DOCKER_TLS"):
        return None
    return Tls(Path(environ.get("DOCKER_CERT_PATH") or folder), verify)


def _of_context(name: str, source: str, folder: Path) -> Endpoint:
    if name == "default":
        return Endpoint(url=DEFAULT_SOCKET, source=source)
    key = hashlib.sha256(name.encode()).hexdigest()
    meta = folder / "contexts" / "meta" / key / "meta.json"
    if not meta.is_file():
        raise NotFit(
            f"there is no docker context {name!r} ({source})",
            hint="see docker context ls; then set DOCKER_CONTEXT, or docker context use NAME",
        )
    docker = _json(meta).get("Endpoints", {}).get("docker", {})
    certificates = folder / "contexts" / "tls" / key / "docker"
    skip = bool(docker.get("SkipTLSVerify"))
    tls = Tls(certificates, not skip) if skip or certificates.is_dir() else None
    return _checked(Endpoint(url=docker.get("Host") or DEFAULT_SOCKET, source=source, tls=tls))


def _checked(endpoint: Endpoint) -> Endpoint:
    url = endpoint.url
    if url.startswith("ssh://"):
        host = url.removeprefix("ssh://").rstrip("/")
        raise NotFit(
            f"{endpoint.source} names {url}: bluegreen does not drive an engine over ssh",
            hint=f"run bluegreen on {host} itself, or forward its socket:"
            f" ssh -nNT -L /tmp/docker.sock:/var/run/docker.sock {host} &"
            " then DOCKER_HOST=unix:///tmp/docker.sock",
        )
    if not url.startswith(_SPOKEN):
        raise NotFit(
            f"{endpoint.source} names {url}, which is not an endpoint that bluegreen can reach",
            hint="use unix:///PATH or tcp://HOST:PORT",
        )
    return endpoint


def _json(path: Path) -> dict[str, Any]:
    """{} where there is no such file. A broken one is an error: it may name a context."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not JSON"
        raise NotFit(
            f"{path} cannot be read: {reason}", hint="mend it, or set DOCKER_CONFIG or DOCKER_HOST"
        ) from error
    return content if isinstance(content, dict) else {}
