"""The ledger remembers releases in their order, survives reopening, refuses a newer schema."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bluegreen.errors import ConfigError, NotFit
from bluegreen.model import Release, Slot, StepRecord
from bluegreen.state.ledger import Ledger


def release(number: int, site: str = "web") -> Release:
    return Release(
        id=f"20260301-1200{number:02d}-aa{number:02d}",
        site=site,
        slot=Slot.BLUE,
        image=f"bluegreen/{site}:20260301-1200{number:02d}-rev{number}-aa{number:02d}",
        revision=f"rev{number}",
    )


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(tmp_path / "ledger.db", 0o600)
    yield ledger
    ledger.close()


def begin(ledger: Ledger, one: Release) -> None:
    ledger.begin(one, kind="release", origin=one.id, spec={"a": 1}, spec_hash="h")


def test_a_release_is_read_back_with_its_steps_in_order(ledger: Ledger) -> None:
    begin(ledger, release(1))
    ledger.step(release(1).id, StepRecord(name="build", status="ok", seconds=1.5, detail={"x": 1}))
    ledger.step(release(1).id, StepRecord(name="gate", status="failed", seconds=0.5))
    ledger.finish(release(1).id, "rejected", error={"code": 4}, evidence={"log": ["last"]})
    row = ledger.get(release(1).id)
    assert row is not None
    assert [step.name for step in row.steps] == ["build", "gate"]
    assert row.steps[0].detail == {"x": 1}
    assert (row.outcome, row.error["code"], row.evidence["log"]) == ("rejected", 4, ["last"])
    assert row.finished is not None


def test_a_release_that_was_taken_back_is_no_way_back(ledger: Ledger) -> None:
    """Users may have had it for a while: that does not make it fit to go back to."""
    for number, outcome in ((1, "released"), (2, "taken_back")):
        begin(ledger, release(number))
        ledger.went_live(release(number).id, "")
        ledger.finish(release(number).id, outcome)
    assert [row.was_live for row in ledger.history("web")] == [False, True]


def test_history_is_newest_first_by_order_of_writing_whatever_the_clock_says(
    ledger: Ledger,
) -> None:
    for number in (5, 3, 4):
        begin(ledger, release(number))
    begin(ledger, release(9, site="other"))
    assert [row.release.revision for row in ledger.history("web")] == ["rev4", "rev3", "rev5"]
    assert len(ledger.history("web", 2)) == 2


def test_what_has_no_end_is_unfinished(ledger: Ledger) -> None:
    begin(ledger, release(1))
    begin(ledger, release(2))
    ledger.finish(release(1).id, "released")
    assert [row.release.id for row in ledger.unfinished("web")] == [release(2).id]


@pytest.mark.parametrize("wanted", ["20260301-120001-aa01", "20260301-120001", "rev1"])
def test_a_release_is_found_by_its_id_its_start_or_its_revision(
    ledger: Ledger, wanted: str
) -> None:
    begin(ledger, release(1))
    begin(ledger, release(2))
    assert ledger.find("web", wanted).release.id == release(1).id


def test_none_and_several_are_errors_that_name_what_there_is(ledger: Ledger) -> None:
    begin(ledger, release(1))
    begin(ledger, release(2))
    with pytest.raises(ConfigError, match="no release 2025"):
        ledger.find("web", "2025")
    with pytest.raises(ConfigError, match=release(1).id):
        ledger.find("web", "20260301")


def test_it_is_for_its_owner_alone(tmp_path: Path) -> None:
    Ledger(tmp_path / "ledger.db", 0o600).close()
    assert (tmp_path / "ledger.db").stat().st_mode & 0o777 == 0o600


def test_it_opens_again_after_its_writer_was_gone_without_closing(tmp_path: Path) -> None:
    first = Ledger(tmp_path / "ledger.db", 0o600)
    begin(first, release(1))
    second = Ledger(tmp_path / "ledger.db", 0o600)
    assert second.get(release(1).id) is not None
    second.close()
    first.close()


def test_a_newer_schema_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    Ledger(path, 0o600).close()
    with sqlite3.connect(path) as database:
        database.execute("pragma user_version = 99")
    database.close()
    with pytest.raises(NotFit, match="newer bluegreen") as caught:
        Ledger(path, 0o600)
    assert "upgrade" in caught.value.hint


def test_a_file_that_is_no_database_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(b"not a database" * 200)
    with pytest.raises(NotFit, match=str(path)):
        Ledger(path, 0o600)


def test_a_ledger_of_schema_1_is_brought_forward_with_all_that_it_holds(tmp_path: Path) -> None:
    """The file was written by the version that had schema 1; see its head."""
    path = tmp_path / "ledger.db"
    with closing(sqlite3.connect(path)) as database:
        database.executescript((Path(__file__).parent / "ledger-schema-1.sql").read_text())
    ledger = Ledger(path, 0o600)
    row = ledger.get("20261124-230907-wa99")
    assert row is not None
    assert (row.outcome, row.was_live, row.proof) == ("released", True, {})
    assert [step.name for step in row.steps][:3] == ["preflight", "plan", "build"]
    ledger.proven(row.release.id, {"image": {"digest": "d"}})
    ledger.close()

    again = Ledger(path, 0o600)
    found = again.get(row.release.id)
    assert found is not None
    assert found.proof == {"image": {"digest": "d"}}
    again.close()


def test_old_proofs_and_evidence_are_forgotten_and_what_happened_stays(ledger: Ledger) -> None:
    for number in range(1, 6):
        begin(ledger, release(number))
        ledger.proven(release(number).id, {"edge": {"files": {"/": "digest"}}})
        ledger.finish(release(number).id, "released", evidence={"log": ["a line"]})
    ledger.trim("web", 2, [release(1).id])
    rows = ledger.history("web")
    assert [bool(row.proof) for row in rows] == [True, True, False, False, True]
    assert [bool(row.evidence) for row in rows] == [True, True, False, False, True]
    assert [row.outcome for row in rows] == ["released"] * 5
