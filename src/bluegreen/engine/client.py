"""`connect`: find the engine, agree on an API version, be sure that it answers."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from functools import cached_property
from typing import Any

from docker import APIClient
from docker.constants import DEFAULT_DOCKER_API_VERSION
from docker.errors import InvalidConfigFile
from docker.tls import TLSConfig

from bluegreen.engine.containers import Containers
from bluegreen.engine.endpoint import Endpoint, Tls, resolve
from bluegreen.engine.images import Images
from bluegreen.engine.translate import root_cause, translated
from bluegreen.errors import EngineUnreachable, NotFit
from bluegreen.model import EngineFacts
from bluegreen.ports import Line

_START = "start it: sudo systemctl start docker; or name another with DOCKER_HOST"


#: A pull and an import may be silent for so many times as long as any other answer.
_SILENCES = 10


class _Client(APIClient):
    """docker-py waits for ever for what moves an image, also for an engine that hangs."""

    def _set_request_timeout(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        kwargs.setdefault("timeout", self.timeout)
        if kwargs["timeout"] is None:
            kwargs["timeout"] = _SILENCES * self.timeout
        return kwargs


class DockerEngine(Containers, Images):
    """`ports.Engine` on a Docker engine of 20.10 or later."""

    def facts(self) -> EngineFacts:
        """Asked for once: the engine counts all that it has for this, and they do not change."""
        return self._facts

    @cached_property
    def _facts(self) -> EngineFacts:
        info = self.read("tell about itself", self.api.info)
        return EngineFacts(
            id=info.get("ID") or "",
            version=info.get("ServerVersion") or "",
            api=self.api.api_version,
            root_dir=info.get("DockerRootDir") or "",
            local=self.endpoint.local,
            endpoint=self.endpoint.url,
            cli_environment=self.endpoint.cli_environment(),
        )

    def close(self) -> None:
        self.api.close()


def connect(
    timeout: float = 30.0,
    *,
    environ: Mapping[str, str] | None = None,
    warn: Line | None = None,
) -> DockerEngine:
    """The engine that the docker CLI would use here; it has answered once.

    `timeout` is in seconds, for each answer. `warn` gets what the engine says of a container
    that it made otherwise than asked. Raises NotFit for an endpoint that cannot be right
    and EngineUnreachable, at once, where nothing answers.
    """
    endpoint = resolve(os.environ if environ is None else environ)
    _check_socket(endpoint, timeout)
    first = _client(endpoint, DEFAULT_DOCKER_API_VERSION, timeout)
    with closing(first), translated("tell its version", endpoint.url):
        server = first.version(api_version=False)
    api = _client(endpoint, _agreed(server), timeout)
    return DockerEngine(api, endpoint, timeout, warn)


def _client(endpoint: Endpoint, version: str, timeout: float) -> Any:
    with translated("be spoken to", endpoint.url), _readable_logins():
        api = _Client(
            base_url=endpoint.url,
            version=version,
            timeout=timeout,  # type: ignore[arg-type]  # the stubs want an int; requests does not
            tls=_tls(endpoint.tls),
        )
    if endpoint.local:
        api.trust_env = False  # a socket has no proxy, and ~/.netrc is not for it
    return api


@contextmanager
def _readable_logins() -> Iterator[None]:
    """docker-py reads every login of config.json when a client is made."""
    try:
        yield
    except (ValueError, InvalidConfigFile) as error:
        raise NotFit(
            "the registry logins in docker's config.json cannot be read",
            hint="log in again: docker logout, docker login; or mend ~/.docker/config.json",
        ) from error


def _tls(tls: Tls | None) -> Any:
    if tls is None:
        return False
    certificate, key = tls.file("cert.pem"), tls.file("key.pem")
    return TLSConfig(
        client_cert=(certificate, key) if certificate and key else None,
        ca_cert=tls.file("ca.pem"),
        verify=tls.verify,
    )


def _agreed(server: Mapping[str, Any]) -> str:
    """The newest API that both know. docker-py would take the server's own, whatever it is,
    and fields that it and we rely on are gone from newer ones."""
    newest, oldest = server.get("ApiVersion") or "0", server.get("MinAPIVersion") or "0"
    if _numbers(oldest) > _numbers(DEFAULT_DOCKER_API_VERSION):
        raise NotFit(
            f"engine {server.get('Version')} speaks API {oldest} and later;"
            f" bluegreen speaks up to {DEFAULT_DOCKER_API_VERSION}",
            hint="pip install --upgrade bluegreen",
        )
    return min(newest, DEFAULT_DOCKER_API_VERSION, key=_numbers)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _check_socket(endpoint: Endpoint, timeout: float) -> None:
    """The commonest troubles, told as what they are before anything is asked."""
    path = endpoint.socket
    if path is None:
        return
    where = f"{path} ({endpoint.source})"
    try:
        with socket.socket(socket.AF_UNIX) as door:
            door.settimeout(timeout)
            door.connect(str(path))
    except PermissionError as error:
        raise EngineUnreachable(
            f"uid {os.geteuid()} may not use the engine's socket {where}",
            hint="run with sudo, or join its group: sudo usermod -aG docker $USER, log in again",
        ) from error
    except FileNotFoundError as error:
        raise EngineUnreachable(
            f"no engine answers: there is no socket {where}", hint=_START
        ) from error
    except OSError as error:
        raise EngineUnreachable(
            f"no engine answers at {where}: {root_cause(error)}", hint=_START
        ) from error
