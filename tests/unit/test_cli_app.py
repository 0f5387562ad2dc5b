"""The command line: quick to answer for itself, and clear about wrong usage."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest

from bluegreen import __version__
from bluegreen.cli.app import app

#: What takes long to import and serves no `--help`.
HEAVY = (
    "docker",
    "requests",
    "urllib3",
    "httpx",
    "httpcore",
    "pydantic",
    "rich",
    "tenacity",
    "loguru",
)

VERBS = (
    "release",
    "rollback",
    "status",
    "verify",
    "history",
    "logs",
    "prune",
    "recover",
    "edge up",
    "edge down",
    "edge status",
)

ASK_FOR_HELP = """
import sys
from bluegreen.cli.app import app
try:
    app.parse({arguments!r})
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


def asked(words: str) -> Namespace:
    return app.parse(words.split())[1]


def helped(words: str, capsys: pytest.CaptureFixture[str]) -> str:
    """The help that the words ask for, its lines joined: their ends depend on the terminal."""
    with pytest.raises(SystemExit) as left:
        app.parse([*words.split(), "--help"])
    assert left.value.code == 0
    return " ".join(capsys.readouterr().out.split())


def refused(words: str, capsys: pytest.CaptureFixture[str]) -> str:
    """The last line on stderr: what is wrong."""
    with pytest.raises(SystemExit) as left:
        app.parse(words.split())
    assert left.value.code == 2
    told = capsys.readouterr()
    assert not told.out
    return told.err.splitlines()[-1]


@pytest.mark.parametrize("words", ["--help", "--version", "release --help", "edge up --help"])
def test_help_and_version_import_nothing_heavy(words: str) -> None:
    code = ASK_FOR_HELP.format(arguments=words.split(), heavy=HEAVY)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stderr.strip() == "loaded:", done.stderr
    assert done.stdout


def test_the_version() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"bluegreen {__version__}\n")


def test_help_says_how_to_begin_what_to_do_in_trouble_and_the_exit_codes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = helped("", capsys)
    assert "First time on a host: bluegreen edge up, then bluegreen release" in told
    assert "In trouble: bluegreen status, then bluegreen rollback" in told
    assert "Exit codes: 0 done," in told
    assert "130 interrupted" in told


@pytest.mark.parametrize("words", ["", "edge"])
def test_without_a_verb_the_help_goes_to_stderr_as_wrong_usage(words: str) -> None:
    done = run(*words.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == run(*words.split(), "--help").stdout


@pytest.mark.parametrize("name", VERBS)
def test_each_verb_is_listed_and_explains_itself(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    verb, _ = app.parse(name.split())
    assert verb.name == name

    menu, _, word = name.rpartition(" ")
    first_line = verb.about.partition("\n")[0]
    assert f"{word} {first_line}" in helped(menu, capsys)
    told = helped(name, capsys)
    assert told.startswith(f"usage: bluegreen {name} ")
    assert " ".join(verb.about.split()) in told


@pytest.mark.parametrize("name", VERBS)
def test_each_verb_takes_the_common_options_after_its_own(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = asked(name)
    assert (plain.config, plain.as_json, plain.verbose, plain.quiet) == (None, False, False, False)
    full = asked(f"{name} --config site.toml --json --verbose --quiet")
    assert (full.config, full.as_json, full.verbose, full.quiet) == ("site.toml", True, True, True)
    short = asked(f"{name} -vq")
    assert (short.verbose, short.quiet) == (True, True)

    _, _, common = helped(name, capsys).partition("common options:")
    for word in ("--config PATH", "BLUEGREEN_CONFIG", "--json", "-v, --verbose", "-q, --quiet"):
        assert word in common


def test_what_is_left_out_asks_for_nothing() -> None:
    release = asked("release")
    assert (release.image, release.revision, release.wait) == ("", "", 0.0)
    assert (release.no_cache, release.dry_run) == (False, False)
    assert asked("rollback").wanted == asked("logs").wanted == asked("verify").url == ""
    assert (asked("history").limit, asked("logs").tail) == (20, 100)
    assert not asked("status").proof
    assert not asked("edge up").recreate
    assert not asked("edge down").force


def test_values() -> None:
    release = asked("release --image web:1 --revision=-dirty --no-cache --dry-run --wait 1.5")
    assert (release.image, release.revision, release.wait) == ("web:1", "-dirty", 1.5)
    assert (release.no_cache, release.dry_run) == (True, True)
    assert asked("rollback --wait=2 20260101").wanted == "20260101"
    assert asked("verify --url=https://www.example.com/?a=b").url == "https://www.example.com/?a=b"
    assert asked("status --proof").proof
    assert asked("history -n 5").limit == asked("history --limit=5").limit == 5
    logs = asked("logs abc -n5")
    assert (logs.wanted, logs.tail) == ("abc", 5)
    assert asked("edge up --recreate").recreate
    assert asked("edge down --force").force


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("releese", "unknown verb: releese (did you mean release?)"),
        ("edge upp", "unknown verb: upp (did you mean up?)"),
        ("deploy", "unknown verb: deploy"),
        ("--versoin", "unknown option: --versoin (did you mean --version?)"),
        ("--json status", "unknown option: --json"),
        ("release --nope", "unknown option: --nope"),
        ("release --wiat=3", "unknown option: --wiat (did you mean --wait?)"),
        ("edge status --jsno", "unknown option: --jsno (did you mean --json?)"),
        ("logs a b", "unknown argument: b"),
        ("release --wait", "argument --wait: expected one argument"),
        ("release --wait x", "argument --wait: invalid float value: 'x'"),
        ("history -n 0", "argument -n/--limit: 0 is less than 1"),
        ("logs --tail -3", "argument -n/--tail: -3 is less than 1"),
    ],
)
def test_wrong_usage_names_the_mistake_and_what_was_meant(
    words: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refused(words, capsys).endswith(f": error: {told}")


def test_options_are_not_abbreviated(capsys: pytest.CaptureFixture[str]) -> None:
    """A script that says --dry would change its meaning with the next option."""
    assert "did you mean --dry-run?" in refused("release --dry", capsys)


def test_an_option_is_no_value_of_the_option_before_it(capsys: pytest.CaptureFixture[str]) -> None:
    """As where a script's variable is empty: nothing is released that was to be planned."""
    assert "--image: expected one argument" in refused("release --image --dry-run", capsys)


def test_wrong_usage_exits_with_2() -> None:
    done = run("releese")
    assert (done.returncode, done.stdout) == (2, "")
    assert "did you mean release?" in done.stderr


def test_the_configuration_may_be_named_by_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BLUEGREEN_CONFIG", str(tmp_path / "elsewhere.toml"))
    assert "elsewhere.toml" in run("status").stderr
    assert "nowhere.toml" in run("status", "--config", "nowhere.toml").stderr


def test_a_reader_that_has_gone_is_no_defect(tmp_path: Path) -> None:
    """`bluegreen logs | head -1` ends without a traceback."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-u", "-m", "bluegreen", "status", "--json"],
        cwd=tmp_path,
        stdout=write,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (1, b"")


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
