"""A manifest lists what a web server would serve, from a tar stream of any chunking."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterator

import pytest

from bluegreen import artifact
from bluegreen.errors import Rejected


def tar_of(entries: list[tuple[str, bytes | str]]) -> bytes:
    """Bytes make a file, text a symbolic link."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in entries:
            entry = tarfile.TarInfo(name)
            if isinstance(content, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, content
                tar.addfile(entry)
            else:
                entry.size, entry.mtime = len(content), 1_700_000_000
                tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def chunked(data: bytes, size: int) -> Iterator[bytes]:
    return (data[i : i + size] for i in range(0, len(data), size))


@pytest.mark.parametrize("size", [1, 511, 512, 10_000, 1 << 20])
def test_every_file_is_listed_with_its_digest_size_type_and_time(size: int) -> None:
    data = tar_of([("www/index.html", b"<html>"), ("www/assets/a.js", b"1" * 3000)])
    root = artifact.read(chunked(data, size), frozenset({"index.html"}))
    assert set(root.manifest.files) == {"index.html", "assets/a.js"}
    index = root.manifest.files["index.html"]
    assert index.sha256 == hashlib.sha256(b"<html>").hexdigest()
    assert (index.size, index.media_type, index.modified) == (6, "text/html", 1_700_000_000)
    assert root.kept == {"index.html": b"<html>"}


def test_links_inside_the_root_are_followed_and_others_are_not_served() -> None:
    data = tar_of(
        [
            ("www/a.html", b"page"),
            ("www/index.html", "a.html"),
            ("www/out.txt", "/etc/passwd"),
            ("www/up.txt", "../secret"),
            ("www/loop", "loop"),
        ]
    )
    root = artifact.read(chunked(data, 4096), frozenset({"a.html", "index.html"}))
    assert set(root.manifest.files) == {"a.html", "index.html"}
    assert root.kept["index.html"] == b"page"


def test_the_digest_tells_content_and_names_apart() -> None:
    def digest(entries: list[tuple[str, bytes | str]]) -> str:
        return artifact.read(chunked(tar_of(entries), 4096)).manifest.digest

    one = digest([("www/a", b"1"), ("www/b", b"2")])
    assert one == digest([("www/b", b"2"), ("www/a", b"1")])
    assert one != digest([("www/a", b"2"), ("www/b", b"1")])
    assert one != digest([("www/a", b"1"), ("www/c", b"2")])


def test_a_stream_that_breaks_off_is_rejected() -> None:
    data = tar_of([("www/a", b"1" * 5000)])
    with pytest.raises(Rejected, match="cannot be read"):
        artifact.read(chunked(data[:3000], 512))
