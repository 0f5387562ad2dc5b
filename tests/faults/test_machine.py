"""Whatever happens in whatever order: what is promised holds after every step."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from kit.fakes.fast import fast
from kit.fakes.world import FOREIGN_LABELS, Ended, World
from kit.faults.acts import Fault, Kind

#: Of a release that replaces a live one; a fault that is put later never strikes.
_ACTS = 150
_FAULTS = st.builds(Fault, at=st.integers(0, _ACTS), kind=st.sampled_from(list(Kind)))
_BROKEN: tuple[dict[str, Any], ...] = ({"exits": True}, {"status": 500}, {"public_status": 500})


class Life(RuleBasedStateMachine):
    """A site, its operators, its bad luck, and others on the same engine."""

    def __init__(self) -> None:
        super().__init__()
        self._fast = fast()
        self._fast.__enter__()
        memory = Path("/dev/shm")
        self._folder = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None))
        self.world = World(self._folder)
        self.number = 0
        self.foreign: set[str] = set()
        #: A release that is not fit was killed or could not be taken back: until the next
        #: command users may get it.
        self.unfit = False
        #: Somebody killed what was live: until a release they get nothing.
        self.down = False

    def teardown(self) -> None:
        self._fast.__exit__(None, None, None)
        shutil.rmtree(self._folder, ignore_errors=True)

    # --- commands -----------------------------------------------------------

    @rule()
    def release(self) -> None:
        ended = self.world.release(self._version())
        self._expect(ended, 0)
        assert self.world.served == f"v{self.number}"
        self.unfit = self.down = False

    @rule(broken=st.sampled_from(_BROKEN))
    def release_what_is_not_fit(self, broken: dict[str, Any]) -> None:
        before = "" if self.down or self.unfit else self.world.served
        ended = self.world.release(self._version(), **broken)
        self._expect(ended, 4, 5)
        self.unfit = False
        if before:
            assert self.world.served == before

    @rule(fault=_FAULTS)
    def release_with_a_fault(self, fault: Fault) -> None:
        self._after(self.world.release(self._version(), fault))

    @rule(fault=_FAULTS, broken=st.sampled_from(_BROKEN))
    def release_what_is_not_fit_with_a_fault(self, fault: Fault, broken: dict[str, Any]) -> None:
        ended = self.world.release(self._version(), fault, **broken)
        if ended.killed or (ended.result and ended.result.debris):
            self.unfit = True

    @rule()
    def rollback(self) -> None:
        ended = self.world.rollback()
        self._expect(ended, 0, 8)
        self.unfit = False
        if ended.result and ended.result.exit_code == 0:
            self.down = False

    @rule(fault=_FAULTS)
    def rollback_with_a_fault(self, fault: Fault) -> None:
        self._after(self.world.rollback(fault))

    @rule()
    def recover(self) -> None:
        self.world.age_files()
        self._expect(self.world.recover(), *((0, 9) if self.down else (0,)))
        self.unfit = False
        dump = self.world.dump()
        again = self.world.recover()
        assert again.result is not None
        assert again.result.outcome == "unchanged"
        assert self.world.dump() == dump
        assert set(self.world.containers()) <= {self.world.live}
        assert self.world.temporary_files() == []

    @rule(fault=_FAULTS)
    def recover_with_a_fault(self, fault: Fault) -> None:
        self._after(self.world.recover(fault))

    @rule()
    def prune(self) -> None:
        self._expect(self.world.prune(), 0)
        self.unfit = False

    # --- what happens -------------------------------------------------------

    @rule()
    def edge_restarts(self) -> None:
        self.world.restart_edge()

    @rule()
    def host_reboots(self) -> None:
        self.world.reboot()

    @precondition(lambda self: len(self.foreign) < 3)
    @rule(labelled=st.booleans())
    def somebody_starts_a_container(self, labelled: bool) -> None:
        name = f"theirs-{len(self.foreign)}"
        self.world.add_foreign(name, **FOREIGN_LABELS if labelled else {})
        self.foreign.add(name)

    @precondition(lambda self: bool(self.world.live) and not self.down)
    @rule()
    def somebody_kills_what_is_live(self) -> None:
        if self.world.engine.named(self.world.live):
            self.world.engine.kill(self.world.live)
            self.down = True

    # --- invariants ---------------------------------------------------------

    @invariant()
    def users_get_one_whole_release(self) -> None:
        if not (self.unfit or self.down):
            assert self.world.served or not self.world.live

    @invariant()
    def the_pointer_never_goes_back_to_nobody(self) -> None:
        """Once a release was live, one is."""
        if any(row.was_live for row in self.world.ledger_rows()):
            assert self.world.live

    @invariant()
    def nothing_of_others_is_touched(self) -> None:
        for name in self.foreign:
            assert self.world.engine.named(name) is not None

    @invariant()
    def no_more_than_live_and_what_one_run_left(self) -> None:
        """Every command that acts puts away what the one before it left."""
        assert len(self.world.containers()) <= 4

    @invariant()
    def what_a_row_needs_to_be_live_again_is_there(self) -> None:
        """The image of what is live is never removed."""
        container = self.world.engine.named(self.world.live)
        if container is not None:
            assert container.image_id in self.world.engine.made_images

    # --- inside -------------------------------------------------------------

    def _version(self) -> str:
        self.number += 1
        return f"v{self.number}"

    def _after(self, ended: Ended) -> None:
        """A command that ended well has put right what was amiss before."""
        if ended.result and ended.result.exit_code in (0, 9) and ended.result.release:
            self.unfit = self.down = False

    def _expect(self, ended: Ended, *codes: int) -> None:
        assert ended.result is not None
        assert ended.result.exit_code in codes, ended.result


TestLife = Life.TestCase
TestLife.settings = settings(
    max_examples=60,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
