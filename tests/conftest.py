"""For all tests: nothing of the operator's own settings reaches them."""

from __future__ import annotations

import os
import signal

import pytest


@pytest.fixture(autouse=True)
def _no_settings_of_the_operator(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("BLUEGREEN_"):
            monkeypatch.delenv(name)


def pytest_configure() -> None:
    """A run in the background of a shell has Ctrl-C ignored, and its children with it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--faults",
        choices=("some", "all"),
        default="some",
        help="all: every pair of faults on fakes, and every kill on the real engine (an hour)",
    )
    parser.addoption(
        "--soak", type=int, default=12, help="releases in a row in the soak; the proof is 100"
    )
