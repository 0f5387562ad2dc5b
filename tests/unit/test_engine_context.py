"""The context that the classic builder gets is the one that the docker CLI would send."""

from __future__ import annotations

import os
import socket
import tarfile
from pathlib import Path

import pytest

from bluegreen.engine.context import packed


def pack(context: Path, dockerfile: Path) -> tuple[dict[str, tarfile.TarInfo], str]:
    with packed(context, dockerfile) as (file, name), tarfile.open(fileobj=file) as tar:
        return {entry.name: entry for entry in tar.getmembers()}, name


@pytest.fixture
def context(tmp_path: Path) -> Path:
    context = tmp_path / "context"
    (context / "src" / "deep").mkdir(parents=True)
    for name in ("Dockerfile", "a.txt", "src/b.txt", "src/b.log", "src/deep/keep.log"):
        (context / name).write_text(name)
    return context


def test_dockerignore_is_honoured_with_its_exceptions_and_comments(context: Path) -> None:
    (context / ".dockerignore").write_text(
        "# not these\n**/*.log\n!src/deep/keep.log\nDockerfile\n"
    )

    files, name = pack(context, context / "Dockerfile")

    assert name == "Dockerfile"
    assert {"Dockerfile", "a.txt", "src/b.txt", "src/deep/keep.log"} <= set(files)
    assert "src/b.log" not in files


def test_owners_are_zeroed_so_that_a_chown_misses_no_cache(context: Path) -> None:
    os.chown(context / "a.txt", os.geteuid(), os.getegid())

    files, _ = pack(context, context / "Dockerfile")

    assert {(entry.uid, entry.gid, entry.uname) for entry in files.values()} == {(0, 0, "")}


def test_a_dockerfile_outside_the_context_travels_in_the_tar(context: Path, tmp_path: Path) -> None:
    outside = tmp_path / "Dockerfile.web"
    outside.write_text("FROM scratch\n")

    files, name = pack(context, outside)

    assert name in files
    assert files[name].size == len("FROM scratch\n")


def test_links_stay_links_and_sockets_stay_behind(context: Path) -> None:
    (context / "link").symlink_to("nowhere")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(context / "s.sock"))

        files, _ = pack(context, context / "Dockerfile")

    assert files["link"].issym()
    assert "s.sock" not in files
