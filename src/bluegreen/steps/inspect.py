"""The artifact before any container of it runs: present, whole, and how old."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from bluegreen import artifact, references
from bluegreen.errors import EngineError, Rejected
from bluegreen.model import ContainerPlan, FileFact, Manifest, Release
from bluegreen.ports import Engine
from bluegreen.proof import Expectation
from bluegreen.settings import FreshnessSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    manifest: Manifest | None  # None: the site is not static, its image id is its identity
    index: FileFact | None
    expected: tuple[Expectation, ...]  # what the gate and the proof at the edge compare

    @property
    def digest(self) -> str:
        return self.manifest.digest if self.manifest else ""


def inspect(
    engine: Engine,
    release: Release,
    freshness: FreshnessSettings,
    labels: Mapping[str, str],
    hosts: frozenset[str],
) -> Inspected:
    """Raises Rejected where the index is missing or empty, or names a file that is not there.

    The image is read through a container of its own that is never started and has none of
    the site's mounts: a volume over the web root must not be taken for the image.
    """
    if not freshness.web_root:
        return Inspected(manifest=None, index=None, expected=())
    root = _read(engine, release, freshness, labels)
    path = freshness.index.lstrip("/")
    index = root.manifest.files.get(path)
    if index is None:
        raise Rejected(
            f"{freshness.web_root}/{path} is not in the image"
            f" ({len(root.manifest.files)} files are)",
            hint="correct freshness.web_root or freshness.index, or what the build copies there",
            evidence={"files": sorted(root.manifest.files)[:20]},
        )
    if index.size == 0:
        raise Rejected(
            f"{freshness.web_root}/{path} in the image is empty",
            hint="the build wrote no page: look at its output",
        )
    url = index_url(path)
    named = references.of_page(root.kept.get(path, b""), url, hosts)
    paths = {name: unquote(name).lstrip("/") for name in named}
    missing = [name for name, file in paths.items() if file not in root.manifest.files]
    if missing:
        raise Rejected(
            f"{path} names {_listed(missing)}, which the image does not have",
            hint="the build is incomplete, or the page's base path is not the web root",
            evidence={"missing": missing},
        )
    expected = [Expectation(url, path, index)]
    expected += [Expectation(name, file, root.manifest.files[file]) for name, file in paths.items()]
    return Inspected(manifest=root.manifest, index=index, expected=tuple(expected))


def index_url(index: str) -> str:
    """Where a web server shows the index: `index.html` is its folder's page."""
    folder, _, name = index.rpartition("/")
    prefix = f"/{folder}/" if folder else "/"
    return prefix if name == "index.html" else prefix + name


def scratch_name(release: Release) -> str:
    return f"{release.container}-inspect"


def _read(
    engine: Engine, release: Release, freshness: FreshnessSettings, labels: Mapping[str, str]
) -> artifact.WebRoot:
    name = scratch_name(release)
    plan = ContainerPlan(
        name=name,
        image=release.image,
        network="none",
        labels=labels,
        command=("true",),  # an image without a command cannot be created otherwise
    )
    try:
        container = engine.create(plan)
        chunks = engine.archive(container, freshness.web_root)
        return artifact.read(chunks, frozenset({freshness.index.lstrip("/")}))
    except EngineError as error:
        if error.status != 404:
            raise
        raise Rejected(
            f"the image has no folder {freshness.web_root}",
            hint="correct freshness.web_root, or what the Dockerfile copies there",
        ) from error
    finally:
        engine.remove(name)


def _listed(names: list[str], most: int = 3) -> str:
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")
