"""Plans are pure: what is seen and asked decides what will happen."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bluegreen import plan
from bluegreen.model import (
    LedgerRow,
    Release,
    Slot,
    Upstream,
    container_name,
    is_container_of,
    is_image_of,
)

NOW = datetime(2026, 3, 1, 12, 30, 5, tzinfo=UTC)


def row(number: int, *, origin: int = 0, was_live: bool = True, slot: str = "blue") -> LedgerRow:
    """Release `number`; with `origin` a rollback to that release."""
    identity = f"20260301-1200{number:02d}-aaaa"
    source = f"20260301-1200{origin or number:02d}-aaaa"
    return LedgerRow(
        release=Release(
            id=identity,
            site="web",
            slot=Slot(slot),
            image=f"bluegreen/web:{source[:15]}-rev{origin or number}-aaaa",
            revision=f"rev{origin or number}",
            image_id=f"sha256:{origin or number}",
        ),
        kind="rollback" if origin else "release",
        origin=source,
        outcome="rolled_back" if origin else "released" if was_live else "rejected",
        started=NOW,
        finished=NOW,
        was_live=was_live,
        replaced="",
        spec={},
        spec_hash="",
        manifest_digest="",
        index_sha256="",
        index_modified=0.0,
        error={},
        evidence={},
    )


def seen(live: LedgerRow | None = None) -> plan.Observation:
    return plan.Observation(
        site="web",
        upstream=Upstream(live.release.container, 80) if live else None,
        live=None,
        live_row=live,
        leftovers=(),
        unfinished=(),
        load="",
    )


def draw(observation: plan.Observation, revision: str = "3f2a9c1") -> plan.Plan:
    return plan.draw(
        observation,
        kind="release",
        now=NOW,
        suffix="k4x9",
        revision=revision,
        source="build .",
        switch_kind="pointer",
    )


def test_the_first_release_is_blue_and_replaces_nothing() -> None:
    drawn = draw(seen())
    assert drawn.release.slot is Slot.BLUE
    assert drawn.replaces is None
    assert drawn.release.id == "20260301-123005-k4x9"
    assert drawn.release.image == "bluegreen/web:20260301-123005-3f2a9c1-k4x9"


def test_slots_alternate() -> None:
    assert draw(seen(row(1, slot="blue"))).release.slot is Slot.GREEN
    assert draw(seen(row(1, slot="green"))).release.slot is Slot.BLUE


@pytest.mark.parametrize(
    "revision", ["feature/x y", "v1.2.3+build", "-lead", "é", "", "x" * 300, "a:b@c"]
)
def test_any_revision_makes_a_tag_that_is_ours(revision: str) -> None:
    drawn = draw(seen(), revision)
    assert is_image_of("web", drawn.release.image)
    assert len(drawn.release.image.partition(":")[2]) <= 128


def test_names_of_one_site_are_never_those_of_another() -> None:
    name = container_name("web-a", "20260301-123005-k4x9")
    assert is_container_of("web-a", name)
    assert is_container_of("web-a", name + "-inspect")
    assert not is_container_of("web", name)
    assert not is_container_of("web-a", "x" + name)
    assert not is_image_of("web", "bluegreen/web:latest")
    assert not is_image_of("web", "bluegreen/web-a:20260301-123005-k-aaaa")


def test_a_container_name_resolves_in_dockers_dns_whatever_the_site() -> None:
    assert len(container_name("a" * 31, "20260301-123005-k4x9")) < 63


def test_the_way_back_is_the_one_before() -> None:
    history = (row(3), row(2), row(1))
    assert plan.rollback_target(history, history[0]) == history[1]


def test_what_failed_is_no_way_back() -> None:
    history = (row(4), row(3, was_live=False), row(2), row(1))
    assert plan.rollback_target(history, history[0]) == history[2]


def test_what_was_rolled_back_from_is_no_way_back() -> None:
    """After 3 → 2, the next step back is 1, not the 3 that somebody fled from."""
    back_to_two = row(4, origin=2)
    history = (back_to_two, row(3), row(2), row(1))
    assert plan.rollback_target(history, back_to_two) == history[3]


def test_there_is_no_way_back_from_the_oldest() -> None:
    history = (row(3, origin=1), row(2), row(1))
    assert plan.rollback_target(history, history[0]) is None
    assert plan.rollback_target((), None) is None


def test_with_nothing_live_the_newest_that_was_live_is_the_way_back() -> None:
    history = (row(3, was_live=False), row(2), row(1))
    assert plan.rollback_target(history, None) == history[1]


def test_kept_images_are_lives_and_the_newest_that_were_live() -> None:
    history = (row(5), row(4, was_live=False), row(3), row(2), row(1))
    kept = plan.kept_images(history, history[0], 2)
    assert kept == {history[0].release.image, history[2].release.image, history[3].release.image}


def test_a_failed_release_does_not_evict_a_way_back() -> None:
    failed = tuple(row(number, was_live=False) for number in range(9, 3, -1))
    history = (*failed, row(3), row(2), row(1))
    kept = plan.kept_images(history, history[6], 2)
    assert {row(2).release.image, row(1).release.image} < kept


def test_the_plan_says_when_the_edge_is_loaded() -> None:
    quiet = draw(seen(row(1)))
    loud = draw(replace(seen(row(1)), load="the site is new"))
    assert not any("load" in line for line in quiet.lines())
    assert any("the site is new" in line for line in loud.lines())
