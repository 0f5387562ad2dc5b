"""The command line: quick to answer for itself, and clear about wrong usage."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

#: What takes long to import and serves no `--help`.
HEAVY = ("docker", "requests", "urllib3", "httpx", "httpcore", "pydantic", "tenacity", "loguru")

ASK_FOR_HELP = """
import sys
from bluegreen.cli.app import app
try:
    app({arguments!r})
except SystemExit:
    pass
print("loaded:", *sorted(set(sys.modules) & set({heavy!r})), file=sys.stderr)
"""


def run(*argv: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bluegreen", *argv],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "typers_own"),
    [(["--help"], ()), (["--version"], ()), (["release", "--help"], ("pydantic",))],
    ids=["--help", "--version", "release --help"],
)
def test_help_and_version_import_nothing_heavy(
    arguments: list[str], typers_own: tuple[str, ...]
) -> None:
    """But for what typer itself needs: it converts a verb's parameters by pydantic."""
    heavy = tuple(name for name in HEAVY if name not in typers_own)
    code = ASK_FOR_HELP.format(arguments=arguments, heavy=heavy)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stderr.strip() == "loaded:", done.stderr
    assert done.stdout


def test_help_names_every_verb_and_the_exit_codes() -> None:
    told = run("--help").stdout
    for word in (
        "release",
        "rollback",
        "status",
        "verify",
        "history",
        "logs",
        "prune",
        "edge",
        "130",
    ):
        assert word in told


@pytest.mark.parametrize("argv", [["releese"], ["release", "--wait"], ["release", "--nope"]])
def test_wrong_usage_exits_with_2(argv: list[str]) -> None:
    done = run(*argv)
    assert done.returncode == 2
    assert done.stderr


def test_without_a_configuration_it_says_what_to_write(tmp_path: Path) -> None:
    done = run("release", folder=tmp_path)
    assert done.returncode == 2
    assert "bluegreen.toml" in done.stderr
    assert "next:" in done.stderr


def test_errors_are_a_document_too(tmp_path: Path) -> None:
    done = run("status", "--json", "--config", str(tmp_path / "nowhere.toml"))
    document = json.loads(done.stdout)
    assert document["schema"] == 1
    assert document["error"]["code"] == done.returncode == 2
    assert "nowhere.toml" in document["error"]["message"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
def test_a_signal_while_it_is_still_loading_is_an_interruption_too(number: signal.Signals) -> None:
    """Not a defect (exit code 1), and not a death without an exit code."""
    early = f"""
import os, sys
from bluegreen.cli import app
class Signal:
    def find_spec(self, name, path=None, target=None):
        if name == "bluegreen.cli.run":
            os.kill(os.getpid(), {int(number)})
sys.meta_path.insert(0, Signal())
sys.argv = ["bluegreen", "status"]
app.main()
"""
    ended = subprocess.run([sys.executable, "-c", early], capture_output=True, check=False)
    assert ended.returncode == 130, ended
