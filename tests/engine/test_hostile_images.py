"""Images that would hurt whoever reads them: rejected with the reason or served soundly, in
bounded memory, and nothing is written outside of the state folder."""

from __future__ import annotations

import gzip
import io
import os
import secrets
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import docker
import pytest
from docker.errors import ImageNotFound

from kit.site import images
from kit.site.command import Ran
from kit.site.host import Host, Site

#: The command itself, with all that it imports, needs some 60 MB.
MOST_MEMORY = 110 << 20

Image = Callable[..., str]
INDEX = b'<!doctype html><script type="module" src="/assets/app.js"></script>'
APP = b"export {}\n"


@pytest.fixture
def image(client: docker.DockerClient) -> Iterator[Image]:
    """Makes an image of Caddy that serves the given entries; removed afterwards."""
    made: list[str] = []

    def make(*entries: tarfile.TarInfo, **files: bytes) -> str:
        ref = f"bluegreen-test/hostile:{secrets.token_hex(4)}"
        container = client.containers.create(images.caddy())
        try:
            container.put_archive("/srv", packed(entries, files))
            container.commit(*ref.split(":"))
        finally:
            container.remove(v=True)
        made.append(ref)
        return ref

    yield make
    for ref in made:
        with suppress(ImageNotFound):
            client.images.remove(ref)


def packed(entries: tuple[tarfile.TarInfo, ...], files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    content = {"index.html": INDEX, "assets/app.js": APP, **files}
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for entry in entries:
            entry.name = f"www/{entry.name}"
            if entry.isreg():
                tar.addfile(entry, io.BytesIO(bytes(entry.size)))
            else:
                tar.addfile(entry)
        for name, data in content.items():
            if data:
                entry = tarfile.TarInfo(f"www/{name}")
                entry.size, entry.mode = len(data), 0o644
                tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname, entry.mode = kind, target, 0o644
    entry.devmajor, entry.devminor = (1, 5) if kind == tarfile.CHRTYPE else (7, 0)  # zero, loop0
    return entry


def link(name: str, target: str) -> tarfile.TarInfo:
    return special(name, tarfile.SYMTYPE, target)


def sized(name: str, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, 0o644
    return entry


def release(site: Site, ref: str) -> tuple[Ran, int]:
    """The command's end, and the most memory that its process had, in bytes."""
    running = site.bluegreen.start("release", "--image", ref)
    most = 0
    over = threading.Event()

    def watch() -> None:
        nonlocal most
        while not over.wait(0.01):
            with suppress(OSError, ValueError):
                status = Path(f"/proc/{running.pid}/status").read_text()
                (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
                most = max(most, int(line.split()[1]) << 10)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        return running.wait(), most
    finally:
        over.set()
        watcher.join()


def written(site: Site) -> set[Path]:
    """Every file of the host's folder but its state."""
    inside = site.host.state_dir
    found = (Path(folder, name) for folder, _, names in os.walk(site.host.root) for name in names)
    return {path for path in found if not path.is_relative_to(inside)}


def test_links_are_followed_inside_the_root_and_lead_nowhere_else(host: Host, image: Image) -> None:
    """A build folder under another name, a folder in itself, and ways out of the root."""
    ref = image(
        link("assets", "build/assets"),
        link("again", "/srv/www/build"),
        link("build/self", ".."),
        link("loop", "loop"),
        link("passwd", "/etc/passwd"),
        link("up", "../outside"),
        **{"assets/app.js": b"", "build/assets/app.js": APP},
    )
    site = host.site()
    before = written(site)
    ran, _ = release(site, ref)
    assert ran.expect(0).outcome == "released"
    (said,) = (text for text in ran.document["warnings"] if "links" in text)
    assert "3 links under the web root lead out of it" in said
    assert host.get(site, "/assets/app.js").body == APP
    assert ran.step("inspect")["detail"]["needs"]["present"] == 1
    assert written(site) == before


def test_a_needed_file_outside_of_the_root_is_rejected_by_its_chain(
    host: Host, image: Image
) -> None:
    ref = image(link("assets/app.js", "/etc/hostname"), **{"assets/app.js": b""})
    ran, _ = release(host.site(), ref)
    message = ran.expect(4).error["message"]
    assert "index.html → assets/app.js" in message
    assert "a link to /etc/hostname, outside of the web root" in message


def test_devices_and_pipes_are_never_opened(host: Host, image: Image) -> None:
    ref = image(
        special("zero", tarfile.CHRTYPE),
        special("disk", tarfile.BLKTYPE),
        special("pipe", tarfile.FIFOTYPE),
    )
    ran, most = release(host.site(), ref)
    assert ran.expect(0).outcome == "released"
    assert any("3 entries under the web root are devices" in w for w in ran.document["warnings"])
    assert most < MOST_MEMORY


def test_an_index_that_is_a_pipe_is_rejected(host: Host, image: Image) -> None:
    ref = image(special("index.html", tarfile.FIFOTYPE), **{"index.html": b""})
    ran, _ = release(host.site(), ref)
    assert "index.html is not in the image" in ran.expect(4).error["message"]


def test_names_that_are_not_text_do_not_break_the_books(host: Host, image: Image) -> None:
    """They survive the result, the ledger and the terminal."""
    names = [b"caf\xe9.js", b"esc\x1b[2J.js", "größe-日本-🎉.js".encode(), b"a b%20c?d#e.js"]
    ref = image(*(sized(os.fsdecode(name), 3) for name in names))
    site = host.site()
    ran, _ = release(site, ref)
    assert ran.expect(0).outcome == "released"
    (said,) = (text for text in ran.document["warnings"] if "UTF-8" in text)
    assert "2 files" in said
    assert said.isprintable()
    assert ran.step("inspect")["detail"]["files"] == 4
    for command in ("status", "history"):
        site.bluegreen(command, expect=0)
        site.bluegreen(command, as_json=False, expect=0)


def test_a_page_that_is_no_html_is_bounded(host: Host, image: Image) -> None:
    """Its parser would need hours for it."""
    site = host.site()
    ran, most = release(site, image(**{"index.html": b"<div>" * 600_000}))
    assert ran.expect(0).outcome == "released"
    assert any("could not be parsed" in warning for warning in ran.document["warnings"])
    assert ran.seconds < 60
    assert most < MOST_MEMORY


def test_a_large_file_takes_no_memory(host: Host, image: Image) -> None:
    ran, most = release(host.site(), image(sized("download.bin", 300 << 20)))
    assert ran.expect(0).outcome == "released"
    assert ran.step("inspect")["detail"]["bytes"] > 300 << 20
    assert most < MOST_MEMORY


def test_twins_of_another_build_are_rejected(host: Host, image: Image) -> None:
    """Browsers alone would get them: the plain file is right."""
    old = gzip.compress(b"<!doctype html>last week")
    ran, _ = release(host.site(), image(**{"index.html.gz": old}))
    message = ran.expect(4).error["message"]
    assert "index.html.gz in the image is of another build than index.html" in message


def test_many_files_take_little_memory(host: Host, image: Image) -> None:
    ref = image(*(sized(f"{n % 100}/{n}.txt", 0) for n in range(20_000)))
    ran, most = release(host.site(), ref)
    assert ran.expect(0).step("inspect")["detail"]["files"] == 20_002
    assert most < MOST_MEMORY


def test_links_that_stand_for_more_files_than_any_site_has_are_rejected(
    host: Host, image: Image
) -> None:
    """Ten links to ten links to ten links … are 10⁸ names of one file."""
    links = [link(f"d{level}/l{n}", f"../d{level + 1}") for level in range(8) for n in range(10)]
    ran, most = release(host.site(), image(*links, **{"d8/file.js": APP}))
    error = ran.expect(4).error
    assert "more than 200,000 files (or links to them)" in error["message"]
    assert "freshness.web_root" in error["hint"]
    assert most < 2 * MOST_MEMORY
