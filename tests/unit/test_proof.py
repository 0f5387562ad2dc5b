"""The proof compares status, type and bytes, and waits only for an answer that is missing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest

from bluegreen import media, proof
from bluegreen.model import Exchange, FileFact

BODY = b"console.log(1)"
FACT = FileFact(hashlib.sha256(BODY).hexdigest(), len(BODY), "text/javascript")
SCRIPT = proof.Expectation("/a.js", "a.js", FACT)


def answer(
    body: bytes = BODY, *, status: int = 200, media_type: str = "text/javascript", error: str = ""
) -> Callable[[str], Exchange]:
    def ask(path: str) -> Exchange:
        return Exchange(
            via="preview",
            url=path,
            host="h",
            status=status,
            media_type=media_type,
            size=len(body),
            sha256=hashlib.sha256(body).hexdigest(),
            error=error,
        )

    return ask


def test_equal_bytes_with_a_fitting_type_are_the_proof() -> None:
    assert proof.prove(answer(), [SCRIPT], 0) == ()
    assert proof.prove(answer(media_type="application/javascript"), [SCRIPT], 0) == ()


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (answer(b"old"), "other bytes"),
        (answer(status=404), "status 404"),
        (answer(status=301), "status 301"),
        (answer(media_type="text/html"), "type text/html, text/javascript expected"),
        (answer(media_type=""), "type missing"),
        (answer(status=0, error="refused"), "no answer (refused)"),
        (answer(status=502, error="dial tcp"), "status 502 (dial tcp)"),
    ],
)
def test_every_difference_is_told(ask: Callable[[str], Exchange], says: str) -> None:
    (wrong,) = proof.prove(ask, [SCRIPT], 0)
    assert says in str(wrong)
    assert str(wrong).startswith("/a.js")


def test_a_missing_answer_is_waited_for_and_a_wrong_one_is_not() -> None:
    asked: list[str] = []

    def late(path: str) -> Exchange:
        asked.append(path)
        return answer(status=502)(path) if len(asked) < 3 else answer()(path)

    assert proof.prove(late, [SCRIPT], 30) == ()
    assert len(asked) == 3

    asked.clear()

    def wrong(path: str) -> Exchange:
        asked.append(path)
        return answer(b"old")(path)

    assert len(proof.prove(wrong, [SCRIPT], 30)) == 1
    assert len(asked) == 1


def test_no_expectations_are_no_proof_and_no_request() -> None:
    def never(path: str) -> Exchange:
        raise AssertionError(path)

    assert proof.prove(never, [], 0) == ()


@pytest.mark.parametrize(
    ("path", "served", "fits"),
    [
        ("a.js", "text/html", False),
        ("a.mjs", "application/javascript", True),
        ("a.css", "text/plain", False),
        ("index.html", "text/html", True),
        ("logo.png", "image/png", True),
        ("logo.png", "application/octet-stream", True),
        ("logo.png", "text/html", False),
        ("a.wasm", "application/octet-stream", False),
    ],
)
def test_types_fit_as_a_browser_takes_them(path: str, served: str, fits: bool) -> None:
    assert media.fits(path, served) is fits
