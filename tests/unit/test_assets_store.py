"""The store on disk: classes, places, crashes, and what is refused."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from bluegreen.assets import CLASSES, SLOTS, Asset, Contents, Recorded, Store, Usage, recorded
from bluegreen.errors import NotFit

_PLAIN = {"content-type": "text/javascript", "cache-control": "max-age=1"}
_ONE, _TWO = "20260301-000000-aaaa", "20260302-000000-bbbb"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "web", 0o755, 0o600)
    store.prepare()
    return store


def _put(store: Store, path: str, data: bytes, headers: Recorded = recorded(_PLAIN)) -> bool:  # noqa: B008
    number = store.class_for(headers)
    assert number is not None
    staged = store.temporary()
    staged.write_bytes(data)
    store.dress(staged, 0)
    return store.put(staged, path, number)


def _files(*paths: str) -> dict[str, Asset]:
    return {path: Asset("0" * 64, 3) for path in paths}


# --- headers -----------------------------------------------------------------


def test_what_is_recorded_of_an_answer() -> None:
    """What a browser decides by; nothing that belongs to one answer."""
    sent = _PLAIN | {"etag": '"1"', "date": "now", "vary": "Accept-Encoding, Origin", "x-mine": "1"}
    assert dict(recorded(sent)) == {
        "Content-Type": "text/javascript",
        "Cache-Control": "max-age=1",
        "Vary": "Origin",
    }
    assert "Vary" not in dict(recorded(_PLAIN | {"vary": "accept-encoding"}))


def test_equal_headers_share_a_class_also_for_the_next_run(store: Store) -> None:
    other = recorded(_PLAIN | {"link": "</a>; rel=x", "x-robots-tag": "none", "vary": "Origin"})
    numbers = [store.class_for(headers) for headers in (recorded(_PLAIN), other, other)]
    assert numbers == [0, 1, 1]
    again = Store(store.folder, 0o755, 0o600)
    assert again.headers_of(1) == other
    assert again.class_for(other) == 1


def test_there_is_no_class_beyond_the_last(store: Store) -> None:
    kinds = [recorded(_PLAIN | {"x-robots-tag": str(n)}) for n in range(CLASSES + 1)]
    assert [store.class_for(kind) for kind in kinds] == [*range(CLASSES), None]


def test_a_class_has_places_for_so_many_unusual_headers(store: Store) -> None:
    from bluegreen.assets.headers import OTHER_HEADERS

    names = [name.lower() for name in OTHER_HEADERS]
    full = recorded(_PLAIN | dict.fromkeys(names[:SLOTS], "x"))
    number = store.class_for(full)
    assert number is not None
    assert Store(store.folder, 0o755, 0o600).headers_of(number) == full
    assert store.class_for(recorded(_PLAIN | dict.fromkeys(names[: SLOTS + 1], "x"))) is None


# --- files -------------------------------------------------------------------


def test_a_file_has_its_place_and_the_edge_may_read_it_whatever_the_umask(store: Store) -> None:
    before = os.umask(0o077)
    try:
        assert _put(store, "/assets/deep/a.js", b"one")
    finally:
        os.umask(before)
    assert store.where("/assets/deep/a.js") == 0
    file = store.folder / "00" / "files" / "assets" / "deep" / "a.js"
    assert file.read_bytes() == b"one"
    assert file.stat().st_mode & 0o777 == 0o644
    assert file.parent.stat().st_mode & 0o777 == 0o755
    assert all(path.stat().st_mode & 0o044 for path in (store.folder / "00").rglob("*"))


@pytest.mark.parametrize("path", ["/../x.js", "/a/../../x.js", "a.js", "/a\0.js", "/", "//x.js"])
def test_nothing_is_written_outside(store: Store, path: str) -> None:
    """Whoever asked, and whatever was checked before."""
    before = sorted(store.folder.parent.rglob("*"))
    with pytest.raises(ValueError, match="no path of the store"):
        store.put(store.temporary(), path, 0)
    assert sorted(store.folder.parent.rglob("*")) == before


def test_a_folder_and_a_file_of_one_name_do_not_mix(store: Store) -> None:
    assert _put(store, "/a/x.js", b"one")
    assert not _put(store, "/a/x.js/y.js", b"two")
    assert _put(store, "/b/z.d/y.js", b"two")
    assert not _put(store, "/b/z.d", b"one")


def test_a_file_moves_to_the_class_of_its_new_headers(store: Store) -> None:
    _put(store, "/a.js", b"one")
    number = store.class_for(recorded({"content-type": "text/plain"}))
    assert number is not None
    store.move("/a.js", number)
    assert store.where("/a.js") == number
    assert not (store.folder / "00" / "files" / "a.js").exists()


def test_a_full_disk_is_said(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "link", full)
    with pytest.raises(NotFit, match="no space is left for the asset store") as failed:
        _put(store, "/a.js", b"one")
    assert "bluegreen prune" in failed.value.hint


# --- releases ----------------------------------------------------------------


def test_what_a_release_needs_is_read_back(store: Store) -> None:
    contents = Contents(id=_ONE, files=_files("/a.js"), changing=frozenset({"/b.js"}))
    store.record(contents)
    (store.folder / "releases" / ".tmp-half").write_text("{")
    assert store.releases() == (contents,)
    store.forget(_ONE)
    store.forget(_ONE)
    assert store.releases() == ()


def test_a_document_that_cannot_be_read_is_said(store: Store) -> None:
    (store.folder / "releases" / f"{_ONE}.json").write_text("{")
    with pytest.raises(NotFit, match="cannot be read"):
        store.releases()


def test_collecting_keeps_what_a_kept_release_needs_and_nothing_else(store: Store) -> None:
    for path in ("/only/one.js", "/both.js", "/two.js", "/nobody.js"):
        _put(store, path, b"abc")
    _put(store, "/one.txt", b"abc", recorded({"content-type": "text/plain"}))
    store.record(Contents(id=_ONE, files=_files("/only/one.js", "/both.js", "/one.txt")))
    store.record(Contents(id=_TWO, files=_files("/both.js", "/two.js")))
    assert store.usage() == Usage(files=5, size=15, releases=2)
    gone = Usage(files=3, size=9, releases=1)
    assert store.unneeded({_TWO}) == gone
    assert store.usage().files == 5
    assert store.collect({_TWO}) == gone
    assert [store.where(path) for path in ("/both.js", "/two.js", "/only/one.js")] == [0, 0, None]
    assert not (store.folder / "00" / "files" / "only").exists()
    assert not (store.folder / "01").exists()  # its place is free again
    assert store.class_for(recorded({"content-type": "image/png"})) == 1
    assert [contents.id for contents in store.releases()] == [_TWO]


def test_a_dead_runs_half_files_are_gone_with_the_next_run(store: Store) -> None:
    half = store.temporary()
    half.write_bytes(b"hal")
    store.prepare()
    assert not half.exists()


def test_a_file_at_two_paths_takes_its_space_once(store: Store) -> None:
    staged = store.temporary()
    staged.write_bytes(b"abc")
    assert store.class_for(recorded(_PLAIN)) == 0
    assert store.put(staged, "/a.js", 0) and store.put(staged, "/b.js", 0)
    assert store.usage() == Usage(files=2, size=3, releases=0)


def test_usage_is_told_beside_a_command_that_collects(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`status` takes no lock: a file may be gone between its name and the look at it."""
    _put(store, "/a/1.js", b"one")
    _put(store, "/a/2.js", b"two")
    store.record(Contents(id=_ONE, files=_files("/a/1.js")))
    store.record(Contents(id=_TWO, files=_files("/a/2.js")))
    seen = list(store._served())
    monkeypatch.setattr(store.__class__, "_served", lambda _: iter(seen))
    documents = sorted((store.folder / "releases").iterdir())
    monkeypatch.setattr(Path, "glob", lambda *_: iter(documents))
    store.take_out("/a/1.js")
    store.forget(_ONE)
    assert store.usage() == Usage(files=1, size=3, releases=1)
