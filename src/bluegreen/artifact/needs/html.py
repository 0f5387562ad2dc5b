"""A page's scripts, links and base, by an HTML5 parser that is held to its time.

The parser's time grows with the square of some inputs (deep nesting, many attributes), and
nothing can stop it from within: a page that is large enough for that to hurt is parsed by a
process of its own, which is ended.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from selectolax.lexbor import LexborHTMLParser

#: Bytes up to which no page takes the parser longer than a second or so (measured).
_HARMLESS = 32 << 10
_TIMEOUT = 10.0  # seconds for any other page
_MEMORY = 2 << 30  # bytes of address space of that process
_MOST_ELEMENTS = 20_000
_LONGEST_TEXT = 1 << 20
_CHILD = (
    "import sys; sys.path.insert(0, sys.argv[1])"
    "; from bluegreen.artifact.needs import html; html.serve()"
)


class Element(NamedTuple):
    tag: str  # base, script, link
    attributes: dict[str, str]
    text: str  # of an inline script
    counts: bool  # False inside <noscript>: browsers with scripts take no notice


def elements(html: bytes) -> tuple[Element, ...] | None:
    """In the page's order; None where the page cannot be parsed within bounds."""
    if len(html) <= _HARMLESS:
        return _parse(html)
    try:
        child = subprocess.run(
            [sys.executable, "-P", "-c", _CHILD, str(Path(__file__).parents[3])],
            input=html,
            capture_output=True,
            timeout=_TIMEOUT,
            check=True,
        )
        return tuple(Element(*found) for found in json.loads(child.stdout))
    except (subprocess.SubprocessError, ValueError):
        return None


def serve() -> None:
    """The other process: a page on stdin, its elements on stdout."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    json.dump(_parse(sys.stdin.buffer.read()), sys.stdout)


def _parse(html: bytes) -> tuple[Element, ...]:
    page = LexborHTMLParser(html.decode("utf-8", errors="replace"))
    found: list[Element] = []
    for node in page.css("base, script, link")[:_MOST_ELEMENTS]:
        attributes = {name: value or "" for name, value in node.attributes.items()}
        text = ""
        if node.tag == "script" and "src" not in attributes:
            text = node.text(deep=True)[:_LONGEST_TEXT]
        counts = node.parent is None or node.parent.tag != "noscript"
        found.append(Element(str(node.tag), attributes, text, counts))
    return tuple(found)
