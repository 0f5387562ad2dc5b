"""What a release knows of its image's making."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import pytest

from bluegreen.builder.revision import Revision
from bluegreen.model import FileFact
from bluegreen.proof.origin import Birth, making
from bluegreen.settings import BuildSettings

PAGE = b"<!doctype html>"
FACT = FileFact(hashlib.sha256(PAGE).hexdigest(), len(PAGE), "text/html")


@pytest.fixture
def birth(tmp_path: Path) -> Birth:
    build = BuildSettings.model_validate({"context": str(tmp_path)})
    return Birth(build=build, revision=Revision(name="none"), started=1000.0)


def put(path: Path, content: bytes, when: float = 500.0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (when, when))


def test_the_contexts_file_with_the_very_bytes_is_found(birth: Birth, tmp_path: Path) -> None:
    """Beside a template of the same name, as Vite's is."""
    put(tmp_path / "index.html", b"<!doctype htm1>")
    put(tmp_path / "dist/index.html", PAGE)

    found = making(birth, FACT, "index.html", "")

    assert (found.context_path, found.context_index) == ("dist/index.html", 500.0)


@pytest.mark.parametrize("folder", ["node_modules/a", ".git", "a/b/c/d/e"])
def test_what_no_build_copies_is_not_searched(birth: Birth, tmp_path: Path, folder: str) -> None:
    put(tmp_path / folder / "index.html", PAGE)

    assert making(birth, FACT, "index.html", "").context_index is None


def test_an_image_that_was_given_has_no_build(birth: Birth, tmp_path: Path) -> None:
    put(tmp_path / "index.html", PAGE)
    given = replace(birth, given="shop:1", given_created="1970-01-01T00:00:07Z")

    found = making(given, FACT, "index.html", "")

    assert (found.started, found.given_created, found.context_index) == (None, 7.0, None)


def test_a_dirty_tree_cannot_be_compared(birth: Birth) -> None:
    dirty = replace(birth, revision=Revision(name="3f2a9c1-dirty"))

    assert making(dirty, FACT, "index.html", "3f2a9c1").same_sources is None
