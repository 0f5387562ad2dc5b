"""What a web root that has been read is said to lack."""

from __future__ import annotations

import io
import tarfile

import pytest

from bluegreen.artifact import manifest
from bluegreen.errors import Rejected
from bluegreen.settings import FreshnessSettings
from bluegreen.steps.inspect import Inspected, judge

PAGE = '<link rel="icon" href="/icons/tab.svg"><link rel="stylesheet" href="/a.css">'
STYLE = "@font-face{src:url(/fonts/old.eot)}"


def judged(optional: tuple[str, ...] = (), **more: str) -> Inspected:
    freshness = FreshnessSettings(web_root="/www", optional=optional)
    files = {"index.html": PAGE, "a.css": STYLE} | {
        name.replace("__", "/"): text for name, text in more.items()
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, text in files.items():
            head = tarfile.TarInfo(f"www/{name}")
            head.size = len(text)
            tar.addfile(head, io.BytesIO(text.encode()))
    read = manifest.read(
        iter([packed.getvalue()]), frozenset({"index.html"}), folder="/www", timeout=10.0
    )
    return judge(read, freshness, frozenset())


def test_what_the_page_names_must_be_there_and_the_way_out_is_named() -> None:
    with pytest.raises(Rejected) as raised:
        judged()
    assert "index.html needs icons/tab.svg, fonts/old.eot" in str(raised.value)
    assert 'freshness.optional = ["icons/tab.svg"]' in raised.value.hint
    assert raised.value.evidence["missing"] == [
        "index.html → icons/tab.svg",
        "index.html → a.css → fonts/old.eot",
    ]


@pytest.mark.parametrize("optional", [("icons/tab.svg", "fonts/old.eot"), ("icons/*", "*.eot")])
def test_what_is_optional_is_a_warning_that_names_it(optional: tuple[str, ...]) -> None:
    (warning,) = judged(optional).warnings
    assert warning.startswith("icons/tab.svg, fonts/old.eot are named and not in the image")


def test_an_optional_file_that_is_there_is_compared_like_any_other() -> None:
    found = judged(("*.eot",), **{"icons__tab.svg": "<svg/>", "fonts__old.eot": "x"})
    assert not found.warnings
    assert "/fonts/old.eot" in [one.url for one in found.expected if one.fact.sha256]
