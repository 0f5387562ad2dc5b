"""`edge up`, `down` and `status` on a real engine with a real Caddy."""

from __future__ import annotations

import io
import os
import secrets
import signal
import socket
import stat
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from bluegreen.commands import edge as edge_commands
from bluegreen.edge.managed import image as edge_image
from bluegreen.errors import ConfigError, EdgeError, NotFit
from bluegreen.model import IDLE, Upstream
from kit.engine.edges import Place, free_port, place_of
from kit.site import images


@pytest.fixture
def place(client: docker.DockerClient) -> Iterator[Place]:
    with place_of(client) as place:
        yield place


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port of this host that something else listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


# --- up ---------------------------------------------------------------------


def test_up_makes_an_edge_that_answers_for_no_host_until_a_site_has_one(place: Place) -> None:
    """An unknown host gets 404 in plain text, not somebody's page."""
    assert place.up().outcome == "up"
    answer = place.running().site(place.settings()).public("/", timeout=5)
    assert (answer.status, answer.media_type) == (404, "text/plain")


def test_up_twice_changes_nothing(place: Place) -> None:
    """The same container, no load, and the answer says so."""
    place.up()
    before = place.inspect()
    assert place.up().outcome == "unchanged"
    assert place.inspect()["Id"] == before["Id"]
    assert place.inspect()["State"]["StartedAt"] == before["State"]["StartedAt"]


def test_the_edge_has_no_rights_that_it_does_not_need(place: Place) -> None:
    """Not root, no capability, a read-only root, bounded logs, no search domain, no proxies."""
    place.up()
    facts = place.inspect()
    host, config = facts["HostConfig"], facts["Config"]
    uid, gid = config["User"].split(":")
    assert int(uid) > 0 and int(gid) > 0
    assert host["CapDrop"] == ["ALL"] and not host["CapAdd"]
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert host["ReadonlyRootfs"] is True
    assert host["RestartPolicy"]["Name"] == "unless-stopped"
    assert host["LogConfig"]["Config"] == {"max-size": "10m", "max-file": "3"}
    assert (host["DnsSearch"], host["DnsOptions"]) == (["."], ["ndots:1"])
    assert not any("proxy" in entry.lower() for entry in config["Env"])
    status = Path(f"/proc/{facts['State']['Pid']}/status").read_text()
    assert "CapEff:\t0000000000000000" in status and "NoNewPrivs:\t1" in status


def test_other_containers_do_not_reach_the_admin_api(place: Place) -> None:
    """Asked from a container on the edge's own network: only the public port answers."""
    place.up()
    routes = [
        {
            "match": [{"path": [path]}],
            "handle": [{"handler": "reverse_proxy", "upstreams": [{"dial": dial}]}],
        }
        for path, dial in (
            ("/public", f"{place.name}:{place.port}"),
            ("/config/", f"{place.name}:2019"),
        )
    ]
    server = {"listen": [":80"], "automatic_https": {"disable": True}, "routes": routes}
    config = {"admin": {"disabled": True}, "apps": {"http": {"servers": {"s": server}}}}
    inside = place.backend("", config)
    edge = place.running().site(place.settings())
    assert edge.preview(inside, "/public", timeout=5).status == 404
    assert edge.preview(inside, "/config/", timeout=5).status == 502


def test_the_sockets_are_the_operators_alone(place: Place) -> None:
    """No other user of the host may connect to the admin API or the preview listener."""
    place.up()
    assert stat.S_IMODE(place.root.stat().st_mode) == 0o700
    for path in (place.state.admin_socket, place.state.preview_socket):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_group_may_act_where_the_settings_say_so(place: Place) -> None:
    """`edge.group` opens the state folder and the sockets to its members, now or later."""
    place.up()
    with pytest.raises(ConfigError, match=r"edge\.group changed"):
        place.up(group="4321")
    place.up(group="4321", recreate=True)
    assert place.inspect()["Config"]["User"].endswith(":4321")
    for path in (place.root, place.state.sock, place.state.caddy_json):
        assert path.stat().st_gid == 4321
        assert path.stat().st_mode & 0o060 == 0o060
    assert stat.S_IMODE(place.state.admin_socket.stat().st_mode) == 0o660


def test_an_edge_that_was_stopped_by_hand_is_started_again(place: Place) -> None:
    """`up` makes it run; no new container is needed for that."""
    place.up()
    before = place.inspect()["Id"]
    place.engine.stop(place.name, 2)
    with pytest.raises(NotFit, match="does not run") as caught:
        place.running()
    assert caught.value.hint == "bluegreen edge up"
    assert place.up().outcome == "up"
    assert place.inspect()["Id"] == before


def test_a_killed_edge_comes_back_by_itself(place: Place) -> None:
    """The engine's restart policy brings it back, over the stale sockets that it left."""
    place.up()
    edge = place.running().site(place.settings())
    os.kill(place.inspect()["State"]["Pid"], signal.SIGKILL)
    deadline = time.monotonic() + 20
    while edge.public("/", timeout=2).status != 404:
        assert time.monotonic() < deadline


# --- settings that change ---------------------------------------------------


def test_a_new_address_needs_leave_to_make_the_container_anew(place: Place) -> None:
    """Without --recreate nothing is touched, and the cost and the command are told."""
    place.up()
    before = place.inspect()["Id"]
    other = free_port()
    with pytest.raises(ConfigError, match=r"edge\.listen changed.*0\.7 s") as caught:
        place.up(listen=[f"127.0.0.1:{other}"])
    assert caught.value.hint == "bluegreen edge up --recreate"
    assert place.inspect()["Id"] == before
    assert place.up(listen=[f"127.0.0.1:{other}"], recreate=True).outcome == "up"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", place.port), timeout=2)


def test_a_setting_of_caddys_alone_costs_one_load(place: Place) -> None:
    """The container stays; the configuration is persisted for its next start."""
    place.up()
    before = place.inspect()["Id"]
    assert place.up(trusted_proxies=["10.0.0.0/8"]).outcome == "up"
    assert place.inspect()["Id"] == before
    assert b"10.0.0.0/8" in place.state.caddy_json.read_bytes()
    assert place.up(trusted_proxies=["10.0.0.0/8"]).outcome == "unchanged"


def test_a_key_that_is_not_written_here_stays_as_the_host_has_it(place: Place) -> None:
    """Two sites' files each write what they mind; neither resets what the other wrote."""
    place.up(trusted_proxies=["10.0.0.0/8"])
    assert place.up().outcome == "unchanged"


def test_a_new_container_that_fails_brings_the_old_edge_back(place: Place, taken_port: int) -> None:
    """The error names the port; the old container's settings and address serve again."""
    place.up()
    settings_before = place.state.edge_settings.read_bytes()
    with pytest.raises(EdgeError, match=str(taken_port)) as caught:
        place.up(listen=[f"127.0.0.1:{taken_port}"], recreate=True)
    assert caught.value.exit_code == 7
    assert place.state.edge_settings.read_bytes() == settings_before
    assert place.running().site(place.settings()).public("/", timeout=5).status == 404
    assert place.up().outcome == "unchanged"


# --- what is somebody else's ------------------------------------------------


def test_a_taken_port_leaves_nothing_behind(place: Place, taken_port: int) -> None:
    """The error names the port; no container and no network stay."""
    with pytest.raises(EdgeError, match=str(taken_port)):
        place.up(listen=[f"127.0.0.1:{taken_port}"])
    assert place.engine.inspect(place.name) is None
    assert not place.engine.network_exists(place.name)


def test_a_foreign_container_of_that_name_is_not_touched(place: Place) -> None:
    """Nor taken for the edge, by `up`, by `down` or by a release."""
    foreign = place.client.containers.create(images.busybox(), "sleep 600", name=place.name)
    for act in (place.up, place.down, place.running):
        with pytest.raises(NotFit, match="bluegreen did not make it"):
            act()
    assert place.inspect()["Id"] == foreign.id


def test_a_foreign_network_of_that_name_is_not_used(place: Place) -> None:
    """Its containers would share a network with every site."""
    network = place.client.networks.create(place.name)
    with pytest.raises(NotFit, match="network named"):
        place.up()
    assert place.engine.inspect(place.name) is None
    assert [found.id for found in place.client.networks.list(names=[place.name])] == [network.id]


# --- images -----------------------------------------------------------------


def test_an_image_without_caddy_is_refused(place: Place) -> None:
    """Before anything is made; its throw-away container is gone."""
    with pytest.raises(NotFit):
        place.up(image=images.busybox())
    assert place.engine.inspect(place.name) is None


def test_an_old_caddy_is_refused(place: Place) -> None:
    """Its version is asked of the image itself, not read from a tag."""
    script = b"#!/bin/sh\necho v2.10.2 h1:abc\n"
    with (
        _Image(place, {"usr/bin/caddy": script}, base=True) as ref,
        pytest.raises(NotFit, match=r"v2\.10\.2.*2\.11\.2"),
    ):
        place.up(image=ref)
    assert not [
        found
        for found in place.client.containers.list(all=True)
        if str(found.name).startswith("bluegreen-edge-version")
    ]


def test_a_caddy_with_a_file_capability_runs_without_it(place: Place) -> None:
    """As the official image's: exec would fail where the bounding set lacks it; yet no process
    of the edge holds any."""
    binary = edge_image.binary().read_bytes()
    capability = bytes.fromhex("0100000200040000000000000000000000000000")
    xattr = {"SCHILY.xattr.security.capability": capability.decode("latin-1")}
    with _Image(place, {"usr/bin/caddy": binary}, pax=xattr) as ref:
        place.up(image=ref)
        status = Path(f"/proc/{place.inspect()['State']['Pid']}/status").read_text()
        assert "CapEff:\t0000000000000000" in status
        assert "CapPrm:\t0000000000000000" in status
        place.down()


# --- down and status --------------------------------------------------------


def test_down_refuses_while_a_site_is_live(place: Place) -> None:
    """It names the site; with force the edge goes, the state stays, and `up` serves it again."""
    place.up()
    settings = place.settings()
    edge = place.running()
    edge.register(settings)
    upstream = place.backend("hello")
    edge.site(settings).switch(upstream)
    with pytest.raises(ConfigError) as caught:
        place.down()
    assert f"web: {upstream}" in caught.value.problems
    result = place.down(force=True)
    assert "network" in result.warnings[0]  # the backend is on it still
    assert place.engine.inspect(place.name) is None
    place.up()
    assert place.running().site(settings).public("/", timeout=5).head == "hello"


def test_down_is_done_when_there_is_nothing(place: Place) -> None:
    """Container and network go, the state folder stays, and a second time is no error."""
    place.up()
    assert place.down().outcome == "down"
    assert not place.engine.network_exists(place.name)
    assert place.state.edge_settings.is_file()
    assert place.down().outcome == "unchanged"
    with pytest.raises(NotFit, match="there is no edge") as caught:
        place.running()
    assert (caught.value.exit_code, caught.value.hint) == (7, "bluegreen edge up")


def test_status_tells_whom_the_edge_serves(place: Place) -> None:
    """Sites, hosts, live; and as a warning what is not as it was stored."""
    place.up()
    settings = place.settings(hosts=("a.test",))
    place.running().register(settings)
    result = edge_commands.status(settings, place.engine)
    assert result.detail["edge"]["url"] == f"http://127.0.0.1:{place.port}"
    assert result.detail["sites"] == {"web": {"hosts": ["a.test"], "switch": "pointer", "live": ""}}
    assert result.warnings == ()
    place.state.caddy_json.with_name("other").write_text("not what Caddy runs from")
    (place.state.routes / "web.json").unlink()
    assert "does not run what is stored" in edge_commands.status(settings, place.engine).warnings[0]


def test_settings_that_disagree_with_the_host_are_an_error(place: Place) -> None:
    """Each key is named with both values, how to apply it and what that costs."""
    place.up()
    with pytest.raises(ConfigError) as caught:
        place.running(listen=["127.0.0.1:1"], try_duration="7s")
    assert len(caught.value.problems) == 2
    assert "edge.listen" in caught.value.problems[0]
    assert "bluegreen edge up" in caught.value.hint and "0.7 s" in caught.value.hint
    assert edge_commands.status(place.settings(try_duration="7s"), place.engine).warnings


def test_a_path_too_long_for_a_socket_is_said_before_anything_is_made(place: Place) -> None:
    """The kernel's own message would come from within Caddy, at its start."""
    with pytest.raises(ConfigError, match="too long"):
        place.up(state_dir=str(place.root / ("x" * 100)))
    assert place.engine.inspect(place.name) is None


def _image_tar(files: dict[str, bytes], pax: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.mode, entry.size, entry.pax_headers = 0o755, len(content), pax
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


class _Image:
    """An image of a few files, removed at the end; `base` gives it busybox."""

    def __init__(
        self,
        place: Place,
        files: dict[str, bytes],
        *,
        base: bool = False,
        pax: dict[str, str] | None = None,
    ) -> None:
        self._place = place
        self._ref = f"bluegreen-test/edge:{secrets.token_hex(4)}"
        if base:
            busybox = Path("/bin/busybox").read_bytes()
            files = {"bin/sh": busybox, **files}
        self._tar = _image_tar(files, pax or {})

    def __enter__(self) -> str:
        self._place.engine.import_image([self._tar], self._ref, ("ENV PATH=/usr/bin:/bin",))
        return self._ref

    def __exit__(self, *_: object) -> None:
        self._place.engine.remove(self._place.name)
        self._place.engine.remove_image(self._ref)


def test_while_no_release_is_live_the_pointer_says_so(place: Place) -> None:
    """A pointer is never missing: it names the idle listener, and that is no release."""
    place.up()
    place.running().register(place.settings())
    assert place.state.pointer("web").read_text() == IDLE
    assert stat.S_IMODE(place.state.pointer("web").stat().st_mode) == 0o644
    assert place.running().site(place.settings()).live() is None
    assert place.running().site(place.settings()).in_flight(Upstream("nobody", 80)) == 0
