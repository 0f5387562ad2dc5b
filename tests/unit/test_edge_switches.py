"""The pointer's switch on a real folder; the edge's view of it is given by the test."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bluegreen.edge import Registry
from bluegreen.edge.caddy.switches import PointerSwitch
from bluegreen.errors import EdgeError, EdgeUnreachable
from bluegreen.model import IDLE, Upstream
from bluegreen.state.folder import State

_ONE, _TWO = Upstream("bg-web-one", 80), Upstream("bg-web-two", 8080)


@pytest.fixture
def pointer(tmp_path: Path) -> Path:
    state = State(tmp_path / "state")
    state.prepare()
    Registry(state).ensure_pointer("web")
    return state.pointer("web")


def _switch(pointer: Path) -> PointerSwitch:
    return PointerSwitch(Registry(State(pointer.parents[2])), "web", lambda: pointer.read_text())


def test_live_is_what_the_pointer_names(pointer: Path) -> None:
    """The idle listener is no release; so is a missing file, which `register` mends."""
    switch = _switch(pointer)
    assert switch.live() is None
    switch.switch(_TWO)
    assert switch.live() == _TWO
    switch.switch(None)
    assert pointer.read_text() == IDLE
    pointer.unlink()
    assert switch.live() is None


def test_after_prepare_both_ways_are_bare_renames(
    pointer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They work where no file can be made any more, as on a full disk."""
    switch = _switch(pointer)
    switch.switch(_ONE)
    switch.prepare(_TWO, _ONE)

    def full(*_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    real_open = os.open
    monkeypatch.setattr(
        os,
        "open",
        lambda path, flags, *rest: full() if flags & os.O_CREAT else real_open(path, flags, *rest),
    )
    switch.switch(_TWO)
    switch.switch(_ONE)
    assert switch.live() == _ONE


def test_the_pointer_is_for_the_edge_to_read_whatever_the_umask(pointer: Path) -> None:
    """The edge is another user; a file that it cannot read is a 502 for every request."""
    before = os.umask(0o077)
    try:
        switch = _switch(pointer)
        switch.prepare(_ONE, None)
        switch.switch(_ONE)
    finally:
        os.umask(before)
    assert pointer.stat().st_mode & 0o777 == 0o644


def test_what_a_dead_run_staged_is_gone_after_the_next_prepare(pointer: Path) -> None:
    """And a live run stages each way once."""
    _switch(pointer).prepare(_ONE, None)
    switch = _switch(pointer)
    switch.prepare(_TWO, _ONE)
    switch.prepare(_TWO, _ONE)
    assert len(list(pointer.parent.glob(".tmp-*"))) == 2


def test_an_edge_that_reads_another_file_is_found_out(pointer: Path) -> None:
    """A rename on the host proves nothing of what the container sees."""
    registry = Registry(State(pointer.parents[2]))
    switch = PointerSwitch(registry, "web", lambda: "something:1")
    with pytest.raises(EdgeError, match="the edge reads something:1"):
        switch.switch(_ONE)


@pytest.mark.parametrize("text", ["nonsense", "", "name:port", "unix//other.sock"])
def test_nonsense_in_the_pointer_is_not_taken_for_no_release(pointer: Path, text: str) -> None:
    """Only an empty one is, which every request waits out and `register` fills."""
    pointer.write_text(text)
    if text:
        with pytest.raises(EdgeError, match="names no container"):
            _switch(pointer).live()
    else:
        assert _switch(pointer).live() is None


def test_an_edge_that_is_gone_is_told_with_what_it_will_read_when_it_is_back(pointer: Path) -> None:
    def gone() -> str:
        raise EdgeUnreachable("the edge does not answer", hint="bluegreen edge status")

    switch = PointerSwitch(Registry(State(pointer.parents[2])), "web", gone)
    with pytest.raises(EdgeUnreachable, match=f"names {_ONE}, and nobody saw it") as caught:
        switch.switch(_ONE)
    assert caught.value.hint == "bluegreen edge status"
    assert switch.live() == _ONE
