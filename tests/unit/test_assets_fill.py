"""The step that fills the asset store: what it asks, copies, leaves out and says."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from urllib.parse import unquote

import pytest

from bluegreen.artifact import media_types
from bluegreen.assets import Store, fill, recorded
from bluegreen.assets.fill import Kept, told
from bluegreen.errors import Rejected
from bluegreen.model import Exchange, FileFact, Manifest
from bluegreen.settings import AssetSettings

_FIRST, _SECOND, _THIRD = (f"2026030{n}-000000-aaaa" for n in (1, 2, 3))
Answer = Callable[[str, bytes], Exchange]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "web", 0o755, 0o600)


def served(path: str, data: bytes, **headers: str) -> Exchange:
    kind = media_types.expected(path)
    return Exchange(
        via="preview",
        url=path,
        host="",
        status=200,
        media_type=kind,
        sha256=sha256(data).hexdigest(),
        headers={"content-type": kind, **headers},
    )


def run(
    store: Store,
    files: Mapping[str, bytes],
    *,
    release: str = _FIRST,
    answer: Answer = served,
    rewritten: frozenset[str] = frozenset(),
    image: Mapping[str, bytes] | None = None,
) -> Kept:
    """Keep `files`; `image` is what its tar really has."""
    facts = {
        path: FileFact(sha256(data).hexdigest(), len(data), media_types.expected(path), 1e9)
        for path, data in files.items()
    }

    @contextmanager
    def read() -> Iterator[Iterator[bytes]]:
        yield iter([_tar(files if image is None else image)])

    return fill.keep(
        store,
        release,
        Manifest(facts, "digest"),
        AssetSettings(),
        rewritten,
        lambda path, *_: answer(unquote(path), files[unquote(path).lstrip("/")]),
        read,
    )


def _tar(files: Mapping[str, bytes]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as tar:
        for path, data in files.items():
            entry = tarfile.TarInfo(f"www/{path}")
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return target.getvalue()


def test_assets_are_kept_once_and_nothing_else(store: Store) -> None:
    files = {"index.html": b"page", "assets/a.js": b"one", "assets/b.js": b"two", "c.js": b"3"}
    kept = run(store, files)
    assert (kept.new, kept.known, kept.size) == (2, 0, 6)
    again = run(store, files, release=_SECOND)
    assert (again.new, again.known, again.size) == (0, 2, 0)
    assert [set(one.files) for one in store.releases()] == [{"/assets/a.js", "/assets/b.js"}] * 2
    assert told(kept) == told(again) == []


@pytest.mark.parametrize("image", [None, {"other.js": b"two"}], ids=["whole", "lacks a file"])
def test_no_temporary_file_outlives_the_step(
    store: Store, image: Mapping[str, bytes] | None
) -> None:
    """Also where the release ends here, or before it is pruned."""
    with suppress(Rejected):
        run(store, {"assets/a.js": b"one"}, image=image)
    assert (store.folder / "releases").is_dir()
    assert not list((store.folder / "tmp").iterdir())


def test_the_same_bytes_at_two_paths_are_both_kept(store: Store) -> None:
    """Also where one is a link in the image, and so has no bytes of its own there."""
    files = {"assets/a.js": b"one", "assets/b.js": b"one"}
    run(store, files, image={"assets/a.js": b"one", "other.js": b"two"})
    assert store.where("/assets/a.js") == store.where("/assets/b.js") == 0


def test_twins_come_along_and_are_not_asked_for(store: Store) -> None:
    asked = []

    def answer(path: str, data: bytes) -> Exchange:
        asked.append(path)
        return served(path, data)

    run(
        store,
        {"assets/a.js": b"one", "assets/a.js.br": b"br", "assets/a.js.gz": b"gz"},
        answer=answer,
    )
    assert asked == ["/assets/a.js"]
    assert {store.where(f"/assets/a.js{end}") for end in ("", ".br", ".gz")} == {0}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"status": 0, "error": "it hung"}, "had no answer (it hung)"),
        ({"status": 404}, "status 404"),
        ({"media_type": "text/html"}, "served as text/html"),
        ({"sha256": "0" * 64}, "other bytes than the image"),
    ],
)
def test_what_is_served_otherwise_is_left_out_and_said(
    store: Store, change: dict[str, object], reason: str
) -> None:
    def answer(path: str, data: bytes) -> Exchange:
        from dataclasses import replace

        return replace(served(path, data), **change)  # type: ignore[arg-type]

    kept = run(store, {"assets/a.js": b"one"}, answer=answer)
    assert store.where("/assets/a.js") is None
    (warning,) = told(kept)
    assert "'/assets/a.js' is served live only" in warning and reason in warning


def test_what_is_not_answered_in_time_is_said(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fill, "ASK_TIME", 0.0)
    (warning,) = told(run(store, {f"assets/{n}.js": b"%d" % n for n in range(5)}))
    assert "and 2 more are served live only" in warning and "in time" in warning


def test_a_changed_path_leaves_the_store_for_good_and_is_said_once(store: Store) -> None:
    """Before the switch: with order = "store" the old bytes would hide the new ones."""
    path = "assets/settings.js"
    assert told(run(store, {path: b"one"})) == []
    (warning,) = told(run(store, {path: b"two", f"{path}.gz": b"x"}, release=_SECOND))
    assert path in warning and "changed its bytes" in warning
    assert store.where(f"/{path}") is None
    assert told(run(store, {path: b"one"}, release=_THIRD)) == []
    assert store.where(f"/{path}") is None


@pytest.mark.parametrize("named", ["assets/env.js", "*/env.js"])
def test_rewritten_files_are_not_immutable(store: Store, named: str) -> None:
    kept = run(store, {"assets/env.js": b"one"}, rewritten=frozenset({named}))
    assert store.where("/assets/env.js") is None and told(kept) == []


def test_other_headers_wait_until_the_release_is_live(store: Store) -> None:
    files = {"assets/a.js": b"one", "assets/a.js.br": b"br"}
    run(store, files)
    before = store.headers_of(0)
    kept = run(
        store, files, release=_SECOND, answer=lambda path, data: served(path, data, vary="X")
    )
    assert store.where("/assets/a.js") == 0 and store.headers_of(0) == before
    assert kept.moves == {"/assets/a.js": 1, "/assets/a.js.br": 1}
    assert store.headers_of(1) == recorded(served("/assets/a.js", b"", vary="X").headers)


def test_what_a_dead_run_left_is_written_anew(store: Store) -> None:
    """No document says which bytes it has."""
    run(store, {"assets/a.js": b"wrong"})
    store.forget(_FIRST)
    kept = run(store, {"assets/a.js": b"right"}, release=_SECOND)
    assert kept.new == 1
    assert (store.folder / "00/files/assets/a.js").read_bytes() == b"right"


def test_an_image_that_changed_meanwhile_is_refused(store: Store) -> None:
    with pytest.raises(Rejected, match="not in the image any more"):
        run(store, {"assets/a.js": b"one"}, image={"assets/a.js": b"two"})
    assert store.where("/assets/a.js") is None


def test_a_broken_stream_is_refused(store: Store) -> None:
    whole = _tar({"assets/a.js": b"x" * 5000})

    @contextmanager
    def read() -> Iterator[Iterator[bytes]]:
        yield iter([whole[:1500]])

    fact = FileFact(sha256(b"x" * 5000).hexdigest(), 5000, "text/javascript")
    with pytest.raises(Rejected, match="cannot be read from the image"):
        fill.keep(
            store,
            _FIRST,
            Manifest({"assets/a.js": fact}, "digest"),
            AssetSettings(),
            frozenset(),
            lambda path, *_: served(path, b"x" * 5000),
            read,
        )


def test_names_that_the_store_does_not_take_are_said(store: Store) -> None:
    odd = {"assets/a\\b.js": b"one", "assets/\udcff.js": b"two", "assets/data.json.gz": b"three"}
    kept = run(store, odd)
    (warning,) = told(kept)
    assert "has a name" in warning
    assert warning.encode()  # it can be printed
    assert list((store.folder).glob("0*")) == []
