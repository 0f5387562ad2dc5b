"""Compensations run last in first out, all of them, whatever each of them does."""

from __future__ import annotations

import os
import signal

import pytest

from bluegreen.errors import EngineError, Interrupted, Rejected
from bluegreen.lib import signals
from bluegreen.undo import Undo


def test_a_failure_undoes_in_reverse_order() -> None:
    done: list[str] = []
    with pytest.raises(Rejected), Undo(lambda _: None) as undo:
        undo.later("first", lambda: done.append("first"), by_hand="-")
        undo.later("second", lambda: done.append("second"), by_hand="-")
        raise Rejected("no")
    assert done == ["second", "first"]


def test_after_commit_nothing_is_undone() -> None:
    done: list[str] = []
    with pytest.raises(Rejected), Undo(lambda _: None) as undo:
        undo.later("act", lambda: done.append("act"), by_hand="-")
        undo.commit()
        raise Rejected("too late")
    assert done == []


def test_what_was_committed_can_be_revived_and_is_undone_before_what_came_since() -> None:
    """Users first: they are sent back before the rest is put in order."""
    done: list[str] = []
    with pytest.raises(Rejected), Undo(lambda _: None) as undo:
        undo.later("first", lambda: done.append("first"), by_hand="-")
        undo.later("second", lambda: done.append("second"), by_hand="-")
        undo.commit()
        undo.later("since", lambda: done.append("since"), by_hand="-")
        undo.revive()
        raise Rejected("it fell")
    assert done == ["second", "first", "since"]


def test_success_undoes_nothing() -> None:
    done: list[str] = []
    with Undo(lambda _: None) as undo:
        undo.later("act", lambda: done.append("act"), by_hand="-")
    assert done == []


def test_a_failing_compensation_is_debris_and_stops_neither_the_others_nor_the_error() -> None:
    done: list[str] = []

    def fail() -> None:
        raise EngineError("the engine is gone")

    undo = Undo(lambda _: None)
    with pytest.raises(Rejected), undo:
        undo.later("first", lambda: done.append("first"), by_hand="-")
        undo.later("withdraw x", fail, by_hand="docker rm -f x")
        raise Rejected("no")
    assert done == ["first"]
    assert undo.debris == ["withdraw x failed: the engine is gone; by hand: docker rm -f x"]


def test_a_signal_does_not_cut_an_undo_short() -> None:
    """Ctrl-C in the middle of an undo: it ends, and the first error is what is raised."""
    done: list[str] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signals.install()
    try:
        with pytest.raises(Rejected), Undo(lambda _: None) as undo:
            undo.later("last", lambda: done.append("last"), by_hand="-")
            undo.later("signal", lambda: os.kill(os.getpid(), signal.SIGTERM), by_hand="-")
            raise Rejected("no")
        assert done == ["last"]
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_a_signal_outside_an_undo_is_interrupted() -> None:
    before = signal.getsignal(signal.SIGTERM)
    signals.install()
    try:
        with pytest.raises(Interrupted, match="SIGTERM"):
            os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_block_that_ends_well_can_leave_nothing_behind() -> None:
    done: list[str] = []
    with Undo(lambda _: None) as undo:
        undo.later("first", lambda: done.append("first"), by_hand="-")
        undo.later("last", lambda: done.append("last"), by_hand="-")
        undo.unwind()
    assert done == ["last", "first"]
