"""A build's output is shown without its secrets, and what failed is read from it."""

from __future__ import annotations

import pytest

from bluegreen.builder.output import Redactor, Transcript


def told(lines: str, *secrets: str) -> tuple[list[str], Transcript]:
    said: list[str] = []
    transcript = Transcript(said.append, Redactor(secrets))
    for line in lines.splitlines():
        transcript.line(line)
    return said, transcript


def test_a_secret_is_blanked_out_in_what_is_shown_and_what_is_kept() -> None:
    said, transcript = told("#7 0.1 token=s3cr3t!\nERROR: cannot use s3cr3t!", "s3cr3t!")

    assert said == transcript.last == ["#7 0.1 token=***", "ERROR: cannot use ***"]
    assert transcript.error == "cannot use ***"


def test_a_secret_of_many_lines_is_blanked_out_line_by_line() -> None:
    said, _ = told("#7 0.1 first-line\n#7 0.2 second-line\n", "first-line\nsecond-line\n")

    assert said == ["#7 0.1 ***", "#7 0.2 ***"]


def test_the_longer_of_two_secrets_goes_first() -> None:
    assert told("abcd-efgh abcd", "abcd", "abcd-efgh")[0] == ["*** ***"]


def test_a_value_too_short_to_be_secret_leaves_the_lines_readable() -> None:
    assert told("a cat sat", "a", "")[0] == ["a cat sat"]


def test_colours_between_its_letters_do_not_hide_a_secret() -> None:
    assert told("#7 0.1 s3\x1b[31mcr3t\x1b[0m\r", "s3cr3t")[0] == ["#7 0.1 ***"]


def test_the_failed_step_and_the_reason_are_found_in_plain_progress() -> None:
    _, transcript = told(
        """\
#6 [3/3] RUN npm run build
#6 0.238 boom
#6 ERROR: process "/bin/sh -c npm run build" did not complete successfully: exit code: 3
------
 > [3/3] RUN npm run build:
0.238 boom
------
ERROR: failed to solve: rpc error: code = Unknown desc = process "x" did not complete: exit code: 3
"""
    )

    assert transcript.step == "[3/3] RUN npm run build"
    assert transcript.error == 'process "x" did not complete: exit code: 3'


def test_warnings_are_collected() -> None:
    _, transcript = told(
        "#1 WARN: FromAsCasing: 'as' and 'FROM' keywords' casing do not match (line 1)\n"
        " 1 warning found (use --debug to expand):\n"
        " - JSONArgsRecommended: JSON arguments recommended for CMD (line 9)\n"
    )

    assert transcript.warnings == [
        "FromAsCasing: 'as' and 'FROM' keywords' casing do not match (line 1)",
        "JSONArgsRecommended: JSON arguments recommended for CMD (line 9)",
    ]


def test_only_the_end_is_kept() -> None:
    _, transcript = told("\n".join(f"line {number}" for number in range(100)))

    assert transcript.last == [f"line {number}" for number in range(80, 100)]


@pytest.mark.parametrize(
    ("lines", "cached"),
    [
        ("#6 [2/2] COPY dist/ /srv/www/\n#6 CACHED", True),
        ("#7 [build 4/5] RUN npm run build\n#7 CACHED", True),
        ("#5 [1/2] FROM docker.io/library/caddy:2\n#5 CACHED\n#6 [2/2] COPY a b\n#6 DONE", False),
    ],
)
def test_layers_from_an_earlier_build_are_noticed(lines: str, cached: bool) -> None:
    """A base image is always taken from what is there; that says nothing of the build."""
    assert told(lines)[1].cached is cached
