"""Addresses as a browser resolves them, of this site alone."""

from __future__ import annotations

import re
from urllib.parse import unquote, urljoin, urlsplit

#: Where a page without a host of its own is thought to be.
HERE = "http://page.invalid"
_HOST = "page.invalid"
_REMOVED = re.compile("[\t\n\r]")  # by every browser (WHATWG URL, 4.4)


def resolved(name: str, base: str, hosts: frozenset[str]) -> str | None:
    """The path of `name`, percent-encoded as it stands, seen from the address `base`.

    None for another host's address, for data:, blob: and the like, and for what is none.
    """
    try:
        address = urlsplit(urljoin(base, _REMOVED.sub("", name.strip())))
        host = address.hostname
    except ValueError:
        return None
    if address.scheme not in ("http", "https") or (host != _HOST and host not in hosts):
        return None
    return address.path or "/"


def at(path: str) -> str:
    """The whole address of a path of this site, as a base for others."""
    return HERE + path


def file_of(url: str) -> str:
    """The manifest's path of a URL path: `/a%20b.js` → `a b.js`, a folder's is its index."""
    path = unquote(url).lstrip("/")
    return path + "index.html" if not path or path.endswith("/") else path


def is_bare(specifier: str) -> bool:
    """A module's name that only an import map can make an address of."""
    return not specifier.startswith(("/", "./", "../")) and ":" not in specifier.partition("/")[0]
