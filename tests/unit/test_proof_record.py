"""The chain of evidence is read back as what must be served."""

from __future__ import annotations

import json

from bluegreen.model import FileFact, Manifest, Release, Slot
from bluegreen.proof import record
from bluegreen.proof.compare import Expectation
from bluegreen.proof.page import Examined

INDEX = FileFact("aa", 10, "text/html", 5.0)
SCRIPT = FileFact("bb", 20, "text/javascript")
RELEASE = Release(
    id="20260301-120000-aaaa", site="web", slot=Slot.BLUE, image="x", revision="r", image_id="sha:1"
)
EXPECTED = (
    Expectation("/", "index.html", INDEX, page=True),
    Expectation("/assets/a.js", "assets/a.js", SCRIPT),
)


def test_what_the_image_would_serve_outlives_the_image() -> None:
    manifest = Manifest({"index.html": INDEX, "assets/a.js": SCRIPT}, "digest")
    link = record.image_link(RELEASE, manifest, "index.html", INDEX, EXPECTED, ())

    kept = record.expected_of(json.loads(json.dumps({"image": link})))

    assert [(one.url, one.fact.sha256, one.page) for one in kept] == [
        ("/", "aa", True),
        ("/assets/a.js", "bb", False),
    ]


def test_of_a_rendered_page_only_immutable_files_are_the_measure() -> None:
    found = Examined(compared={"/": INDEX, "/assets/a.js": SCRIPT, "/api.js": SCRIPT}, page="/")
    link = json.loads(json.dumps(record.served_link("candidate", (), found)))

    seen = record.seen_at_edge({"edge": link}, ["/assets/*"])

    assert (link["compared"], link["page"], link["against"]) == (3, "/", "candidate")
    assert {path: fact.sha256 for path, fact in seen.items()} == {"assets/a.js": "bb"}


def test_a_release_without_proof_has_none() -> None:
    assert record.expected_of({}) == ()
    assert record.seen_at_edge({}, ["/assets/*"]) == {}
