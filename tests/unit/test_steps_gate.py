"""What the engine says of a container decides before any HTTP answer does."""

from __future__ import annotations

from typing import Any

import pytest

from bluegreen.model import ContainerFacts
from bluegreen.proof.evidence import listening
from bluegreen.steps.gate import trouble_of


def facts(**changed: Any) -> ContainerFacts:
    sound: dict[str, Any] = {
        "id": "c",
        "name": "bg-web-20260301-120000-aaaa",
        "image_id": "sha256:1",
        "image": "bluegreen/web:x",
        "status": "running",
        "running": True,
        "restarting": False,
        "exit_code": 0,
        "error": "",
        "oom_killed": False,
        "restart_count": 0,
        "started_at": "",
        "health": "",
        "health_log": (),
        "labels": {},
        "networks": {},
        "restart_policy": "no",
        "pid": 1,
    }
    return ContainerFacts(**{**sound, **changed})


@pytest.mark.parametrize("health", ["", "starting", "healthy"])
def test_a_running_container_is_no_trouble_whatever_its_check_has_not_said_yet(health: str) -> None:
    assert trouble_of(facts(health=health)) is None


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"status": "exited", "running": False, "exit_code": 3}, "exited with code 3"),
        ({"running": False, "error": "no such file"}, "no such file"),
        ({"restart_count": 2}, "restarts: 2"),
        ({"restarting": True, "restart_count": 1}, "restarts"),
        ({"oom_killed": True, "running": False, "exit_code": 137}, "OOM-killed"),
        ({"health": "unhealthy", "health_log": ("curl: refused",)}, "curl: refused"),
    ],
)
def test_trouble_is_told_with_its_cause(changed: dict[str, Any], says: str) -> None:
    trouble = trouble_of(facts(**changed))
    assert trouble is not None
    assert says in trouble[0]
    assert trouble[1]


def test_a_container_that_is_gone_is_trouble() -> None:
    assert trouble_of(None) is not None


def test_sockets_of_a_process_that_is_not_there_are_none() -> None:
    assert listening(0) == ()
