"""What the proof costs: a large web root read, and a page of a hundred assets compared."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.models.containers import Container

from kit import output
from kit.site.host import Host, Site
from kit.site.large_roots import WEB_ROOT, large_image

FILES = 20_000
BYTES = 1 << 30
MOST_MEMORY = 200 << 20
ASSETS = 100

# A process of its own, so that its memory is the manifest's alone. Its high-water mark is read
# from /proc: what getrusage says begins with the size of the process that started this one.
_READ = """\
import json, re, sys, time
from pathlib import Path
from bluegreen.artifact import manifest
from bluegreen.engine import connect

engine = connect()
began = time.perf_counter()
root = manifest.read(engine.archive(sys.argv[1], sys.argv[2]))
seconds = time.perf_counter() - began
status = Path("/proc/self/status").read_text()
peak = int(re.search(r"VmHWM:\\s+(\\d+) kB", status)[1]) * 1024
files = root.manifest.files.values()
print(json.dumps({"files": len(files), "bytes": sum(file.size for file in files),
                  "seconds": round(seconds, 2), "peak_memory": peak}))
"""


@pytest.fixture(scope="module")
def large(client: docker.DockerClient) -> Iterator[Container]:
    with large_image(client, files=FILES, size=BYTES) as ref:
        container = client.containers.create(ref)
        try:
            yield container
        finally:
            container.remove()


def test_a_web_root_of_1_gb_and_20000_files_is_read_in_bounded_memory(large: Container) -> None:
    copied = f"docker cp {large.id}:/{WEB_ROOT} - | sha256sum"
    began = time.perf_counter()
    subprocess.run(["sh", "-c", copied], check=True, stdout=subprocess.DEVNULL)
    by_hand = time.perf_counter() - began
    done = subprocess.run(
        [sys.executable, "-c", _READ, str(large.id), f"/{WEB_ROOT}"],
        check=True,
        capture_output=True,
        text=True,
    )
    manifest: dict[str, Any] = json.loads(done.stdout)
    output.keep(
        "manifest-1gb",
        {
            "manifest": manifest,
            "docker_cp_and_sha256sum": {"seconds": round(by_hand, 2)},
            "ratio": round(manifest["seconds"] / by_hand, 2),
        },
    )
    assert manifest["files"] == FILES + 1
    assert manifest["bytes"] >= BYTES // FILES * FILES
    assert manifest["peak_memory"] < MOST_MEMORY


def test_the_proof_of_a_page_of_100_assets_beside_the_start_of_the_container(
    shared_host: Host,
) -> None:
    site = shared_host.site("v1", config={"gate": {"passes": 1}})
    named = [measured(site, assets) for assets in (1, ASSETS)]
    output.keep("gate-100-assets", {"pages": named})
    assert [page["compared"] > page["assets"] for page in named] == [True, True]


def measured(site: Site, assets: int) -> dict[str, Any]:
    """A release of a page that names so many assets, and what its steps took."""
    write_page(site.project.folder / "dist", assets)
    ran = site.bluegreen("release", expect=0)
    gate = ran.step("gate")
    return {
        "assets": assets,
        "compared": gate["detail"]["compared"],
        "boot_seconds": ran.step("boot")["seconds"],
        "gate_seconds": gate["seconds"],
        "verify_seconds": ran.step("verify")["seconds"],
        "release_seconds": ran.document["seconds"],
    }


def write_page(dist: Path, assets: int) -> None:
    """Sizes as a build with many chunks has them: 1 to 60 kB."""
    chance = random.Random(assets)
    names = []
    for number in range(assets):
        content = f"/* {number} of {assets} */ {chance.randbytes(500 * (number % 60 + 1)).hex()}\n"
        name = f"assets/part-{hashlib.sha256(content.encode()).hexdigest()[:8]}.js"
        names.append(name)
        (dist / name).write_text(content)
    preloads = "".join(f'<link rel="modulepreload" href="/{name}">\n' for name in names)
    (dist / "index.html").write_text(f"<!doctype html>\n<title>many</title>\n{preloads}")
