"""Values that are written as one text: mounts, secrets, listeners, hostnames.

Each has a reader, whose ValueError says what is allowed, and a writer that gives the text
back, so that settings are stored the way people write them.
"""

from __future__ import annotations

import csv
import io
import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, PlainSerializer, PlainValidator, WithJsonSchema

from bluegreen.model import MountPlan
from bluegreen.settings.units import format_duration, parse_duration, parse_size

Scheme = Literal["http", "https"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildSecret:
    """A secret of the build: from a variable of bluegreen's environment, or from a file."""

    id: str
    env: str = ""
    src: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretFile:
    """A file of the host that the container reads as /run/secrets/<id>."""

    id: str
    src: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    cert: Path
    key: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen:
    """Where the edge listens on the host."""

    host_ip: str  # "" = every address; IPv6 without brackets
    port: int
    scheme: Scheme = "http"
    #: Written by the operator, not derived from `edge.tls`.
    scheme_given: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        host = f"[{self.host_ip}]" if ":" in self.host_ip else self.host_ip
        return f"{self.scheme}://{host}:{self.port}"


# --- readers ----------------------------------------------------------------

_LABEL = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
_HOSTNAME = re.compile(rf"(\*\.)?{_LABEL}(\.{_LABEL})*")
HOSTNAME_FORM = (
    'a hostname such as "www.example.com" or "*.example.com", without scheme, port or path'
    " (other alphabets in their xn-- form)"
)

BUILD_SECRET_FORM = 'a secret such as "id=npm,env=NPM_TOKEN" or "id=npm,src=PATH"'
SECRET_FILE_FORM = 'a secret file such as "id=token,src=PATH"'
CERTIFICATE_FORM = 'a certificate and its key, such as "cert=PATH,key=PATH"'
MOUNT_FORM = (
    'a mount such as "type=volume,source=data,target=/data,readonly"; type is bind, volume or'
    " tmpfs, target an absolute path"
)
LISTEN_FORM = (
    'an address to listen on, such as ":80", "127.0.0.1:8080", "[::1]:8080" or "https://:8443"'
)

_SECRET_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def read_hostname(value: str) -> str:
    name = value.lower()
    if len(name) > 253 or _HOSTNAME.fullmatch(name) is None:
        raise ValueError(HOSTNAME_FORM)
    return name


def read_build_secret(value: object) -> BuildSecret:
    if isinstance(value, BuildSecret):
        return value
    parts = _pairs(value, {"id", "env", "src"}, BUILD_SECRET_FORM)
    secret = BuildSecret(id=parts.get("id", ""), env=parts.get("env", ""), src=_path(parts, "src"))
    one_origin = bool(secret.env) is not bool(secret.src)
    if not _SECRET_ID.fullmatch(secret.id) or not one_origin:
        raise ValueError(BUILD_SECRET_FORM)
    if secret.env and not _VARIABLE.fullmatch(secret.env):
        raise ValueError(BUILD_SECRET_FORM)
    return secret


def write_build_secret(secret: BuildSecret) -> str:
    origin = f"env={secret.env}" if secret.env else f"src={secret.src}"
    return _joined([f"id={secret.id}", origin])


def read_secret_file(value: object) -> SecretFile:
    if isinstance(value, SecretFile):
        return value
    parts = _pairs(value, {"id", "src"}, SECRET_FILE_FORM)
    src = _path(parts, "src")
    if not _SECRET_ID.fullmatch(parts.get("id", "")) or src is None:
        raise ValueError(SECRET_FILE_FORM)
    return SecretFile(id=parts["id"], src=src)


def write_secret_file(secret: SecretFile) -> str:
    return _joined([f"id={secret.id}", f"src={secret.src}"])


def read_certificate(value: object) -> Certificate:
    if isinstance(value, Certificate):
        return value
    parts = _pairs(value, {"cert", "key"}, CERTIFICATE_FORM)
    cert, key = _path(parts, "cert"), _path(parts, "key")
    if cert is None or key is None:
        raise ValueError(CERTIFICATE_FORM)
    return Certificate(cert=cert, key=key)


def write_certificate(certificate: Certificate) -> str:
    return _joined([f"cert={certificate.cert}", f"key={certificate.key}"])


#: The short names are those of `docker run --mount`.
_MOUNT_KEYS = {
    "type": "type",
    "source": "source",
    "src": "source",
    "target": "target",
    "dst": "target",
    "destination": "target",
    "readonly": "readonly",
    "ro": "readonly",
}


def read_mount(value: object) -> MountPlan:
    if isinstance(value, MountPlan):
        return value
    given = _pairs(value, set(_MOUNT_KEYS), MOUNT_FORM, flags={"readonly", "ro"})
    parts = {_MOUNT_KEYS[key]: text for key, text in given.items()}
    kind, source, target = (parts.get(key, "") for key in ("type", "source", "target"))
    if kind not in ("bind", "volume", "tmpfs") or not target.startswith("/"):
        raise ValueError(MOUNT_FORM)
    if kind == "tmpfs" and source:
        raise ValueError(f"{MOUNT_FORM}; a tmpfs has no source")
    if kind == "bind" and not source:
        raise ValueError(f"{MOUNT_FORM}; a bind mount needs its source")
    read_only = parts.get("readonly", "false")
    if read_only not in ("true", "false", "1", "0"):
        raise ValueError(f"{MOUNT_FORM}; readonly is true or false")
    return MountPlan(type=kind, source=source, target=target, read_only=read_only in ("true", "1"))


def write_mount(mount: MountPlan) -> str:
    parts = [f"type={mount.type}"]
    parts += [f"source={mount.source}"] if mount.source else []
    parts += [f"target={mount.target}"]
    parts += ["readonly"] if mount.read_only else []
    return _joined(parts)


_LISTEN = re.compile(
    r"(?:(?P<scheme>https?)://)?(?:\[(?P<v6>[0-9a-fA-F:.]+)\]|(?P<v4>[0-9.]+))?:(?P<port>[0-9]+)"
)


def read_listen(value: object) -> Listen:
    """The scheme is "http" where none was written; `with_scheme` derives it from `edge.tls`."""
    if isinstance(value, Listen):
        return value
    match = _LISTEN.fullmatch(value) if isinstance(value, str) else None
    if match is None or not 1 <= int(match["port"]) <= 65535:
        raise ValueError(LISTEN_FORM)
    try:
        if match["v6"]:
            host = str(ipaddress.IPv6Address(match["v6"]))
        else:
            host = str(ipaddress.IPv4Address(match["v4"])) if match["v4"] else ""
    except ValueError as error:
        raise ValueError(LISTEN_FORM) from error
    return Listen(
        host_ip=host,
        port=int(match["port"]),
        scheme="https" if match["scheme"] == "https" else "http",
        scheme_given=match["scheme"] is not None,
    )


def with_scheme(listen: Listen, tls: str) -> Listen:
    """With TLS, port 80 stays plain (redirects and challenges) and every other port is HTTPS."""
    if listen.scheme_given:
        return listen
    scheme: Scheme = "http" if tls == "off" or listen.port == 80 else "https"
    return Listen(host_ip=listen.host_ip, port=listen.port, scheme=scheme)


def write_listen(listen: Listen) -> str:
    text = str(listen)
    return text if listen.scheme_given else text.partition("://")[2]


def _pairs(
    value: object, keys: set[str], form: str, flags: frozenset[str] | set[str] = frozenset()
) -> dict[str, str]:
    """ "a=1,b=2" → {"a": "1", "b": "2"}; a value with a comma stands in quotes, as in CSV."""
    if not isinstance(value, str) or not value:
        raise ValueError(form)
    try:
        parts = next(csv.reader([value], skipinitialspace=True))
    except csv.Error as error:
        raise ValueError(form) from error
    pairs: dict[str, str] = {}
    for part in parts:
        key, equals, text = part.partition("=")
        if not equals and key in flags:
            text = "true"
        elif not equals or not text:
            raise ValueError(form)
        if key not in keys:
            raise ValueError(f"{form}; {key!r} is not known here")
        if key in pairs:
            raise ValueError(f"{form}; {key!r} is given twice")
        pairs[key] = text
    return pairs


def _joined(parts: Sequence[str]) -> str:
    row = io.StringIO()
    csv.writer(row, lineterminator="").writerow(parts)
    return row.getvalue()


def _path(parts: dict[str, str], key: str) -> Path | None:
    return Path(parts[key]) if key in parts else None


# --- the same as pydantic types ---------------------------------------------

_TEXT = WithJsonSchema({"type": "string"})

Hostname = Annotated[str, AfterValidator(read_hostname)]
#: Seconds; stored as text, so that what is stored says its unit.
Duration = Annotated[
    float,
    PlainValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str, when_used="json"),
    _TEXT,
]
Size = Annotated[int, PlainValidator(parse_size), WithJsonSchema({"type": ["string", "integer"]})]
BuildSecretText = Annotated[
    BuildSecret,
    PlainValidator(read_build_secret),
    PlainSerializer(write_build_secret, return_type=str, when_used="json"),
    _TEXT,
]
SecretFileText = Annotated[
    SecretFile,
    PlainValidator(read_secret_file),
    PlainSerializer(write_secret_file, return_type=str, when_used="json"),
    _TEXT,
]
CertificateText = Annotated[
    Certificate,
    PlainValidator(read_certificate),
    PlainSerializer(write_certificate, return_type=str, when_used="json"),
    _TEXT,
]
MountText = Annotated[
    MountPlan,
    PlainValidator(read_mount),
    PlainSerializer(write_mount, return_type=str, when_used="json"),
    _TEXT,
]
ListenText = Annotated[
    Listen,
    PlainValidator(read_listen),
    PlainSerializer(write_listen, return_type=str, when_used="json"),
    _TEXT,
]
