"""Why other content is served than the image has: what is certain first, then what is usual."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from bluegreen.proof.compare import Expectation, Mismatch
from bluegreen.settings import ContainerSettings, FreshnessSettings

_MOST = 3


def likely(
    wrong: Sequence[Mismatch],
    expected: Sequence[Expectation],
    container: ContainerSettings,
    freshness: FreshnessSettings,
) -> str:
    """The causes of a proof that failed on a candidate, for people, with what to do."""
    certain = [
        *_covered(wrong, container, freshness.web_root),
        *_page_instead(wrong, expected),
        *_encoded(wrong),
    ]
    if certain:
        return "; ".join(certain)
    usual = (
        f"usual causes: its web server has another root than {freshness.web_root}, an older"
        " container or another service answers on that port, or a script of the image changes"
        " its files at start"
    )
    rewritten = _named([one.expected.path for one in wrong if one.came.status == 200])
    if not rewritten:
        return usual
    return (
        f"{usual}. If the container writes it at its start, name it:"
        f" freshness.rewritten = [{rewritten}]"
    )


def _covered(
    wrong: Sequence[Mismatch], container: ContainerSettings, web_root: str
) -> Iterator[str]:
    """Mounts that lie over a file that came wrong, by the container's own settings."""
    files = [PurePosixPath(web_root, one.expected.path) for one in wrong]
    mounts = [(mount.type, mount.source, mount.target) for mount in container.mounts]
    mounts += [("tmpfs", "", path.partition(":")[0]) for path in container.tmpfs]
    for kind, source, target in mounts:
        if any(file.is_relative_to(target) for file in files):
            name = f"{kind} {source}".strip()
            yield (
                f"the container mounts {name} over {target} (container."
                f"{'tmpfs' if kind == 'tmpfs' and not source else 'mounts'}), which hides what"
                " the image has there: remove the mount, or mount it elsewhere"
            )


def _page_instead(wrong: Sequence[Mismatch], expected: Sequence[Expectation]) -> Iterator[str]:
    page = next((one.fact.sha256 for one in expected if one.page), "")
    urls = [
        one.expected.url
        for one in wrong
        if not one.expected.page and page and one.came.sha256 == page
    ]
    if urls:
        yield (
            f"the page itself came in place of {urls[0]}: its web server does not find the file"
            " there, and answers what it does not find with the page. Compare its root and the"
            " page's base path"
        )


def _encoded(wrong: Sequence[Mismatch]) -> Iterator[str]:
    encoded = [one for one in wrong if one.asked and one.came.headers.get("content-encoding")]
    if encoded:
        coding = encoded[0].came.headers["content-encoding"]
        yield (
            f"{encoded[0].expected.url} is right as it is and wrong as {coding}: a stale"
            " precompressed twin, or a cache of compressed answers"
        )


def _named(paths: Sequence[str]) -> str:
    return ", ".join(f'"{path}"' for path in list(dict.fromkeys(paths))[:_MOST])
