"""The engine itself goes and comes back: the same release serves again, with no command.

Named to be found: it stops the machine's engine, and with it every container for a moment.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from kit.engine import daemon
from kit.site.host import Host

pytestmark = pytest.mark.alone


@pytest.fixture
def engine_afterwards() -> Iterator[None]:
    """Whatever happens here, the tests that follow find an engine."""
    yield
    daemon.start()


@pytest.mark.usefixtures("engine_afterwards")
@pytest.mark.parametrize("switch", ["pointer", "reload"])
def test_what_was_live_serves_again_after_the_engine_came_back(
    bare_host: Host, switch: str
) -> None:
    bare_host.edge["switch"] = switch
    bare_host.up()
    site = bare_host.site("v1")
    site.bluegreen("release", expect=0)
    site.write("v2")
    live = site.bluegreen("release", expect=0).document["live"]

    bare_host.client.close()  # its kept connections end with the engine
    daemon.stop()
    daemon.start()

    bare_host.wait_until_it_answers(60)
    deadline = time.monotonic() + 60
    while bare_host.get(site).version != "v2" and time.monotonic() < deadline:
        time.sleep(0.2)
    assert bare_host.get(site).version == "v2"
    assert len(site.containers()) == 1
    assert site.bluegreen("status", expect=0).document["live"] == live
    site.write("v3")
    site.bluegreen("release", expect=0)
    assert bare_host.get(site).version == "v3"
