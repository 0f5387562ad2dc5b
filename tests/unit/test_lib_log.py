"""What is written to the log, when, and what it costs those that write nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bluegreen.lib import log


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "debug.log"
    log.start(lambda logger: logger.add(path, format=log.FORMAT))
    yield path
    log.start()


def test_lines_are_written_at_the_end_with_the_time_at_which_they_came(file: Path) -> None:
    before = datetime.now(UTC)
    log.debug("release of shop {with braces}")
    after = datetime.now(UTC)
    log.warning("the ledger's last word is missing")
    assert not file.exists()
    log.flush()
    written = file.read_text().splitlines()
    assert [line.partition(" ")[2] for line in written] == [
        "DEBUG   release of shop {with braces}",
        "WARNING the ledger's last word is missing",
    ]
    came = datetime.fromisoformat(written[0].partition(" ")[0])
    assert before - timedelta(milliseconds=1) <= came <= after


def test_a_defect_leaves_its_traceback(file: Path) -> None:
    try:
        raise RuntimeError("broken")
    except RuntimeError as error:
        log.defect("a defect in release", error)
    log.flush()
    written = file.read_text()
    assert "ERROR   a defect in release" in written
    assert 'raise RuntimeError("broken")' in written


def test_nothing_is_written_twice(file: Path) -> None:
    log.debug("once")
    log.flush()
    log.flush()
    assert file.read_text().count("once") == 1


@pytest.mark.parametrize("lines", ["", "log.debug('kept back: there is nowhere to write it')"])
def test_loguru_is_not_imported_for_nothing(lines: str) -> None:
    code = f"from bluegreen.lib import log; {lines or 'pass'}; log.flush()"
    code += "; import sys; assert 'loguru' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
