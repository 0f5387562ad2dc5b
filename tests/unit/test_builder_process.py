"""A builder's process is read as it speaks, and never outlives its reader."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from bluegreen.builder.process import run

PYTHON = [sys.executable, "-I", "-S", "-u", "-c"]


def children_of_session(marker: str) -> list[str]:
    """Command lines of running processes that hold `marker`."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().decode("utf-8", "replace")
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if marker in command and state != "Z" and folder.name != str(os.getpid()):
            found.append(command)
    return found


def test_lines_come_while_the_process_runs() -> None:
    """Its second line waits for the reader to have seen the first."""
    program = "import sys, time; print('one'); sys.stdin.read(); print('two', file=sys.stderr)"
    said: list[str] = []

    ended = run([*PYTHON, program], {}, said.append, 20)

    assert said == ["one", "two"]
    assert (ended.code, ended.timed_out) == (0, False)


def test_the_exit_code_is_handed_on() -> None:
    assert run([*PYTHON, "raise SystemExit(3)"], {}, print, 20).code == 3


def test_time_out_ends_the_whole_group(tmp_path: Path) -> None:
    """Also a grandchild, and one that will not hear SIGTERM."""
    marker = tmp_path.name
    program = (
        "import signal, subprocess, sys, time\n"
        "child = 'import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)'\n"
        f"subprocess.Popen([sys.executable, '-c', child, {marker!r}])\n"
        "time.sleep(60)\n"
    )

    ended = run([*PYTHON, program, marker], {}, print, 0.5)

    assert ended.timed_out
    assert eventually_empty(marker)


def test_an_interrupted_reader_leaves_no_process(tmp_path: Path) -> None:
    marker = tmp_path.name

    def interrupt(line: str) -> None:
        raise KeyboardInterrupt(line)

    with pytest.raises(KeyboardInterrupt):
        run([*PYTHON, "import time; print('on'); time.sleep(60)", marker], {}, interrupt, 60)

    assert eventually_empty(marker)


def eventually_empty(marker: str) -> bool:
    deadline = time.monotonic() + 10
    while children_of_session(marker):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
