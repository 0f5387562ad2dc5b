"""Every exception of docker, requests and urllib3, in our words.

`str(APIError)` holds the whole URL; so do the messages of requests. Nothing here ever takes
more of them than the engine's explanation and the operating system's reason, and the cause is
cut off, for a traceback would print it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from docker.credentials.errors import StoreError
from docker.errors import APIError, DockerException, StreamParseError
from requests.exceptions import RequestException, Timeout
from urllib3.exceptions import HTTPError
from urllib3.exceptions import TimeoutError as StreamTimeout

from bluegreen.errors import EngineError, EngineUnreachable

_AWAY = frozenset({502, 503, 504})

_HINTS = (
    (r"no such image|image not found", "build or pull it, or name one that exists: docker images"),
    (r"port is already allocated|address already in use", "see who holds it: ss -ltnp"),
    (r"unable to find user|no matching entries in passwd", "set container.user to a user it has"),
    (r"executable file not found|no such file or directory: unknown", "check container.command"),
    (r"network .* not found|no such network", "make it: docker network create NAME"),
    (r"no space left on device", "free space: bluegreen prune, docker system df"),
    (r"permission denied", "check the rights of what it names"),
)


@contextmanager
def translated(act: str, endpoint: str) -> Iterator[None]:
    """Raises EngineUnreachable where no answer came, EngineError where a refusal did.

    `act` completes "the engine could not …".
    """
    try:
        yield
    # An APIError is a RequestException and an OSError too: it has to come first.
    except APIError as error:
        raise refused(act, error.status_code or 0, _explanation(error), endpoint) from None
    except StreamParseError:
        raise unreachable(act, endpoint, "its answer was cut off") from None
    except (DockerException, StoreError) as error:
        raise EngineError(f"the engine could not {act}: {error}") from None
    except (RequestException, HTTPError, OSError) as error:
        raise unreachable(act, endpoint, root_cause(error)) from None


def refused(act: str, status: int, explanation: str, endpoint: str) -> EngineError:
    message = f"the engine could not {act}: {explanation or f'status {status}'}"
    if "no space left on device" in explanation:
        status = EngineError.FULL  # the engine itself says 500
    if status in _AWAY:
        return EngineUnreachable(message, hint=_start_hint(endpoint), status=status)
    return EngineError(message, hint=_hint(explanation), status=status)


def unreachable(act: str, endpoint: str, reason: str) -> EngineUnreachable:
    return EngineUnreachable(
        f"the engine at {endpoint} gave no answer when asked to {act}: {reason}",
        hint=_start_hint(endpoint),
    )


def _hint(explanation: str) -> str:
    for pattern, hint in _HINTS:
        if re.search(pattern, explanation, re.IGNORECASE):
            return hint
    return ""


def root_cause(error: BaseException) -> str:
    """The operating system's own words from the depth of the chain, never a URL."""
    for cause in _chain(error):
        if isinstance(cause, Timeout | StreamTimeout | TimeoutError):
            return "it took too long"
        if isinstance(cause, OSError) and cause.strerror and cause.errno:
            return cause.strerror.lower()
    return "the connection broke"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, what it wraps (requests and urllib3 keep that in `args` and `reason`), why."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        item = waiting.pop(0)
        if not isinstance(item, BaseException) or id(item) in seen:
            continue
        seen.add(id(item))
        yield item
        waiting += [*item.args, getattr(item, "reason", None), item.__cause__, item.__context__]


def _explanation(error: APIError) -> str:
    return " ".join(str(error.explanation or "").split())


def _start_hint(endpoint: str) -> str:
    if endpoint.startswith("unix://"):
        return "see systemctl status docker; start it: sudo systemctl start docker"
    return f"see whether it answers: DOCKER_HOST={endpoint} docker version"
