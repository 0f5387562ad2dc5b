"""A release, a replacement and a way back, on a real engine behind a real Caddy."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from kit.site.host import Host, Site
from kit.site.projects import Behaviour, Fault


def test_the_first_release_goes_live_and_before_it_the_edge_answers_503(host: Host) -> None:
    site = host.site("v1")
    ran = site.bluegreen("release", expect=0)
    assert ran.outcome == "released"
    document = ran.document
    assert document["live"]["slot"] == "blue"
    assert document["replaced"] is None
    names = [step["name"] for step in document["steps"]]
    assert names == [
        "preflight",
        "plan",
        "build",
        "inspect",
        "boot",
        "gate",
        "keep",
        "route",
        "switch",
        "verify",
        "prune",
    ]
    assert host.get(site).version == "v1"
    assert site.live() == f"bg-{site.name}-{document['live']['id']}:80"


def test_a_second_release_replaces_the_first_and_never_loads_the_edge(host: Host) -> None:
    site = host.site("v1")
    site.bluegreen("release", expect=0)
    site.write("v2")
    ran = site.bluegreen("release", expect=0)
    names = [step["name"] for step in ran.document["steps"]]
    assert "route" not in names
    assert names[-3:] == ["prune", "drain", "retire"]
    assert ran.document["live"]["slot"] == "green"
    assert ran.step("switch")["detail"]["by"] == "pointer"
    assert host.get(site).version == "v2"
    (container,) = site.containers()
    assert container.attrs["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"


def test_a_release_without_any_change_still_makes_a_fresh_container(host: Host) -> None:
    """The story that bluegreen exists for: success was said, and the old container stayed."""
    site = host.site("v1")
    site.bluegreen("release", expect=0)
    (before,) = site.containers()
    ran = site.bluegreen("release", expect=0)
    (after,) = site.containers()
    assert before.id != after.id
    assert any(
        "the same content, settings and routing" in warning for warning in ran.document["warnings"]
    )


def test_a_rollback_brings_back_the_one_before_and_then_the_one_before_that(host: Host) -> None:
    site = host.site("v1")
    site.bluegreen("release", expect=0)
    for version in ("v2", "v3"):
        site.write(version)
        site.bluegreen("release", expect=0)
    ran = site.bluegreen("rollback", expect=0)
    assert ran.outcome == "rolled_back"
    assert host.get(site).version == "v2"
    site.bluegreen("rollback", expect=0)
    assert host.get(site).version == "v1"
    ran = site.bluegreen("rollback", expect=8)
    assert host.get(site).version == "v1"
    assert "no release before" in ran.error["message"]


def test_a_rollback_goes_forward_again_when_the_release_is_named(host: Host) -> None:
    site = host.site("v1")
    site.bluegreen("release", "--revision", "one", expect=0)
    site.write("v2")
    two = site.bluegreen("release", "--revision", "two", expect=0).document["release"]["id"]
    site.bluegreen("rollback", expect=0)
    site.bluegreen("rollback", two, expect=0)
    assert host.get(site).version == "v2"
    site.bluegreen("rollback", "one", expect=0)
    assert host.get(site).version == "v1"


def test_a_rollback_uses_the_recorded_spec_and_says_what_of_its_files_changed(host: Host) -> None:
    site = host.site("v1", config={"container": {"env": {"COLOUR": "red"}, "env_file": ["a.env"]}})
    secret = site.project.folder / "a.env"
    secret.write_text("TOKEN=first-secret-value\n")
    site.bluegreen("release", expect=0)
    site.write("v2", config={"container": {"env": {"COLOUR": "blue"}, "env_file": ["a.env"]}})
    site.bluegreen("release", expect=0)
    secret.write_text("TOKEN=second-secret-value\n")
    ran = site.bluegreen("rollback", expect=0)
    (container,) = site.containers()
    assert "COLOUR=red" in container.attrs["Config"]["Env"]
    assert "TOKEN=second-secret-value" in container.attrs["Config"]["Env"]
    assert any("a.env has changed" in warning for warning in ran.document["warnings"])
    ledger = (host.state_dir / "ledger.db").read_bytes()
    wal = host.state_dir / "ledger.db-wal"
    ledger += wal.read_bytes() if wal.exists() else b""
    assert b"secret-value" not in ledger
    assert "secret-value" not in ran.stdout + ran.stderr


def test_a_rollback_never_touches_live_until_the_old_one_has_passed(host: Host) -> None:
    """The old release's env file is gone: it cannot be started, and live stays."""
    site = host.site("v1", config={"container": {"env_file": ["a.env"]}})
    (site.project.folder / "a.env").write_text("A=1\n")
    site.bluegreen("release", expect=0)
    site.write("v2", config={"container": {"env_file": []}})
    site.bluegreen("release", expect=0)
    (site.project.folder / "a.env").unlink()
    ran = site.bluegreen("rollback", expect=2)
    assert "a.env" in ran.error["message"]
    assert host.get(site).version == "v2"
    assert len(site.containers()) == 1


def test_there_is_nothing_to_roll_back_to_after_the_first_release(host: Host) -> None:
    site = host.site("v1")
    site.bluegreen("release", expect=0)
    ran = site.bluegreen("rollback", expect=8)
    assert "no release before" in ran.error["message"]
    assert host.get(site).version == "v1"


def test_a_rollback_to_an_image_that_is_gone_says_so_before_it_acts(
    host: Host, client: docker.DockerClient
) -> None:
    site = host.site("v1")
    first = site.bluegreen("release", expect=0).document["release"]
    site.write("v2")
    site.bluegreen("release", expect=0)
    client.images.remove(first["image"])
    ran = site.bluegreen("rollback", expect=8)
    assert f"the image of {first['id']} is gone" in ran.error["message"]
    assert "bluegreen release" in ran.error["hint"]
    assert len(site.containers()) == 1
    assert host.get(site).version == "v2"


def test_a_rollback_to_a_release_that_never_was_live_is_refused(host: Host) -> None:
    site = host.site("v1")
    site.bluegreen("release", expect=0)
    site.write("v2", fault=Fault.CHUNK_MISSING)
    failed = site.bluegreen("release", expect=4).document["release"]["id"]
    ran = site.bluegreen("rollback", failed, expect=8)
    assert "never live" in ran.error["message"]
    ran = site.bluegreen("rollback", "20990101", expect=2)
    assert "has no release 20990101" in ran.error["message"]


def test_a_dry_run_tells_the_plan_and_changes_nothing(host: Host) -> None:
    site = host.site("v1")
    ran = site.bluegreen("release", "--dry-run", expect=0)
    assert ran.outcome == "planned"
    assert any("load the edge's configuration once" in line for line in ran.document["plan"])
    assert site.containers() == []
    assert site.images() == []
    site.bluegreen("release", expect=0)
    ran = site.bluegreen("release", "--dry-run", expect=0)
    assert not any("load" in line for line in ran.document["plan"])
    history = site.bluegreen("history", expect=0).document["releases"]
    assert len(history) == 1


def test_images_beyond_the_kept_ones_are_removed_and_those_of_failures_never_stay(
    host: Host,
) -> None:
    site = host.site("v0", config={"retain": {"images": 2}})
    for number in range(5):
        site.write(f"v{number}")
        site.bluegreen("release", expect=0)
    assert len(site.images()) == 3
    site.write("v9", fault=Fault.CHUNK_MISSING)
    site.bluegreen("release", expect=4)
    assert len(site.images()) == 3
    site.bluegreen("rollback", expect=0)
    assert host.get(site).version == "v3"


def test_prune_never_removes_an_image_that_a_container_uses_or_that_is_not_ours(
    host: Host, client: docker.DockerClient
) -> None:
    site = host.site("v0", config={"retain": {"images": 1}})
    site.bluegreen("release", expect=0)
    (first,) = site.images()
    client.api.tag(first, f"bluegreen/{site.name}", "somebody-elses")
    held = client.containers.create(first, ["true"], name=f"holds-{site.name}")
    try:
        for number in range(1, 4):
            site.write(f"v{number}")
            site.bluegreen("release", expect=0)
        assert f"bluegreen/{site.name}:somebody-elses" in site.images()
        assert client.images.get(held.attrs["Image"]).tags
    finally:
        held.remove()
    planned = site.bluegreen("prune", "--dry-run", expect=0)
    assert planned.outcome == "planned"
    site.bluegreen("prune", expect=0)
    assert f"bluegreen/{site.name}:somebody-elses" in site.images()


def test_a_ready_image_is_taken_under_a_tag_of_the_releases_own(
    host: Host, client: docker.DockerClient
) -> None:
    site = host.site("v1")
    ref = f"bluegreen-test/ready-{site.name}:latest"
    client.images.build(path=str(site.project.folder), tag=ref, rm=True, forcerm=True)
    try:
        ran = site.bluegreen("release", "--image", ref, expect=0)
        assert ran.document["release"]["image"].startswith(f"bluegreen/{site.name}:")
        assert host.get(site).version == "v1"
    finally:
        client.images.remove(ref)
    assert len(site.images()) == 1
    site.bluegreen("status", expect=0)


def test_the_reload_switch_goes_live_and_back_and_says_so(bare_host: Host) -> None:
    bare_host.edge["switch"] = "reload"
    bare_host.up()
    site = bare_host.site("v1")
    site.bluegreen("release", expect=0)
    site.write("v2")
    ran = site.bluegreen("release", expect=0)
    assert ran.step("switch")["detail"]["by"] == "reload"
    assert bare_host.get(site).version == "v2"
    bare_host.edge_container().restart()
    bare_host.wait_until_it_answers()
    assert bare_host.get(site).version == "v2"
    site.bluegreen("rollback", expect=0)
    assert bare_host.get(site).version == "v1"
    site.write("v3", behaviour=Behaviour.PREVIEW_ONLY)
    site.bluegreen("release", expect=5)
    assert bare_host.get(site).version == "v1"


def test_status_tells_what_is_live_and_that_nothing_is_amiss(host: Host) -> None:
    site = host.site("v1")
    site.bluegreen("release", "--revision", "abc123", expect=0)
    document = site.bluegreen("status", expect=0).document
    assert document["amiss"] == []
    assert document["revision"] == "abc123"
    assert document["container"]["status"] == "running"
    told = site.bluegreen("status", as_json=False).expect(0)
    assert "nothing is amiss" in told.stdout


@pytest.fixture
def live_site(host: Host) -> Iterator[Site]:
    site = host.site("v1")
    site.bluegreen("release", expect=0)
    yield site


def test_status_names_what_is_amiss(live_site: Site, host: Host) -> None:
    (container,) = live_site.containers()
    container.stop(timeout=1)
    amiss = live_site.bluegreen("status", expect=0).document["amiss"]
    assert any("is exited" in trouble for trouble in amiss)
    container.remove()
    amiss = live_site.bluegreen("status", expect=0).document["amiss"]
    assert any("does not exist" in trouble for trouble in amiss)
    lost = live_site.bluegreen("status", expect=0).document["live"]["id"]
    live_site.bluegreen("rollback", lost, expect=0)
    assert host.get(live_site).version == "v1"
    assert live_site.bluegreen("status", expect=0).document["amiss"] == []


def test_history_lists_every_attempt_with_its_end(live_site: Site) -> None:
    live_site.write("v2", fault=Fault.INDEX_MISSING)
    live_site.bluegreen("release", expect=4)
    releases = live_site.bluegreen("history", expect=0).document["releases"]
    assert [one["outcome"] for one in releases] == ["rejected", "released"]
    assert releases[1]["image_kept"] is True
    told = live_site.bluegreen("history", as_json=False).expect(0)
    assert "rejected" in told.stdout


def test_json_stands_alone_on_stdout(live_site: Site) -> None:
    ran = live_site.bluegreen("release", expect=0)
    json.loads(ran.stdout)
    assert "gate" in ran.stderr


def test_build_progress_is_shown_as_it_comes(live_site: Site) -> None:
    live_site.write("v2")
    with (live_site.project.folder / "Dockerfile").open("a") as file:
        file.write('RUN ["sh", "-c", "echo compiling-the-frontend"]\n')
    ran = live_site.bluegreen("release", expect=0)
    assert "compiling-the-frontend" in ran.stderr


def test_the_command_is_installed_with_its_version() -> None:
    command = Path(sys.executable).with_name("bluegreen")
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("bluegreen ")
