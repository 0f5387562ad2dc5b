"""Opening a tar stream of a path in a container.

docker-py's own `get_archive` switches the socket's timeout off for it: an engine that
hangs in mid-stream would hold a release for ever.
"""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote

from docker.errors import create_api_error_from_http_exception
from requests.exceptions import ConnectionError as BrokenConnection
from requests.exceptions import HTTPError

_MOST_LINKS = 40  # as many as Linux follows (path_resolution(7))
_STAT = "X-Docker-Container-Path-Stat"


def opened(api: Any, identity: str, path: str, timeout: float) -> Any:
    """The response whose content is the tar of what `path` leads to, links followed.

    The engine packs a link as the link that it is, with nothing behind it.
    """
    for _ in range(_MOST_LINKS):
        response = _get(api, identity, path, timeout)
        target = _link_target(response.headers[_STAT])
        if not target or target == path:
            break
        response.close()
        path = target
    return response


def _get(api: Any, identity: str, path: str, timeout: float) -> Any:
    url = f"{api.base_url}/v{api.api_version}/containers/{quote(identity)}/archive"
    response = api.get(
        url,
        params={"path": path},
        headers={"Accept-Encoding": "identity"},
        stream=True,
        timeout=timeout,
    )
    try:
        response.raise_for_status()
    except HTTPError as error:
        raise create_api_error_from_http_exception(error) from error
    if _STAT not in response.headers:
        # It broke off in its head: what seems to be an empty body is none.
        response.close()
        raise BrokenConnection("the answer broke off")
    return response


def _link_target(header: str) -> str:
    """The engine resolves it inside the container's own root."""
    if not header:
        return ""
    stat: dict[str, Any] = json.loads(base64.b64decode(header))
    return str(stat.get("linkTarget") or "")
