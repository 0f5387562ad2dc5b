"""Two specs have one hash exactly where their containers, and the way to them, are alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bluegreen.settings import Settings
from bluegreen.settings import container_spec as specs

KEY = b"k" * 32


def spec_of(**keys: Any) -> specs.Spec:
    settings = Settings.model_validate({"site": "web", **keys})
    return specs.read(settings.container, settings.gate, settings.freshness, settings.hosts, KEY)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"container": {"env": {"A": "1"}}}),
        ({}, {"container": {"memory": "64m"}}),
        ({}, {"container": {"mounts": ["type=volume,source=a,target=/a"]}}),
        ({}, {"container": {"port": 8080}}),
        ({}, {"hosts": ["a.test"]}),
        ({"hosts": ["a.test"]}, {"hosts": ["a.test", "b.test"]}),
    ],
)
def test_a_change_of_the_container_or_its_routing_shows(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    assert spec_of(**before).hash != spec_of(**after).hash


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"hosts": ["a.test", "b.test"]}, {"hosts": ["b.test", "a.test"]}),
        ({}, {"gate": {"passes": 5}}),
        ({}, {"freshness": {"unchanged": "skip"}}),
    ],
)
def test_what_makes_no_other_container_does_not_show(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    assert spec_of(**before).hash == spec_of(**after).hash


@pytest.mark.parametrize("kind", ["env_file", "secrets"])
def test_what_a_file_holds_shows_and_is_not_kept(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "file"
    named = str(path) if kind == "env_file" else f"id=token,src={path}"
    path.write_text("TOKEN=first-secret")
    before = spec_of(container={kind: [named]})
    path.write_text("TOKEN=second-secret")
    after = spec_of(container={kind: [named]})

    assert before.hash != after.hash
    assert "secret-" not in str(after.record)
    assert "second-secret" not in str(after.record)


def test_a_recorded_spec_is_looked_at_without_its_files(tmp_path: Path) -> None:
    path = tmp_path / "site.env"
    path.write_text("A=1")
    recorded = spec_of(container={"env_file": [str(path)]}).record
    path.unlink()

    found = specs.without_files(recorded, ("a.test",))

    assert found.container.env_file
    assert found.hosts == ("a.test",)
