"""What a script imports by a literal name, found without running it.

A scanner, not a parser: it knows strings, templates, comments and regular expressions well
enough to tell code from text, and says nothing of a file that it could not follow to its end.
Its time is linear in the script's size.
"""

from __future__ import annotations

import re
import sys

from bluegreen.artifact.needs.named import Kind, Named, text_of

# No possessive group here, as in `style`: with branches in them, Python before 3.11.5 matches
# them wrongly (gh-106052).
#: A string without escapes; where any other text ends, `_stop` tells.
_STRING = rb"""(?:"[^"\\\n]*+"|'[^'\\\n]*+')"""
_WORD = rb"(?<![\w$.#\x80-\xff])(?:import|export)(?![\w$\x80-\xff])"
#: Where code may turn into text, or names a file. Braces count only inside a template.
_STOP = re.compile(_STRING + rb"|[\"'`/]|" + _WORD)
_STOP_IN_TEMPLATE = re.compile(_STRING + rb"|[\"'`/{}]|" + _WORD)
#: By what begins a text: where it may end, or go on behind an escape.
_IN_STRING = {b'"': re.compile(rb'["\\\n]'), b"'": re.compile(rb"['\\\n]")}
_IN_TEMPLATE = re.compile(rb"[`\\]|\$\{")
_IN_REGEX = re.compile(rb"[/\\\[\n]")
_IN_CLASS = re.compile(rb"[\]\\\n]")
_FLAGS = re.compile(rb"[a-zA-Z]*+")
_LITERAL = rb"""(?:"([^"\\\n]*+)"|'([^'\\\n]*+)'|`([^`\\$\n]*+)`)"""
_QUOTED = rb"""(?:"([^"\\\n]*+)"|'([^'\\\n]*+)')"""
_DYNAMIC = re.compile(rb"\s*+\(\s*+(?:/\*[^*]*+\*/\s*+)*" + _LITERAL + rb"\s*+[,)]")
_CLAUSE = re.compile(rb"[^'\"`;()=.<>:+\[\]/]*+")
_FROM = re.compile(rb"^\s*(?:[\w$*{\x80-\xff].*[\s}]|[}*{].*)?from\s*$|^\s*$", re.DOTALL)
_PLAIN = re.compile(_QUOTED)
_REEXPORT = re.compile(
    rb"\s*+(?:\*\s*+(?:as\s++[\w$\x80-\xff]++\s*+)?|\{[^{}'\"]*+\}\s*+)from\s*+" + _QUOTED
)
#: After these words a slash begins a regular expression; after any other name it divides.
_BEFORE_REGEX = frozenset(
    b"return typeof case in of void delete do else instanceof new throw yield await".split()
)
_BEFORE_CONDITION = re.compile(rb"\b(?:if|while|for|with)\s*$")
_NAME_AT_END = re.compile(rb"[\w$\x80-\xff]+$")
_LOOK_BACK = 400  # bytes
_LONGEST_REGEX = 64 << 10
#: Doubts that a script may leave, so that its time stays linear: slashes that could begin a
#: regular expression and begin none, and parentheses before a slash.
_MOST_DOUBTS = 1000
_MOST_LOOKS = 50_000


def of_script(source: bytes) -> tuple[Named, ...]:
    """Each import, export … from and import("…") with a literal name, in order.

    () where the scanner lost its way: what it would say then is not certain.
    """
    if b"import" not in source and b"export" not in source:
        return ()
    scanner = _Scanner(source)
    return tuple(scanner.found) if scanner.run() else ()


class _Scanner:
    def __init__(self, source: bytes) -> None:
        self._source = source
        self._templates: list[int] = []  # open braces within each open ${
        self._doubts = self._looks = 0
        self._no_import_before = 0  # a static import's clause that starts before it fails
        self.found: list[Named] = []

    def run(self) -> bool:
        """Whether every string, template and comment that begins also ends."""
        at, end = 0, len(self._source)
        while at >= 0:
            stop = (_STOP_IN_TEMPLATE if self._templates else _STOP).search(self._source, at)
            if stop is None:
                return not self._templates
            at = self._after(stop.start(), stop.end(), stop[0])
            if at > end:
                return False
        return False

    def _after(self, start: int, end: int, token: bytes) -> int:
        """Where code goes on; -1 where it cannot be followed."""
        first = token[:1]
        if token in (b"import", b"export"):
            self._take(start, end, token)
        elif len(token) == 1 and first in b"\"'":
            return self._string(end, first)
        elif first == b"`":
            return self._template(end)
        elif first == b"/":
            return self._slash(start)
        elif first == b"{":
            self._templates[-1] += 1
        elif first == b"}":
            self._templates[-1] -= 1
            if self._templates[-1] < 0:
                self._templates.pop()
                return self._template(end)
        return end

    def _string(self, at: int, quote: bytes) -> int:
        """Behind the string that begins before `at`; -1 where it does not end on its line."""
        stop = self._stop(_IN_STRING[quote], at)
        return stop + 1 if self._source[stop : stop + 1] == quote else -1

    def _template(self, at: int) -> int:
        """On from inside a template's text: after its end, or into its next ${."""
        stop = self._stop(_IN_TEMPLATE, at)
        if self._source[stop : stop + 1] == b"`":
            return stop + 1
        if self._source[stop : stop + 2] == b"${":
            self._templates.append(0)
            return stop + 2
        return -1

    def _stop(self, pattern: re.Pattern[bytes], at: int, end: int = sys.maxsize) -> int:
        """Where the pattern next matches what is not escaped; -1 where it does not."""
        while found := pattern.search(self._source, at, end):
            if found[0] != b"\\":
                return found.start()
            at = found.end() + 1
        return -1

    def _slash(self, at: int) -> int:
        follows = self._source[at + 1 : at + 2]
        if follows == b"/":
            line = self._source.find(b"\n", at)
            return line if line >= 0 else len(self._source)
        if follows == b"*":
            close = self._source.find(b"*/", at + 2)
            return close + 2 if close >= 0 else -1
        if not self._regex_may_begin(at):
            return at + 1
        if (close := self._regex(at + 1, at + _LONGEST_REGEX)) >= 0:
            return close
        self._doubts += 1
        return at + 1 if self._doubts < _MOST_DOUBTS else -1

    def _regex(self, at: int, end: int) -> int:
        """Behind the regular expression that begins before `at`; -1 where none does."""
        while (stop := self._stop(_IN_REGEX, at, end)) >= 0:
            which = self._source[stop : stop + 1]
            if which == b"/":
                flags = _FLAGS.match(self._source, stop + 1)
                return flags.end() if flags else stop + 1
            at = stop + 1
            if which == b"[":
                stop = self._stop(_IN_CLASS, at, end)
                at = stop + 1
            if which == b"\n" or self._source[stop : stop + 1] == b"\n" or stop < 0:
                return -1
        return -1

    def _regex_may_begin(self, at: int) -> bool:
        before = self._source[max(0, at - _LOOK_BACK) : at].rstrip()
        if not before:
            return True
        if name := _NAME_AT_END.search(before[-64:]):
            return name[0] in _BEFORE_REGEX and before[-64:][: name.start()][-1:] != b"."
        last = before[-1:]
        if last == b")":
            self._looks += 1
            return self._looks < _MOST_LOOKS and _closes_a_condition(before)
        if before.endswith((b"++", b"--")):
            return False
        return last not in b"]\"'`"

    def _take(self, start: int, end: int, word: bytes) -> None:
        if self._source[max(0, start - 16) : start].rstrip().endswith(b"."):
            return  # a property of that name
        if word == b"export":
            if found := _REEXPORT.match(self._source, end):
                self._add(Kind.STATIC, found.groups())
        elif found := _DYNAMIC.match(self._source, end):
            self._add(Kind.DYNAMIC, found.groups())
        elif end > self._no_import_before:
            self._take_static(end)

    def _take_static(self, at: int) -> None:
        clause = _CLAUSE.match(self._source, at)
        stop = clause.end() if clause else at
        named = _PLAIN.match(self._source, stop)
        if named is None or not _FROM.match(self._source[at:stop]):
            self._no_import_before = stop
            return
        self._add(Kind.STATIC, named.groups())

    def _add(self, kind: Kind, groups: tuple[bytes | None, ...]) -> None:
        text = next((group for group in groups if group is not None), b"")
        if name := text_of(text):
            self.found.append(Named(kind, name))


def _closes_a_condition(before: bytes) -> bool:
    """`if (…) /re/`: the parenthesis that ends `before` belongs to if, while, for or with."""
    depth = 0
    for at in range(len(before) - 1, -1, -1):
        if before[at] == 0x29:
            depth += 1
        elif before[at] == 0x28:
            depth -= 1
            if not depth:
                return _BEFORE_CONDITION.search(before[max(0, at - 16) : at]) is not None
    return False
