"""The JSON document is a promise to scripts; what people read says what is live and what next."""

from __future__ import annotations

import json

import pytest

from bluegreen.cli import report
from bluegreen.model import ErrorFacts, LiveRelease, Outcome, Release, Result, Slot, StepRecord

RELEASE = Release(
    id="20260301-120000-aaaa",
    site="web",
    slot=Slot.GREEN,
    image="bluegreen/web:20260301-120000-3f2a9c1-aaaa",
    revision="3f2a9c1",
    image_id="sha256:1",
)
BLUE = LiveRelease(id="20260228-120000-bbbb", slot="blue")
GREEN = LiveRelease(id=RELEASE.id, slot="green")


def released(**changed: object) -> Result:
    facts: dict[str, object] = {
        "command": "release",
        "outcome": Outcome.RELEASED,
        "site": "web",
        "release": RELEASE,
        "live": GREEN,
        "live_known": True,
        "replaced": BLUE,
        "steps": (StepRecord(name="gate", status="ok", seconds=0.41, detail={"passes": 3}),),
        "seconds": 3.2,
    }
    return Result(**{**facts, **changed})  # type: ignore[arg-type]


def test_the_document_has_the_promised_keys_and_forms() -> None:
    document = json.loads(json.dumps(report.document(released())))
    assert document == {
        "schema": 1,
        "command": "release",
        "outcome": "released",
        "site": "web",
        "release": {
            "id": RELEASE.id,
            "slot": "green",
            "image": RELEASE.image,
            "revision": "3f2a9c1",
            "image_id": "sha256:1",
            "digest": "",
        },
        "live": {"id": GREEN.id, "slot": "green"},
        "replaced": {"id": BLUE.id, "slot": "blue"},
        "steps": [{"name": "gate", "status": "ok", "seconds": 0.41, "detail": {"passes": 3}}],
        "seconds": 3.2,
        "warnings": [],
        "debris": [],
        "error": None,
    }


def test_an_error_has_its_code_its_message_and_its_hint() -> None:
    error = ErrorFacts(code=4, message="it exited", hint="bluegreen logs")
    document = report.document(released(outcome=Outcome.REJECTED, error=error, live=BLUE))
    assert document["error"]["code"] == 4
    assert document["error"]["message"] == "it exited"
    assert document["error"]["hint"] == "bluegreen logs"


def test_people_are_told_what_is_live_and_the_way_back(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report.show(released(), as_json=False, quiet=False)
    told = capsys.readouterr()
    assert f"{GREEN.id} (green) is live in place of {BLUE.id}" in told.out
    assert "bluegreen rollback" in told.out
    assert told.err == ""


def test_a_failure_says_what_failed_what_is_live_and_what_to_run(
    capsys: pytest.CaptureFixture[str],
) -> None:
    error = ErrorFacts(
        code=4,
        message="the candidate exited with code 3",
        hint="bluegreen logs",
        evidence={"log": ["2026 no API_URL"]},
    )
    report.show(
        released(outcome=Outcome.REJECTED, error=error, live=BLUE), as_json=False, quiet=True
    )
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "error: the candidate exited with code 3",
        "    | 2026 no API_URL",
        f"live: {BLUE.id} (blue)",
        "next: bluegreen logs",
    ]


def test_nothing_is_said_of_what_is_live_where_it_could_not_be_asked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    error = ErrorFacts(code=7, message="no engine answers", hint="start it")
    report.show(released(error=error, live=None, live_known=False), as_json=False, quiet=False)
    assert "live:" not in capsys.readouterr().err


def test_what_is_stored_as_live_is_told_where_nobody_could_be_asked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    error = ErrorFacts(code=7, message="no engine answers", hint="start it")
    result = Result(
        command="release",
        outcome=Outcome.FAILED,
        site="web",
        error=error,
        detail={"upstream": "bg-web-20260301-120000-abcd:80"},
    )
    report.show(result, as_json=False, quiet=False)
    assert "stored as live: bg-web-20260301-120000-abcd:80" in capsys.readouterr().err
    assert report.document(result)["upstream"] == "bg-web-20260301-120000-abcd:80"


def test_what_stayed_is_named_with_the_command_that_removes_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    debris = ("retire: it hangs; by hand: docker rm -f x",)
    report.show(released(debris=debris, exit_code=9), as_json=False, quiet=False)
    assert "docker rm -f x" in capsys.readouterr().err
