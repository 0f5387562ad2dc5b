"""A tab that was opened before the release keeps working: a real Vite build, a real browser."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from kit import output
from kit.load.browser import Browser, Tab
from kit.site import vite
from kit.site.host import Host, Site

VERSIONS = ("1", "2", "3", "4")


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    folder = tmp_path_factory.mktemp("vite")
    return {version: vite.built(version, folder / version) for version in VERSIONS}


@pytest.fixture
def site(host: Host) -> Site:
    """Every release by its build's own files; the store keeps what the last ones had."""
    return host.site("app", config={"gate": {"passes": 1}})


@pytest.fixture
def browser(site: Site) -> Iterator[Browser]:
    with Browser({site.hostname: "127.0.0.1"}) as browser:
        yield browser


def release(site: Site, dist: Path) -> None:
    shutil.rmtree(site.project.folder / "dist")
    shutil.copytree(dist, site.project.folder / "dist")
    site.bluegreen("release", expect=0)


def opened(browser: Browser, site: Site, version: str) -> Tab:
    tab = browser.open(f"http://{site.hostname}:{site.host.port}/")
    shows(tab, "home", version)
    return tab


def shows(tab: Tab, route: str, version: str) -> None:
    tab.wait_for(f"[{route!r}, 'failed'].includes(view.dataset.state)")
    assert tab.evaluate("view.dataset.state") == route, (tab.text("#view"), tab.errors())
    assert tab.text("h1") == f"{route.capitalize()} of version {version}"
    assert tab.errors() == []


def goes_to(tab: Tab, route: str, version: str) -> None:
    """A click on a route whose code this tab has not loaded yet."""
    tab.click(f"button[data-route={route}]")
    shows(tab, route, version)


def test_a_tab_of_version_1_works_when_version_4_is_live(
    site: Site, browser: Browser, builds: Mapping[str, Path]
) -> None:
    release(site, builds["1"])
    tab = opened(browser, site, "1")
    tab.screenshot(output.path("vite-1-opened-on-version-1.png"))
    for version in ("2", "3", "4"):
        release(site, builds[version])

    goes_to(tab, "prices", "1")
    tab.wait_for("document.querySelector('img').naturalWidth > 0")
    assert tab.evaluate("getComputedStyle(document.querySelector('h1')).color") == (
        "rgb(0, 102, 204)"
    )
    tab.screenshot(output.path("vite-2-lazy-route-after-three-releases.png"))

    tab.reload()
    tab.wait_for("document.documentElement.dataset.version === '4'")
    shows(tab, "home", "4")
    goes_to(tab, "prices", "4")
    tab.screenshot(output.path("vite-3-reloaded-on-version-4.png"))
    print(f"screenshots: {output.FOLDER}")


def test_a_tab_of_the_newer_version_works_after_a_rollback(
    site: Site, browser: Browser, builds: Mapping[str, Path]
) -> None:
    release(site, builds["1"])
    release(site, builds["2"])
    tab = opened(browser, site, "2")
    tab.screenshot(output.path("vite-4-opened-on-version-2.png"))
    site.bluegreen("rollback", expect=0)

    goes_to(tab, "prices", "2")
    tab.screenshot(output.path("vite-5-lazy-route-after-the-rollback.png"))
    goes_to(tab, "contact", "2")

    tab.reload()
    tab.wait_for("document.documentElement.dataset.version === '1'")
    shows(tab, "home", "1")
    tab.screenshot(output.path("vite-6-reloaded-on-version-1.png"))
