"""Rules between keys, told together with the mistakes in single keys."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ModelWrapValidatorHandler, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from bluegreen.settings.units import format_duration

if TYPE_CHECKING:
    from bluegreen.settings.models import Settings

Key = tuple[str, ...]
S = TypeVar("S", bound="Settings")


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A rule that does not hold: the key to correct, and the other keys that the rule looks at."""

    key: Key
    value: object
    allowed: str
    beside: tuple[Key, ...] = ()


def apply(data: Any, handler: ModelWrapValidatorHandler[S]) -> S:
    """Validate `data`. One ValidationError names what is wrong in keys and between them."""
    try:
        settings = handler(data)
    except ValidationError as error:
        wrong = {_key(mistake["loc"]) for mistake in error.errors()}
        try:
            rest = handler(_without(data, wrong))
        except ValidationError:
            raise error from None
        found = [broken for broken in between(rest) if not wrong & {broken.key, *broken.beside}]
        raise _error([*_as_details(error), *map(_detail, found)]) from None
    if found := list(between(settings)):
        raise _error(map(_detail, found))
    return settings


def between(settings: Settings) -> Iterator[Broken]:
    """Every rule between valid keys that does not hold."""
    yield from _hosts(settings)
    yield from _gate(settings)
    yield from _freshness(settings)
    yield from _tls(settings)
    yield from _listen(settings)
    yield from _container(settings)


def _hosts(settings: Settings) -> Iterator[Broken]:
    if twice := _twice(settings.hosts):
        yield Broken(key=("hosts",), value=twice, allowed="each hostname once")


def _gate(settings: Settings) -> Iterator[Broken]:
    gate, hosts = settings.gate, settings.hosts
    if hosts and gate.host and not any(_answers(host, gate.host) for host in hosts):
        yield Broken(
            key=("gate", "host"),
            value=gate.host,
            allowed=f"a hostname that hosts routes to this site ({', '.join(hosts)})",
            beside=(("hosts",),),
        )
    if hosts and hosts[0].startswith("*") and not gate.host:
        yield Broken(
            key=("gate", "host"),
            value="",
            allowed=f"one hostname to probe, since the first of hosts is {hosts[0]}",
            beside=(("hosts",),),
        )
    if (gate.passes - 1) * gate.interval >= gate.timeout:
        yield Broken(
            key=("gate", "timeout"),
            value=format_duration(gate.timeout),
            allowed=f"more than {gate.passes} passes, {format_duration(gate.interval)} apart, take",
            beside=(("gate", "passes"), ("gate", "interval")),
        )


def _freshness(settings: Settings) -> Iterator[Broken]:
    freshness, key = settings.freshness, ("freshness", "rewritten")
    if freshness.rewritten and not freshness.web_root:
        yield Broken(
            key=key,
            value=list(freshness.rewritten),
            allowed="nothing without freshness.web_root: no file is compared then",
            beside=(("freshness", "web_root"),),
        )
    if twice := _twice(freshness.rewritten):
        yield Broken(key=key, value=twice, allowed="each file once")
    if twice := _twice(freshness.optional):
        yield Broken(key=("freshness", "optional"), value=twice, allowed="each file once")


def _tls(settings: Settings) -> Iterator[Broken]:
    edge, hosts = settings.edge, settings.hosts
    tls, files = ("edge", "tls"), ("edge", "certificates")
    if edge.tls == "acme" and not hosts:
        yield Broken(
            key=("hosts",),
            value=[],
            allowed='at least one hostname, since edge.tls = "acme" gets certificates for names',
            beside=(tls,),
        )
    wildcards = [host for host in hosts if host.startswith("*")]
    if edge.tls == "acme" and wildcards:
        yield Broken(
            key=("hosts",),
            value=wildcards,
            allowed='names without * where edge.tls = "acme": a wildcard needs a DNS challenge,'
            ' or tls = "files"',
            beside=(tls,),
        )
    if edge.tls == "files" and not edge.certificates:
        yield Broken(
            key=files,
            value=[],
            allowed='at least one "cert=PATH,key=PATH", since edge.tls = "files"',
            beside=(tls,),
        )
    if edge.tls != "files" and edge.certificates:
        yield Broken(
            key=tls,
            value=edge.tls,
            allowed='"files" where edge.certificates are given',
            beside=(files,),
        )


def _listen(settings: Settings) -> Iterator[Broken]:
    edge = settings.edge
    key, tls = ("edge", "listen"), ("edge", "tls")
    shown = [str(entry) for entry in edge.listen]
    secure = [str(entry) for entry in edge.listen if entry.scheme == "https"]
    if edge.tls == "off" and secure:
        yield Broken(
            key=key, value=secure, allowed='http only, since edge.tls = "off"', beside=(tls,)
        )
    if edge.tls != "off" and not secure:
        yield Broken(
            key=key,
            value=shown,
            allowed=f'at least one https address, such as ":443", since edge.tls = "{edge.tls}"',
            beside=(tls,),
        )
    everywhere = {entry.port for entry in edge.listen if entry.host_ip in ("", "::")}
    ports = Counter(entry.port for entry in edge.listen)
    if _twice((entry.host_ip, entry.port) for entry in edge.listen) or any(
        ports[port] > 1 for port in everywhere
    ):
        yield Broken(key=key, value=shown, allowed="each port once an address")


def _container(settings: Settings) -> Iterator[Broken]:
    container = settings.container
    where = [mount.target for mount in container.mounts]
    where += [entry.partition(":")[0] for entry in container.tmpfs]
    if twice := _twice(path.rstrip("/") for path in where):
        yield Broken(
            key=("container", "mounts"),
            value=twice,
            allowed="one mount or tmpfs a path",
            beside=(("container", "tmpfs"),),
        )
    for key, ids in (
        (("container", "secrets"), [secret.id for secret in container.secrets]),
        (("build", "secrets"), [secret.id for secret in settings.build.secrets]),
    ):
        if twice := _twice(ids):
            yield Broken(key=key, value=twice, allowed="each id once")
    if twice := _twice([*container.networks, settings.edge.name]):
        yield Broken(
            key=("container", "networks"),
            value=twice,
            allowed=f"each network once, without the edge's own ({settings.edge.name}), which is"
            " always joined",
            beside=(("edge", "name"),),
        )


def _answers(pattern: str, host: str) -> bool:
    """Whether the edge routes `host` by `pattern`, whose * stands for one label."""
    if pattern.startswith("*."):
        return host.partition(".")[2] == pattern[2:]
    return host == pattern


def _twice(values: Iterable[object]) -> list[object]:
    return [value for value, count in Counter(values).items() if count > 1]


# --- pydantic's errors ------------------------------------------------------


def _key(location: tuple[int | str, ...]) -> Key:
    """`container.mounts[1]` is the key `container.mounts`."""
    return tuple(str(part) for part in location[:2] if isinstance(part, str))


def _without(data: Mapping[str, Any], wrong: set[Key]) -> dict[str, Any]:
    """The rest of the configuration, with defaults in place of what is wrong."""
    rest = {"site": "placeholder"} | {key: data[key] for key in data if (key,) not in wrong}
    for key, value in rest.items():
        if isinstance(value, Mapping):
            rest[key] = {name: value[name] for name in value if (key, name) not in wrong}
    return rest


def _as_details(error: ValidationError) -> list[InitErrorDetails]:
    return [
        InitErrorDetails(
            type=mistake["type"],
            loc=mistake["loc"],
            input=mistake["input"],
            ctx=mistake.get("ctx", {}),
        )
        for mistake in error.errors()
    ]


def _detail(broken: Broken) -> InitErrorDetails:
    kind = PydanticCustomError("rule", "{allowed}", {"allowed": broken.allowed})
    return InitErrorDetails(type=kind, loc=broken.key, input=broken.value)


def _error(details: Iterable[InitErrorDetails]) -> ValidationError:
    return ValidationError.from_exception_data("Settings", list(details), hide_input=True)
