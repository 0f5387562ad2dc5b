"""What a page itself names, before any of it is fetched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urljoin

from bluegreen.artifact import media_types
from bluegreen.artifact.needs import html, importmap
from bluegreen.artifact.needs.address import HERE, at, resolved
from bluegreen.artifact.needs.importmap import ImportMap
from bluegreen.artifact.needs.named import Named
from bluegreen.artifact.needs.script import of_script


class Role(StrEnum):
    """How a file is used, which decides what is looked for in it."""

    MODULE = "module"
    SCRIPT = "script"
    STYLE = "style"
    WEB_MANIFEST = "web manifest"
    OTHER = "other"


_SCRIPT_TYPES = frozenset({"", "module", *media_types.JAVASCRIPT})
_ICONS = frozenset(("icon", "apple-touch-icon", "apple-touch-icon-precomposed", "mask-icon"))
_PRELOADED = {"script": Role.SCRIPT, "style": Role.STYLE}


@dataclass(frozen=True, slots=True)
class Link:
    url: str
    role: Role
    fixed: bool = True  # the same wherever the page itself is served


@dataclass(frozen=True, slots=True)
class Page:
    base: str  # the address that relative names start from
    links: tuple[Link, ...] = ()
    imports: ImportMap = field(default_factory=ImportMap)
    inline: tuple[Named, ...] = ()  # what its inline scripts import
    readable: bool = True  # else it could not be parsed within bounds


def read(source: bytes, url: str, hosts: frozenset[str] = frozenset()) -> Page:
    """The page served at the path `url`; `hosts`: names under which the site is itself."""
    elements = html.elements(source)
    if elements is None:
        return Page(at(url), readable=False)
    base = _base(elements, url)
    links: dict[str, Link] = {}
    for link in _links(elements, base, hosts):
        if link.url not in links or link.role is Role.MODULE:  # a module says the most
            links[link.url] = link
    maps = [one.text for one in elements if _type(one) == "importmap" and one.text]
    inline = [named for one in elements for named in _inline(one)]
    return Page(base, tuple(links.values()), importmap.read(maps, base), tuple(inline))


def _base(elements: tuple[html.Element, ...], url: str) -> str:
    for one in elements:
        if one.tag == "base" and "href" in one.attributes:
            try:
                return urljoin(at(url), one.attributes["href"].strip())
            except ValueError:
                break
    return at(url)


def _links(elements: tuple[html.Element, ...], base: str, hosts: frozenset[str]) -> Iterator[Link]:
    elsewhere = urljoin(HERE + "/another/folder/page", ".")
    based = any(one.tag == "base" and "href" in one.attributes for one in elements)
    for one in elements:
        name, role = _named(one)
        if not name or not one.counts:
            continue
        url = resolved(name, base, hosts)
        if url is not None:
            fixed = based or resolved(name, elsewhere, hosts) == url
            yield Link(url, role, fixed)


def _named(one: html.Element) -> tuple[str, Role]:
    """The name in an element, and how it is used."""
    attributes = one.attributes
    if one.tag == "script" and _type(one) in _SCRIPT_TYPES:
        role = Role.MODULE if _type(one) == "module" else Role.SCRIPT
        return attributes.get("src", ""), role
    href = attributes.get("href", "")
    if one.tag != "link" or not href:
        return "", Role.OTHER
    rels = set(attributes.get("rel", "").lower().split())
    if "alternate" in rels:
        return "", Role.OTHER
    if "stylesheet" in rels:
        return href, Role.STYLE
    if "modulepreload" in rels:
        return href, Role.MODULE
    if "preload" in rels:
        return href, _PRELOADED.get(attributes.get("as", "").lower(), Role.OTHER)
    if "manifest" in rels:
        return href, Role.WEB_MANIFEST
    return (href if rels & _ICONS else ""), Role.OTHER


def _type(one: html.Element) -> str:
    if one.tag != "script":
        return ""
    return one.attributes.get("type", "").partition(";")[0].strip().lower()


def _inline(one: html.Element) -> tuple[Named, ...]:
    if one.tag != "script" or not one.text or _type(one) not in _SCRIPT_TYPES:
        return ()
    found = of_script(one.text.encode(errors="replace"))
    is_module = _type(one) == "module"
    return tuple(named for named in found if is_module or named.kind == "import()")
