"""What a stylesheet names: `@import` and `url()`, in time linear in its size."""

from __future__ import annotations

import re

from bluegreen.artifact.needs.named import Kind, Named, text_of

# Possessive, for a group that may go back takes 30 bytes of memory for each of text. Each has one
# way to match: Python before 3.11.5 matches others wrongly (gh-106052).
_STRING = rb"""(?:"[^"\\\n]*+(?:\\[\s\S][^"\\\n]*+)*+"?|'[^'\\\n]*+(?:\\[\s\S][^'\\\n]*+)*+'?)"""
_TOKEN = re.compile(
    rb"/\*[^*]*+(?:\*(?!/)[^*]*+)*+(?:\*/)?"  # a comment, ended or not
    rb"|" + _STRING + rb"|(?<![\w-])url\(\s*+"
    rb"(?:(?P<plain>[^\s\"'()\\\x00-\x1f]*+)\s*+\)|(?P<quoted>" + _STRING + rb")\s*+\))"
    rb"|(?P<brace>\{)"
    rb"|@import\s*+(?:url\(\s*+)?(?P<sheet>"
    + _STRING
    + rb")"
    + rb"|@import\s*+url\(\s*+(?P<sheet_plain>[^\s\"'()\\\x00-\x1f]++)\s*+\)"
    rb"|@namespace[^;{}]*+",
    re.IGNORECASE,
)


def of_style(source: bytes) -> tuple[Named, ...]:
    """Each `@import` that counts (before the first rule), and each `url()`, in order.

    Names with escapes are left out: builds write none.
    """
    found: list[Named] = []
    rules = False
    for token in _TOKEN.finditer(source):
        rules = rules or token["brace"] is not None
        sheet = token["sheet"] or token["sheet_plain"]
        name = _unquoted(sheet or token["quoted"] or token["plain"] or b"")
        if not name:
            continue
        if sheet is None:
            found.append(Named(Kind.RESOURCE, name))
        elif not rules:
            found.append(Named(Kind.STYLE, name))
    return tuple(found)


def _unquoted(raw: bytes) -> str:
    if b"\\" in raw:
        return ""
    if raw[:1] in b"\"'" and raw:
        if len(raw) < 2 or raw[-1:] != raw[:1]:
            return ""
        raw = raw[1:-1]
    return text_of(raw)
