"""What a page needs before it works: the local files that its HTML names."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

#: `rel` values of a link whose target the browser fetches to show the page.
_NEEDED_RELS = frozenset({"stylesheet", "modulepreload", "preload"})
_PAGE = "http://page.invalid"


def _is_needed(rel: str) -> bool:
    return bool(_NEEDED_RELS & set(rel.lower().split()))


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.base = ""
        self.named: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "base" and not self.base:
            self.base = values.get("href", "")
        elif tag == "script" and values.get("src"):
            self.named.append(values["src"])
        elif tag == "link" and values.get("href") and _is_needed(values.get("rel", "")):
            self.named.append(values["href"])


def of_page(html: bytes, page_url: str, hosts: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """The paths, as a request line has them, that `html` served at `page_url` names.

    Scripts, stylesheets and preloads, `<base>` honoured, in the page's order, each once.
    Addresses of other hosts are left out; those of the site's own `hosts` are local.
    """
    page = _Page()
    page.feed(html.decode("utf-8", errors="replace"))
    page.close()
    base = urljoin(_PAGE + page_url, page.base) if page.base else _PAGE + page_url
    local = hosts | {urlsplit(_PAGE).hostname or ""}
    found: dict[str, None] = {}
    for name in page.named:
        try:
            address = urlsplit(urljoin(base, name.strip()))
        except ValueError:
            continue  # not an address that any browser would fetch
        if address.scheme in ("http", "https") and address.hostname in local:
            found[address.path or "/"] = None
    return tuple(found)
