"""The chain of evidence as the ledger keeps it: image → candidate → edge.

Each link says when it was looked at, against which link before it, and what was compared
with which digest. It outlives the image: `verify` can go by it alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from bluegreen.artifact import media_types
from bluegreen.artifact.asset_paths import is_asset
from bluegreen.model import FileFact, Manifest, Release
from bluegreen.proof.age import Judgement
from bluegreen.proof.compare import Expectation
from bluegreen.proof.page import Examined

#: A page that names more files than this keeps the digests of the first ones only.
_MOST = 2000


def image_link(
    release: Release,
    manifest: Manifest | None,
    index_path: str,
    index: FileFact | None,
    expected: Iterable[Expectation],
    times: Iterable[Judgement],
) -> dict[str, Any]:
    link: dict[str, Any] = {"at": _now(), "image_id": release.image_id}
    if manifest is not None and index is not None:
        link |= {
            "digest": manifest.digest,
            "files": len(manifest.files),
            "index": {"path": index_path, "sha256": index.sha256, "modified": index.modified},
            "expected": [
                [one.url, one.path, one.fact.sha256, one.fact.size, one.fact.media_type]
                for one in list(expected)[:_MOST]
            ],
        }
    told = [{"cause": time.cause, "told": time.told} for time in times]
    return link | ({"times": told} if told else {})


def served_link(
    against: str, expected: Iterable[Expectation], found: Examined, **more: Any
) -> dict[str, Any]:
    """What was asked of the candidate or through the edge, and held."""
    files = {one.url: _digest(one.fact) for one in expected}
    files |= {url: _digest(fact) for url, fact in found.compared.items()}
    link: dict[str, Any] = {
        "at": _now(),
        "against": against,
        "compared": len(files),
        "files": dict(list(files.items())[:_MOST]),
        **more,
    }
    if found.build_id:
        link["build_id"] = found.build_id
    if found.page:
        link["page"] = found.page
    if found.last_modified:
        link["last_modified"] = found.last_modified
    return link


def expected_of(proof: Mapping[str, Any]) -> tuple[Expectation, ...]:
    """What the image would serve, from the digests that were kept."""
    rows = proof.get("image", {}).get("expected", ())
    return tuple(
        Expectation(url, path, FileFact(sha256, size, media_type), page=not at)
        for at, (url, path, sha256, size, media_type) in enumerate(rows)
    )


def seen_at_edge(proof: Mapping[str, Any], patterns: Iterable[str]) -> dict[str, FileFact]:
    """Path → fact of the immutable files that the page named when it went live, for a site
    without a web root."""
    files: Mapping[str, Mapping[str, Any]] = proof.get("edge", {}).get("files", {})
    return {
        url.lstrip("/"): FileFact(fact["sha256"], fact["size"], media_types.expected(url))
        for url, fact in files.items()
        if is_asset(url, patterns)
    }


def _digest(fact: FileFact) -> dict[str, Any]:
    return {"sha256": fact.sha256, "size": fact.size}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
