"""A manifest lists what a web server would serve, from a tar stream of any chunking."""

from __future__ import annotations

import gzip
import hashlib
import io
import itertools
import json
import sqlite3
import tarfile
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import suppress
from urllib.parse import quote

import brotli
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from bluegreen.artifact import manifest
from bluegreen.errors import Rejected

Content = bytes | str | tarfile.TarInfo


def tar_of(entries: list[tuple[str, Content]], form: int = tarfile.PAX_FORMAT) -> bytes:
    """Bytes make a file, text a symbolic link; anything else is an entry of its own."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
        for name, content in entries:
            if isinstance(content, tarfile.TarInfo):
                content.name = name
                tar.addfile(content)
                continue
            entry = tarfile.TarInfo(name)
            if isinstance(content, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, content
                tar.addfile(entry)
            else:
                entry.size, entry.mtime = len(content), 1_700_000_000
                tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def special(kind: bytes, linkname: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo()
    entry.type, entry.linkname = kind, linkname
    return entry


def chunked(data: bytes, size: int = 4096) -> Iterator[bytes]:
    return (data[i : i + size] for i in range(0, len(data), size))


def read(*entries: tuple[str, Content], folder: str = "/srv/www") -> manifest.WebRoot:
    return manifest.read(chunked(tar_of(list(entries))), folder=folder)


@pytest.mark.parametrize("size", [1, 511, 512, 10_000, 1 << 20])
def test_every_file_is_listed_with_its_digest_size_type_and_time(size: int) -> None:
    data = tar_of([("www/index.html", b"<html>"), ("www/assets/a.js", b"1" * 3000)])
    root = manifest.read(chunked(data, size), frozenset({"index.html"}))
    assert set(root.manifest.files) == {"index.html", "assets/a.js"}
    index = root.manifest.files["index.html"]
    assert index.sha256 == hashlib.sha256(b"<html>").hexdigest()
    assert (index.size, index.media_type, index.modified) == (6, "text/html", 1_700_000_000)
    assert root.kept == {"index.html": b"<html>"}


def test_the_digest_tells_content_and_names_apart() -> None:
    def digest(*entries: tuple[str, Content]) -> str:
        return read(*entries).manifest.digest

    one = digest(("www/a", b"1"), ("www/b", b"2"))
    assert one == digest(("www/b", b"2"), ("www/a", b"1"))
    assert one != digest(("www/a", b"2"), ("www/b", b"1"))
    assert one != digest(("www/a", b"1"), ("www/c", b"2"))


def test_long_and_foreign_names_are_read_in_every_form_of_tar() -> None:
    name = "www/" + "/".join(["folder-" + "n" * 60] * 5) + "/größe-日本.js"
    for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        root = manifest.read(chunked(tar_of([(name, b"1")], form)))
        assert list(root.manifest.files) == [name.removeprefix("www/")]


# --- links --------------------------------------------------------------------


def test_links_inside_the_root_are_followed_and_others_are_not_served() -> None:
    data = tar_of(
        [
            ("www/a.html", b"page"),
            ("www/index.html", "a.html"),
            ("www/out.txt", "/etc/passwd"),
            ("www/up.txt", "../secret"),
            ("www/nowhere", "missing"),
            ("www/loop", "loop"),
        ]
    )
    root = manifest.read(chunked(data), frozenset({"a.html", "index.html"}), folder="/srv/www")
    assert set(root.manifest.files) == {"a.html", "index.html"}
    assert root.kept["index.html"] == b"page"
    assert root.unserved == {
        "out.txt": "/etc/passwd",
        "up.txt": "../secret",
        "nowhere": "missing",
        "loop": "loop",
    }
    assert "4 links" in root.warnings[0]
    assert "out.txt" in root.warnings[0] or "loop" in root.warnings[0]


@pytest.mark.parametrize(
    ("target", "served"),
    [
        ("build/assets", True),
        ("./build/../build/assets/", True),
        ("../www/build/assets", True),  # up and back into it
        ("/srv/www/build/assets", True),
        ("/srv/www/../www/build/assets", True),
        ("/srv/other", False),
        ("/build/assets", False),
        ("../../etc", False),
    ],
)
def test_a_linked_folder_is_served_where_it_stays_inside(target: str, served: bool) -> None:
    root = read(("www/assets", target), ("www/build/assets/js/a.js", b"1"))
    assert ("assets/js/a.js" in root.manifest.files) is served
    assert ("assets" in root.unserved) is not served
    assert "build/assets/js/a.js" in root.manifest.files


def test_chains_of_links_are_followed_and_a_folder_in_itself_is_walked_once() -> None:
    root = read(
        ("www/one", "two"),
        ("www/two", "three"),
        ("www/three", "real"),
        ("www/real/a.js", b"1"),
        ("www/real/self", "."),
        ("www/real/up", ".."),
        ("www/x", "y"),
        ("www/y", "x"),
    )
    files = root.manifest.files
    assert {"one/a.js", "two/a.js", "three/a.js", "real/a.js"} <= set(files)
    assert not any(path.count("self") > 1 or path.count("up") > 1 for path in files)
    assert set(root.unserved) == {"x", "y"}


def test_links_that_stand_for_more_files_than_any_site_has_are_rejected() -> None:
    """Ten links to ten links to ten links … are 10⁸ paths of one file."""
    entries: list[tuple[str, Content]] = [("www/d8/file.js", b"1")]
    for level in range(8):
        entries += [(f"www/d{level}/l{n}", f"../d{level + 1}") for n in range(10)]
    with pytest.raises(Rejected, match="200,000 files"):
        read(*entries)


def test_a_hard_link_is_the_file_that_it_names() -> None:
    root = read(("www/a.js", b"one"), ("www/b.css", special(tarfile.LNKTYPE, "www/a.js")))
    assert root.manifest.files["b.css"].sha256 == root.manifest.files["a.js"].sha256
    assert root.manifest.files["b.css"].media_type == "text/css"


def test_a_later_entry_of_the_same_name_takes_the_place_of_the_one_before() -> None:
    root = read(("www/a.js", b"import './old.js'"), ("www/a.js", b"new"))
    assert root.manifest.files["a.js"].sha256 == hashlib.sha256(b"new").hexdigest()
    assert not root.named


# --- names and kinds that no site has -----------------------------------------


def test_devices_and_pipes_are_not_served_and_said() -> None:
    root = read(
        ("www/index.html", b"1"),
        ("www/zero", special(tarfile.CHRTYPE)),
        ("www/disk", special(tarfile.BLKTYPE)),
        ("www/pipe", special(tarfile.FIFOTYPE)),
    )
    assert list(root.manifest.files) == ["index.html"]
    assert "3 entries under the web root are devices or pipes" in root.warnings[0]


@pytest.mark.parametrize("name", ["caf\udce9.js", "line\nbreak.js", "esc\x1b[2J.js", "c1\x9b.js"])
def test_a_name_that_no_terminal_or_database_takes_counts_and_is_not_listed(name: str) -> None:
    root = read(("www/index.html", b"1"), (f"www/{name}", b"2"))
    assert list(root.manifest.files) == ["index.html"]
    (warning,) = root.warnings
    assert "not plain UTF-8 text" in warning
    assert warning.isprintable()
    assert root.manifest.digest != read(("www/index.html", b"1")).manifest.digest


def test_every_listed_name_survives_json_a_database_and_a_url() -> None:
    names = ["größe.js", "a b.js", "100%.js", "日本/🎉.css", "q?x#y.js", "back\\slash", "'\"<&>.js"]
    root = read(*((f"www/{name}", b"1") for name in names))
    assert set(root.manifest.files) == set(names)
    with sqlite3.connect(":memory:") as database:
        for name in root.manifest.files:
            assert json.loads(json.dumps(name, ensure_ascii=False).encode()) == name
            assert database.execute("SELECT ?", (name,)).fetchone() == (name,)
            assert quote(name)


# --- hostile archives ---------------------------------------------------------


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.size, entry.type = size, kind
    return entry.tobuf(tarfile.GNU_FORMAT)


def pax(records: bytes) -> bytes:
    padding = bytes(-len(records) % 512)
    return header("pax", len(records), tarfile.XHDTYPE) + records + padding


SOUND = tar_of([("www/a.js", b"1" * 5000), ("www/b.js", b"2" * 5000)])
END = bytes(1024)
HOSTILE: dict[str, tuple[Callable[[], Iterator[bytes]], str]] = {
    "nothing": (lambda: iter(()), "cannot be read"),
    "no tar": (lambda: iter([b"<html>" * 200]), "cannot be read"),
    "broken off in a file": (lambda: chunked(SOUND[:3000]), "breaks off in"),
    "broken off between two files": (lambda: chunked(SOUND[:5632]), "breaks off"),
    "broken off in a header": (lambda: chunked(SOUND[:5800]), "cannot be read"),
    "without its end": (lambda: chunked(SOUND.rstrip(b"\0") + bytes(100)), "cannot be read"),
    "rubbish after a file": (lambda: chunked(SOUND[:5632] + b"x" * 2048), "breaks off"),
    "up and out": (lambda: chunked(tar_of([("www/a", b""), ("www/../../x", b"1")])), "outside"),
    "absolute": (lambda: chunked(tar_of([("www/a", b""), ("/etc/passwd", b"1")])), "outside"),
    "another folder": (lambda: chunked(tar_of([("www/a", b""), ("etc/a", b"1")])), "outside"),
    "hard link out": (
        lambda: chunked(
            tar_of([("www/a", b""), ("www/b", special(tarfile.LNKTYPE, "../etc/shadow"))])
        ),
        "outside",
    ),
    "a file as the root": (lambda: chunked(tar_of([("www", b"1")])), "not a folder"),
    "an endless file": (
        lambda: itertools.chain([header("www/a", 1 << 60)], itertools.repeat(bytes(1 << 16))),
        "more than 20 GB",
    ),
    "a negative size": (
        lambda: chunked(pax(b"13 size=-512\n") + header("www/a", 0) + END),
        "cannot be read",
    ),
    "an endless name": (
        lambda: itertools.chain(
            [header("x", 1 << 40, tarfile.GNUTYPE_LONGNAME)], itertools.repeat(b"a" * 65536)
        ),
        "longer than any engine writes",
    ),
    "an endless extended header": (
        lambda: itertools.chain(
            [header("x", 1 << 33, tarfile.XHDTYPE)], itertools.repeat(b"1" * 65536)
        ),
        "longer than any engine writes",
    ),
    "headers without end": (
        lambda: itertools.chain.from_iterable(
            itertools.repeat((header("x", 512, tarfile.XHDTYPE), b"9 a=bcde\n" + bytes(503)))
        ),
        "cannot be read",
    ),
    "a sparse file of a petabyte": (
        lambda: chunked(
            pax(b"22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n")
            + pax(b"36 GNU.sparse.realsize=999999999999999\n")
            + header("www/a", 0)
            + END
        ),
        "cannot be read",
    ),
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_is_rejected_with_its_reason_in_little_memory(name: str) -> None:
    stream, says = HOSTILE[name]
    tracemalloc.start()
    try:
        with pytest.raises(Rejected, match=says):
            manifest.read(stream(), timeout=10)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 12 << 20


@pytest.mark.timeout(20)
def test_a_header_that_slows_its_parser_is_bounded_by_its_length() -> None:
    """tarfile's time for a run of digits grows with its square. Newer ones leave such a header
    out, older ones refuse it."""
    bomb = pax(b"1" * 16_000) + header("www/a", 0)
    with suppress(Rejected):
        assert set(manifest.read(iter([bomb * 5 + END])).manifest.files) == {"a"}


def test_an_archive_that_drips_is_given_up_at_the_deadline() -> None:
    drops = itertools.repeat(b"\0")
    with pytest.raises(Rejected, match=r"did not end within 0\.2 s"):
        manifest.read(itertools.chain([header("www/a", 1 << 30)], drops), timeout=0.2)


def test_more_files_than_any_site_has_are_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "MAX_FILES", 1000)
    with pytest.raises(Rejected, match="more than 1,000 files"):
        read(*((f"www/{n}", b"") for n in range(1001)))


def test_memory_does_not_grow_with_the_size_of_the_files() -> None:
    def stream() -> Iterator[bytes]:
        for n in range(40):
            yield header(f"www/{n}.bin", 8 << 20)
            yield from itertools.repeat(bytes(1 << 18), 32)
        yield END

    tracemalloc.start()
    try:
        root = manifest.read(stream())
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(root.manifest.files) == 40
    assert most < 4 << 20


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=2000), st.integers(0, len(SOUND)), st.integers(1, 4096))
def test_an_archive_with_any_bytes_in_it_is_read_or_rejected(
    noise: bytes, at: int, size: int
) -> None:
    data = SOUND[:at] + noise + SOUND[at + len(noise) :]
    with suppress(Rejected):
        manifest.read(chunked(data, size), timeout=10)


# --- precompressed twins --------------------------------------------------------

PAGE = b"<!doctype html><title>this build</title>" + bytes(range(256)) * 40
OLD = b"<!doctype html><title>the last build</title>"
TWINS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": lambda content: gzip.compress(content, mtime=0),
    ".br": lambda content: brotli.compress(content, quality=2),
    ".zst": zstandard.ZstdCompressor().compress,
}


@pytest.mark.parametrize("suffix", TWINS)
def test_a_twin_with_the_same_content_is_a_file_like_any_other(suffix: str) -> None:
    root = read(("www/index.html", PAGE), (f"www/index.html{suffix}", TWINS[suffix](PAGE)))
    assert not root.stale
    assert f"index.html{suffix}" in root.manifest.files


@pytest.mark.parametrize("suffix", TWINS)
@pytest.mark.parametrize(
    ("content", "says"),
    [
        (lambda pack: pack(OLD), "not that of index.html"),
        (lambda pack: pack(PAGE + b"x"), "not that of index.html"),
        (lambda pack: pack(PAGE)[:-20], "cannot be decoded|not that of"),
        (lambda _: b"plain text" * 9, "cannot be decoded"),
        (lambda _: b"", "cannot be decoded|not that of"),
        (lambda pack: pack(bytes(300 << 20)), "not that of index.html"),  # a bomb
    ],
)
def test_a_stale_or_broken_twin_is_known_in_bounded_memory(
    suffix: str, content: Callable[[Callable[[bytes], bytes]], bytes], says: str
) -> None:
    data = content(TWINS[suffix])
    tracemalloc.start()
    try:
        root = read(("www/index.html", PAGE), (f"www/index.html{suffix}", data))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    (wrong,) = root.stale.values()
    assert any(text in wrong for text in says.split("|"))
    fact = root.manifest.files[f"index.html{suffix}"]
    assert fact.sha256 == hashlib.sha256(data).hexdigest()
    assert most < 8 << 20


def test_an_archive_without_a_plain_file_beside_it_is_a_download() -> None:
    root = read(("www/data.csv.gz", b"not even gzip"), ("www/logo.png", b"1"))
    assert not root.stale
