"""Checks of single values, and the types that they make.

A check's ValueError says what is allowed; `problems` puts the key and the value before it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from bluegreen.artifact.asset_paths import check_pattern
from bluegreen.model import LABEL
from bluegreen.settings.values import Duration, Size, read_hostname


@dataclass(frozen=True, slots=True)
class Unsplit:
    """Marks a list whose environment variable is taken as one text, not split at commas."""


def _matching(pattern: str, form: str) -> AfterValidator:
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if compiled.fullmatch(value) is None:
            raise ValueError(form)
        return value

    return AfterValidator(check)


def _site_name(value: str) -> str:
    if re.fullmatch(r"[a-z][a-z0-9-]{0,30}", value) is None:
        raise ValueError("a to z, 0 to 9 and -, a letter first, at most 31 characters")
    return value


def _positive(seconds: float) -> float:
    if seconds <= 0:
        raise ValueError('a duration above zero, such as "30s"')
    return seconds


def _memory(size: int) -> int:
    if size and size < 6 << 20:
        raise ValueError('0 for no limit, or at least "6m", which is the least that Docker takes')
    return size


def _some(size: int) -> int:
    if not size:
        raise ValueError('a size above zero, such as "2g"')
    return size


def _host_header(value: str) -> str:
    if "*" in value:
        raise ValueError('one hostname without *, such as "www.example.com"')
    return read_hostname(value) if value else ""


def _builder(value: object) -> object:
    if value == "classic":
        raise ValueError(
            '"auto" or "buildx", which mean the same: the classic builder is gone, and docker'
            " buildx is needed"
        )
    return value


def _restart(value: object) -> object:
    if value == "always":
        raise ValueError(
            '"no", "on-failure" or "unless-stopped"; with "always" a container that was stopped'
            " comes back when Docker restarts, and an old release may take the address of live"
        )
    return value


def _variable_names(values: Mapping[str, str]) -> Mapping[str, str]:
    if any(not name or "=" in name or "\0" in name for name in values):
        raise ValueError("names that are not empty and hold no =")
    return values


def _own_labels(values: Mapping[str, str]) -> Mapping[str, str]:
    if any(name == LABEL or name.startswith(f"{LABEL}.") for name in values):
        raise ValueError(f"labels outside {LABEL}, which bluegreen keeps for itself")
    return values


def _network(value: str) -> str:
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError as error:
        raise ValueError('an address or a range, such as "10.0.0.0/8"') from error
    return value


def _host_address(values: Mapping[str, str]) -> Mapping[str, str]:
    for address in values.values():
        if address != "host-gateway":
            try:
                ipaddress.ip_address(address)
            except ValueError as error:
                raise ValueError('a table of name = "IP address" or "host-gateway"') from error
    return values


def _ulimits(values: Mapping[str, str]) -> Mapping[str, str]:
    if any(re.fullmatch(r"-1|[0-9]+(:(-1|[0-9]+))?", limit) is None for limit in values.values()):
        raise ValueError('a table such as { nofile = "1024:2048" } or { nproc = 512 }')
    return values


def _check_command(value: object) -> object:
    """A text is a shell command, as in Compose; a list names its form first, as in Docker."""
    if isinstance(value, str):
        return ("CMD-SHELL", value) if value else ()
    if isinstance(value, list | tuple) and value and value[0] not in ("CMD", "CMD-SHELL", "NONE"):
        raise ValueError('a shell command as text, or a list that begins with "CMD" or "CMD-SHELL"')
    return value


SiteName = Annotated[str, AfterValidator(_site_name)]
HostHeader = Annotated[str, AfterValidator(_host_header)]
UrlPath = Annotated[str, _matching(r"/[^\s#]*", 'a path that begins with "/"')]
OptionalUrlPath = Annotated[str, _matching(r"|/[^\s#]*", 'a path that begins with "/", or nothing')]
#: Of the URL paths that are immutable files.
AssetPattern = Annotated[str, AfterValidator(check_pattern)]
AbsolutePath = Annotated[str, _matching(r"(/.*)?", 'an absolute path, such as "/srv/www"')]
RelativePath = Annotated[
    str, _matching(r"(?!/)(?!(.*/)?\.\.(/|$)).+", 'a path below web_root, such as "index.html"')
]
Email = Annotated[str, _matching(r"|[^@\s]+@[^@\s]+", "an e-mail address")]
NetworkRange = Annotated[str, AfterValidator(_network)]

#: Seconds above zero.
PositiveDuration = Annotated[Duration, AfterValidator(_positive)]
Port = Annotated[int, Field(ge=1, le=65535)]
Status = Annotated[int, Field(ge=100, le=599)]
#: Bytes; 0 = no limit.
Memory = Annotated[Size, AfterValidator(_memory), BeforeValidator(lambda value: value or 0)]
PositiveSize = Annotated[Size, AfterValidator(_some)]
LogSize = Annotated[
    str, _matching(r"[1-9][0-9]*[kmg]?", 'a size for Docker\'s log driver, such as "10m"')
]

ContainerName = Annotated[
    str,
    _matching(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}", "letters, digits, _ . and -, at most 63 long"),
]
Signal = Annotated[
    str, _matching(r"|(SIG)?[A-Z]+[0-9+-]*|[0-9]{1,2}", 'a signal, such as "SIGTERM"')
]
Capability = Annotated[
    str, _matching(r"[A-Za-z_]+", 'a capability, such as "NET_BIND_SERVICE" or "ALL"')
]
Tmpfs = Annotated[
    str, _matching(r"/[^:]*(:.+)?", 'an absolute path, such as "/tmp" or "/tmp:size=16m"')
]
Builder = Annotated[Literal["auto", "buildx"], BeforeValidator(_builder)]
RestartPolicy = Annotated[Literal["no", "on-failure", "unless-stopped"], BeforeValidator(_restart)]
CheckCommand = Annotated[tuple[str, ...], Unsplit(), BeforeValidator(_check_command)]

VariableTable = Annotated[Mapping[str, str], AfterValidator(_variable_names)]
LabelTable = Annotated[Mapping[str, str], AfterValidator(_own_labels)]
UlimitTable = Annotated[Mapping[str, str], AfterValidator(_ulimits)]
HostTable = Annotated[Mapping[str, str], AfterValidator(_host_address)]
