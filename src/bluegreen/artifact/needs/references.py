"""What a page needs before it works: the local files that its HTML names."""

from __future__ import annotations

from bluegreen.artifact.needs import page


def of_page(html: bytes, page_url: str, hosts: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """The paths, as a request line has them, that `html` served at `page_url` names.

    Scripts, stylesheets, preloads, icons and the web app manifest, `<base>` honoured, in the
    page's order, each once.
    Addresses of other hosts are left out; those of the site's own `hosts` are local.
    """
    found = page.read(html, page_url, hosts)
    return tuple(link.url for link in found.links)
