"""Candidates that look healthy and would serve the wrong thing: each is caught by its cause.

Between source and image, between image and candidate, between candidate and edge, and in
what the store would keep. What goes wrong on the host itself is in `test_corpus_edge.py`.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from kit.corpus import IMAGE, PUBLIC, SOURCE, STORE, Wrong, nothing
from kit.site import images, projects
from kit.site.command import Ran
from kit.site.host import Host, Site
from kit.site.project_edit import FILES, ProjectEdit, caddy_stage

QUICK = {"gate": {"passes": 1, "timeout": "5s"}, "container": {"stop_grace": "1s"}}


@pytest.fixture(scope="module")
def module_host(client: docker.DockerClient) -> Iterator[Host]:
    host = Host(client)
    try:
        host.up()
        yield host
    finally:
        host.remove()


@pytest.fixture(scope="module")
def kept_site(module_host: Host) -> Site:
    return module_host.site("good", files=FILES, config=QUICK)


@pytest.fixture
def live(kept_site: Site) -> Site:
    """A site whose release must stay live whatever is tried beside it.

    One that wrongly went live must fail its own test alone.
    """
    if kept_site.host.get(kept_site).version != "good":
        kept_site.write("good", files=FILES)
        kept_site.bluegreen("release", "--revision", "good", expect=0)
    return kept_site


@pytest.fixture(scope="module")
def warned(module_host: Host) -> Site:
    """A site for candidates that go live, with a warning."""
    site = module_host.site("good", files=FILES, config=QUICK)
    site.bluegreen("release", "--revision", "good", expect=0)
    return site


def drafted(site: Site, case: Wrong) -> ProjectEdit:
    for child in site.project.folder.iterdir():
        shutil.rmtree(child) if child.is_dir() else child.unlink()
    site.write("bad", files=FILES, config=case.config)
    edit = ProjectEdit(site.project.folder, site.name)
    case.spoil(edit)
    return edit


def rejected(site: Site, case: Wrong) -> Ran:
    drafted(site, case)
    argv = case.argv or ("--revision", "bad")
    ran = site.bluegreen("release", *argv)
    assert ran.code == case.code, ran.error.get("message") or ran.document
    assert ran.outcome == ("rejected" if case.code == 4 else "taken_back")
    told = f"{ran.error['message']} {ran.error['hint']}"
    for text in case.says:
        assert text in told, f"{text!r} is not said: {told}"
    assert site.host.get(site).version == "good"
    assert len(site.containers()) == 1
    return ran


def said(site: Site, case: Wrong) -> None:
    drafted(site, case)
    ran = site.bluegreen("release", "--revision", "bad", expect=0)
    warnings = ran.document["warnings"]
    assert any(all(text in warning for text in case.says) for warning in warnings), warnings


@pytest.mark.parametrize("case", SOURCE, ids=str)
def test_an_image_that_is_not_its_source_is_rejected(case: Wrong, live: Site) -> None:
    ran = rejected(live, case)
    if "does not have" in case.says:
        assert ran.document["steps"][-1]["name"] == "inspect", "it is known before it runs"


@pytest.mark.parametrize("case", IMAGE, ids=str)
def test_a_candidate_that_is_not_its_image_is_rejected(case: Wrong, live: Site) -> None:
    rejected(live, case)


@pytest.mark.parametrize("case", PUBLIC, ids=str)
def test_what_users_alone_would_get_is_taken_back(case: Wrong, live: Site) -> None:
    rejected(live, case)


@pytest.mark.parametrize("case", STORE, ids=str)
def test_what_would_outlive_the_release_is_said(case: Wrong, warned: Site) -> None:
    said(warned, case)


# --- mounts: what an older container left over the web root -----------------------


def old_files(site: Site) -> Path:
    """The build of the live release in a folder of the host."""
    folder = site.host.root / f"old-{site.name}"
    for path, data in projects.build("good", site=site.name, files=FILES).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


def test_a_bind_mount_over_the_web_root_is_rejected(live: Site) -> None:
    mount = f"type=bind,source={old_files(live)},target=/srv/www,readonly"
    rejected(live, mounted(mount))


def test_a_volume_over_the_web_root_is_rejected(live: Site, client: docker.DockerClient) -> None:
    """The engine fills a new volume from the first image; every later one is hidden by it."""
    volume = client.volumes.create(f"bg-test-{live.name}")
    try:
        filled = {str(old_files(live)): {"bind": "/old"}, volume.name: {"bind": "/new"}}
        client.containers.run(
            images.busybox(), ["cp", "-r", "/old/.", "/new/"], volumes=filled, remove=True
        )
        rejected(live, mounted(f"type=volume,source={volume.name},target=/srv/www"))
    finally:
        volume.remove()


def mounted(mount: str) -> Wrong:
    return Wrong(
        name=mount,
        spoil=nothing,
        config={"container": {"mounts": [mount]}},
        says=("other content than its image", "/srv/www"),
    )


# --- a cached layer ---------------------------------------------------------------


def cached_build(site: Site, version: str) -> None:
    """As `RUN git clone`: what the layer takes from outside is no part of its name.

    So the builder sees no reason to run it again.
    """
    site.write(version, files=FILES)
    edit = ProjectEdit(site.project.folder, site.name)
    (edit.folder / "rev").write_text(version)
    page = (
        f": {site.name}; mkdir -p /srv/www && read rev </run/secrets/rev;"
        " for name in index.html version.json;"
        ' do echo "<!doctype html><p>site-version:$rev revision $rev</p>" >/srv/www/$name; done'
    )
    edit.dockerfile(*caddy_stage(f"RUN --mount=type=secret,id=rev {page}"))


@pytest.mark.parametrize(
    ("freshness", "says"),
    [
        ({"build_id": "/version.json"}, ("/version.json", "revision one", "cached layer")),
        ({"last_modified": "fail"}, ("revision went from one to two", "cached layer")),
        ({"unchanged": "fail"}, ("same", "live")),
    ],
    ids=["build_id", "last_modified", "unchanged"],
)
def test_a_cached_layer_with_the_old_page_is_rejected(
    module_host: Host, freshness: dict[str, str], says: tuple[str, ...]
) -> None:
    config = {**QUICK, "freshness": freshness, "build": {"secrets": ["id=rev,src=rev"]}}
    site = module_host.site("one", files=FILES, config=config)
    for version, code in (("one", 0), ("two", 4)):
        cached_build(site, version)
        ran = site.bluegreen("release", "--revision", version, expect=code)
    told = f"{ran.error['message']} {ran.error['hint']}"
    for text in says:
        assert text in told, ran
    assert module_host.get(site).version == "one"
    site.bluegreen("release", "--revision", "two", "--no-cache", expect=0)
    assert module_host.get(site).version == "two"


def test_an_index_that_the_builder_took_for_the_one_it_had_is_rejected(module_host: Host) -> None:
    """BuildKit tells files of a context by time and size: a build with fixed times, whose new
    index is as long as the old one, gets the old index with the new assets."""
    site = module_host.site("one", files=FILES, config=QUICK)
    for version, code in (("one", 0), ("two", 4)):
        site.write(version, files=FILES)
        ProjectEdit(site.project.folder, site.name).date(0)
        ran = site.bluegreen("release", "--revision", version, expect=code)
    assert "index.html needs assets/app-" in ran.error["message"]
    assert module_host.get(site).version == "one"


def test_a_cached_layer_with_the_old_page_is_said_by_default(module_host: Host) -> None:
    config = {**QUICK, "build": {"secrets": ["id=rev,src=rev"]}}
    site = module_host.site("one", files=FILES, config=config)
    for version in ("one", "two"):
        cached_build(site, version)
        ran = site.bluegreen("release", "--revision", version, expect=0)
    assert any("revision went from one to two" in said for said in ran.document["warnings"]), ran
