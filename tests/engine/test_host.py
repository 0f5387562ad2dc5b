"""What the host survives: restarts with no command, foreign DNS, two operators, one truth."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.site.host import Host, Site
from kit.site.other_user import bluegreen_as

SOCKET = Path("/var/run/docker.sock")
OPERATOR = "bluegreen-test"


@pytest.fixture
def live_site(host: Host) -> Site:
    site = host.site("v1")
    site.bluegreen("release", expect=0)
    site.write("v2")
    site.bluegreen("release", expect=0)
    return site


def serves_again(site: Site, version: str, timeout: float = 60.0) -> bool:
    site.host.wait_until_it_answers(timeout)
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if site.host.get(site).version == version:
            return True
        time.sleep(0.1)
    return False


def test_an_edge_that_dies_comes_back_with_what_was_live(live_site: Site, host: Host) -> None:
    pid = host.edge_container().attrs["State"]["Pid"]
    os.kill(pid, 9)
    assert serves_again(live_site, "v2")


def test_a_live_container_that_dies_comes_back(live_site: Site) -> None:
    (container,) = live_site.containers()
    os.kill(container.attrs["State"]["Pid"], 9)
    assert serves_again(live_site, "v2")


@pytest.fixture
def operator() -> Iterator[str]:
    """A user of the docker group, as it would be on a team's host."""
    group = grp.getgrgid(SOCKET.stat().st_gid).gr_name
    subprocess.run(
        ["useradd", "--create-home", "--groups", group, OPERATOR], check=True, capture_output=True
    )
    yield OPERATOR
    subprocess.run(["userdel", "--remove", OPERATOR], check=False, capture_output=True)


def as_operator(name: str, site: Site, *argv: str) -> subprocess.CompletedProcess[str]:
    user = pwd.getpwnam(name)
    return bluegreen_as(
        user.pw_uid,
        user.pw_gid,
        *argv,
        folder=site.project.folder,
        home=user.pw_dir,
        groups=os.getgrouplist(name, user.pw_gid),
    )


def open_to(name: str, host: Host, site: Site) -> None:
    """Let another user reach the project, as a shared checkout would."""
    host.root.chmod(0o755)
    shutil.chown(site.project.folder, name)
    for folder, folders, files in os.walk(site.project.folder):
        for entry in (*folders, *files):
            shutil.chown(Path(folder) / entry, name)


def test_root_first_and_then_a_user_of_the_group_see_one_truth(
    bare_host: Host, operator: str
) -> None:
    group = grp.getgrgid(SOCKET.stat().st_gid).gr_name
    bare_host.edge["group"] = group
    bare_host.up()
    site = bare_host.site("v1")
    site.bluegreen("release", expect=0)
    site.write("v2")
    open_to(operator, bare_host, site)
    done = as_operator(operator, site, "release")
    assert done.returncode == 0, done
    assert bare_host.get(site).version == "v2"
    assert len(site.containers()) == 1
    outcomes = [one["outcome"] for one in site.bluegreen("history").document["releases"]]
    assert outcomes == ["released", "released"]
    site.bluegreen("rollback", expect=0)
    done = as_operator(operator, site, "status")
    assert done.returncode == 0, done
    assert "nothing is amiss" in done.stdout
    assert bare_host.get(site).version == "v1"


def test_a_user_first_and_then_root_see_one_truth(bare_host: Host, operator: str) -> None:
    home = Path(pwd.getpwnam(operator).pw_dir)
    site = bare_host.site("v1")
    state = home / "state"
    bare_host.edge["state_dir"] = str(state)
    bare_host.state_dir = state
    site.write("v1", config={"edge": bare_host.edge})
    open_to(operator, bare_host, site)
    done = as_operator(operator, site, "edge", "up")
    assert done.returncode == 0, done
    done = as_operator(operator, site, "release")
    assert done.returncode == 0, done
    site.bluegreen("release", expect=0)
    site.bluegreen("status", expect=0)
    done = as_operator(operator, site, "rollback")
    assert done.returncode == 0, done
    done = as_operator(operator, site, "status")
    assert "nothing is amiss" in done.stdout, done
    owner = (state / "ledger.db").stat().st_uid
    assert owner == pwd.getpwnam(operator).pw_uid
    assert len(site.containers()) == 1


@pytest.mark.usefixtures("live_site")
def test_the_ledger_is_closed_to_the_world(host: Host) -> None:
    mode = (host.state_dir / "ledger.db").stat().st_mode & 0o777
    assert mode == 0o600
    assert host.state_dir.stat().st_mode & 0o007 == 0
