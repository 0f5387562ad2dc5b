"""For all tests: nothing of the operator's own settings reaches them."""

from __future__ import annotations

import os
import signal

import pytest

#: Files that take longest are begun first, so that no worker is left with one at the end.
_LONGEST = ("test_load", "test_kill_real", "test_single", "test_pairs", "test_soak", "test_world")


@pytest.fixture(autouse=True)
def _no_settings_of_the_operator(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("BLUEGREEN_"):
            monkeypatch.delenv(name)


def pytest_configure() -> None:
    """A run in the background of a shell has Ctrl-C ignored, and its children with it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _turn(item.path.stem))


def _turn(name: str) -> int:
    return next((n for n, stem in enumerate(_LONGEST) if name.startswith(stem)), len(_LONGEST))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--thorough",
        action="store_true",
        help="every pair of faults on fakes, every kill on the real engine, 100 releases in a row"
        " (some two hours)",
    )


@pytest.fixture(scope="session")
def thorough(request: pytest.FixtureRequest) -> bool:
    """The longest version of what is tried in samples otherwise."""
    return bool(request.config.getoption("--thorough"))
