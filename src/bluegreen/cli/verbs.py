"""Verbs in menus: how they are declared, and how the words of a command find theirs."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError, HelpFormatter
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

if TYPE_CHECKING:
    from argparse import Namespace

    from bluegreen.model import Result
    from bluegreen.ports import Say
    from bluegreen.settings import Settings

    Act = Callable[[Settings, Say, Namespace], Result]


class Option:
    """An option or an argument, in the words of argparse's `add_argument`."""

    def __init__(self, *names: str, **how: Any) -> None:
        self.names = names
        self.how = how


def text(*names: str, **how: Any) -> Option:
    """Empty, where it is left out."""
    return Option(*names, default="", **how)


def flag(*names: str, **how: Any) -> Option:
    return Option(*names, action="store_true", **how)


def count(word: str) -> int:
    """A whole number from 1."""
    number = int(word)
    if number < 1:
        raise ArgumentTypeError(f"{number} is less than 1")
    return number


_HELP = Option("-h", "--help", action="help", help="Show this message and exit")

#: What every verb takes.
_COMMON = (
    Option(
        "--config",
        metavar="PATH",
        help="The site's configuration; default: bluegreen.toml [env var: BLUEGREEN_CONFIG]",
    ),
    flag("--json", dest="as_json", help="One JSON document on stdout"),
    flag("-v", "--verbose", help="Also what is asked and answered"),
    flag("-q", "--quiet", help="Only errors and warnings"),
    _HELP,
)


class Verb(NamedTuple):
    """What a command does; the docstring of its function tells it."""

    prog: str  # "bluegreen edge up"
    act: Act
    options: tuple[Option, ...]

    @property
    def name(self) -> str:
        return self.prog.partition(" ")[2]

    @property
    def about(self) -> str:
        return self.act.__doc__ or ""

    def parse(self, words: Sequence[str]) -> tuple[Verb, Namespace]:
        """Returns itself, and what the words ask of it."""
        parser = _parser(self.prog, self.about)
        common = parser.add_argument_group("common options")
        for own in self.options:
            parser.add_argument(*own.names, **own.how)
        for shared in _COMMON:
            common.add_argument(*shared.names, **shared.how)
        asked, unknown = parser.parse_known_args(words)
        if unknown:
            known = (name for each in (*self.options, *_COMMON) for name in each.names)
            _refuse(parser, "argument", unknown[0], known)
        return self, asked


class Menu:
    """Verbs, and menus of more of them."""

    def __init__(self, prog: str, about: str, *options: Option, epilog: str = "") -> None:
        self.about = about
        self._prog = prog
        self._options = (*options, _HELP)
        self._epilog = epilog
        self._entries: dict[str, Verb | Menu] = {}

    def menu(self, name: str, about: str) -> Menu:
        inner = self._entries[name] = Menu(f"{self._prog} {name}", about)
        return inner

    def verb(self, name: str, *options: Option) -> Callable[[Act], Act]:
        """Makes the function below it the verb of this name."""

        def entered(act: Act) -> Act:
            self._entries[name] = Verb(f"{self._prog} {name}", act, options)
            return act

        return entered

    def parse(self, words: Sequence[str]) -> tuple[Verb, Namespace]:
        """Returns the verb that the words name, and what they ask of it. Raises SystemExit
        after help or the version, and for wrong usage."""
        first = words[0] if words else ""
        if first not in self._entries:
            self._leave(first)
        return self._entries[first].parse(words[1:])

    def _leave(self, first: str) -> NoReturn:
        """With help or the version, or with what is wrong about the word in a verb's place."""
        parser = _parser(self._prog, self.about, self._epilog)
        for own in self._options:
            parser.add_argument(*own.names, **own.how)
        parser.usage = "%(prog)s VERB [options]"
        # Arguments in name only: argparse lists them in its help, parse() looks for the verbs.
        listed = parser.add_argument_group("verbs")
        for name, entry in self._entries.items():
            listed.add_argument(name, nargs="?", help=entry.about.partition("\n")[0])
        if not first:
            parser.print_help(sys.stderr)
            parser.exit(2)
        if first.startswith("-"):
            parser.parse_known_args([first])
        known = (*self._entries, *(name for own in self._options for name in own.names))
        _refuse(parser, "verb", first, known)


class _Paragraphs(HelpFormatter):
    """Each paragraph of a text is filled to the width of the terminal."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        fill = super()._fill_text
        return "\n\n".join(fill(paragraph, width, indent) for paragraph in text.split("\n\n"))


def _parser(prog: str, about: str, epilog: str = "") -> ArgumentParser:
    return ArgumentParser(
        prog=prog,
        description=about,
        epilog=epilog,
        formatter_class=_Paragraphs,
        add_help=False,
        allow_abbrev=False,
    )


def _refuse(parser: ArgumentParser, kind: str, word: str, known: Iterable[str]) -> NoReturn:
    """Wrong usage: names the word, and what was probably meant."""
    from difflib import get_close_matches

    name = word.partition("=")[0]
    # Any lower, and --json in a place that has none would be taken for --version.
    near = get_close_matches(name, list(known), n=1, cutoff=0.7)
    meant = f" (did you mean {near[0]}?)" if near else ""
    parser.error(f"unknown {'option' if name.startswith('-') else kind}: {name}{meant}")
