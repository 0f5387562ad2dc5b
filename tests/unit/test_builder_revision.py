"""The revision names what is built, whoever asks and wherever git is called from."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bluegreen.builder.revision import Revision, of, same_sources, without_credentials

ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_AUTHOR_NAME": "t",
    "GIT_AUTHOR_EMAIL": "t@e.example",
    "GIT_COMMITTER_NAME": "t",
    "GIT_COMMITTER_EMAIL": "t@e.example",
    "GIT_COMMITTER_DATE": "2026-03-01T12:00:00+02:00",
    "GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z",
}


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def checkout() -> Iterator[Path]:
    """A repository with one commit: `site/index.html` and `other/notes`.

    It lies where another user can reach it, which pytest's own folders are not.
    """
    with tempfile.TemporaryDirectory() as outer:
        Path(outer).chmod(0o755)
        yield made(Path(outer, "checkout"))


def made(folder: Path) -> Path:
    for name in ("site/index.html", "other/notes"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "first")
    return folder


def test_a_clean_tree_is_named_by_its_commit_and_the_time_of_it(checkout: Path) -> None:
    git(checkout, "remote", "add", "origin", "https://me:t0ken@git.example/team/web.git")

    assert of(checkout / "site") == Revision(
        name=git(checkout, "rev-parse", "--short=7", "HEAD"),
        commit_time="2026-03-01T12:00:00+02:00",
        source="https://git.example/team/web.git",
    )


@pytest.mark.parametrize("change", ["edited", "untracked"])
def test_a_context_that_differs_from_the_commit_is_dirty(checkout: Path, change: str) -> None:
    name = "index.html" if change == "edited" else "new.html"
    (checkout / "site" / name).write_text("other")

    assert of(checkout / "site").name.endswith("-dirty")


def test_what_lies_outside_the_context_does_not_make_it_dirty(checkout: Path) -> None:
    (checkout / "other" / "notes").write_text("other")

    assert not of(checkout / "site").name.endswith("-dirty")
    assert of(checkout).name.endswith("-dirty")


def test_no_repository_and_no_commit_are_none(tmp_path: Path) -> None:
    assert of(tmp_path) == Revision(name="none")
    git(tmp_path, "init", "--quiet")
    assert of(tmp_path) == Revision(name="none")


def test_no_git_is_none(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")

    assert of(checkout) == Revision(name="none")


def test_a_hooks_own_repository_is_not_taken_for_the_contexts(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """git sets GIT_DIR for what it starts, a post-receive hook that releases for one."""
    monkeypatch.setenv("GIT_DIR", "/nonexistent/repository.git")

    assert of(checkout).name != "none"


def test_a_checkout_of_another_user_is_read_and_runs_nothing_as_us(
    checkout: Path, tmp_path: Path
) -> None:
    """Its configuration can name commands; git itself refuses such a folder."""
    trap = tmp_path / "trap"
    git(checkout, "config", "core.fsmonitor", f"touch {trap}; false")
    if os.geteuid() == 0:
        for path in [checkout, *checkout.rglob("*")]:
            os.chown(path, 65534, 65534, follow_symlinks=False)

    found = of(checkout)

    assert len(found.name) == 7
    assert not trap.exists()


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://u:p@git.example/x.git", "https://git.example/x.git"),
        ("https://t0ken@git.example:8443/x.git?a=t0ken#b", "https://git.example:8443/x.git"),
        ("ssh://git:p@git.example/x.git", "ssh://git.example/x.git"),
        ("git@git.example:team/x.git", "git@git.example:team/x.git"),
        ("/srv/git/x.git", "/srv/git/x.git"),
        ("", ""),
    ],
)
def test_a_remotes_credentials_are_left_out(url: str, told: str) -> None:
    assert without_credentials(url) == told


def test_two_commits_are_compared_below_the_context_alone(checkout: Path) -> None:
    first = git(checkout, "rev-parse", "--short=7", "HEAD")
    (checkout / "other/notes").write_text("more")
    git(checkout, "commit", "--quiet", "--all", "-m", "second")
    second = git(checkout, "rev-parse", "--short=7", "HEAD")

    assert same_sources(checkout / "site", first, second) is True
    assert same_sources(checkout, first, second) is False


@pytest.mark.parametrize("other", ["0badc0d", "v1.0", "--output=/tmp/x", ""])
def test_a_commit_that_git_does_not_have_cannot_be_compared(checkout: Path, other: str) -> None:
    first = git(checkout, "rev-parse", "--short=7", "HEAD")

    assert same_sources(checkout, first, other) is None
