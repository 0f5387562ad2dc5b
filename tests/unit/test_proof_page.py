"""What is served, looked at beyond its bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from bluegreen.model import MAX_BODY, Exchange, FileFact
from bluegreen.proof import page as pages

PAGE = b'<!doctype html><script type="module" src="/assets/app.js"></script>'
SCRIPT = b"export {}"


def fact(body: bytes, media_type: str) -> FileFact:
    return FileFact(hashlib.sha256(body).hexdigest(), len(body), media_type)


def subject(**facts: Any) -> pages.Subject:
    plain = pages.Subject(
        revision="bbbbbbb",
        build_id="",
        index=fact(PAGE, "text/html"),
        index_path="index.html",
        page_urls=("/",),
        rewritten=frozenset(),
        known={"assets/app.js": fact(SCRIPT, "text/javascript")},
    )
    return replace(plain, **facts)


class Web:
    """A web server of a few answers: path → (status, type, body, headers)."""

    def __init__(self, answers: Mapping[str, tuple[int, str, bytes, dict[str, str]]]) -> None:
        self._answers = dict(answers)
        self.asked: list[str] = []

    def __call__(
        self,
        path: str,
        headers: Mapping[str, str] | None = None,
        *,
        keep_body: bool = False,
        max_body: int = MAX_BODY,
    ) -> Exchange:
        self.asked.append(path)
        status, media_type, body, sent = self._answers.get(path, (404, "text/plain", b"", {}))
        if headers and headers.get("If-None-Match") == sent.get("etag", "-"):
            status, body = 304, b""
        return Exchange(
            via="preview",
            url=f"http://preview{path}",
            host="a.test",
            status=status,
            media_type=media_type,
            size=len(body),
            sha256=hashlib.sha256(body).hexdigest(),
            body=body if keep_body else b"",
            headers=sent,
        )


def web(**answers: tuple[int, str, bytes, dict[str, str]]) -> Web:
    plain = {
        "/": (200, "text/html", PAGE, {}),
        "/assets/app.js": (200, "text/javascript", SCRIPT, {}),
    }
    return Web({**plain, **{f"/{name}": value for name, value in answers.items()}})


def test_a_static_page_as_it_should_be_has_nothing_to_say() -> None:
    found = pages.examine(web(), subject(), 0)

    assert not found.wrong
    assert not found.kept
    assert found.page == "/"


def test_a_rewritten_page_is_proven_by_what_it_names() -> None:
    other = PAGE.replace(b"<!doctype html>", b"<!doctype html><script>API='x'</script>")
    server = Web({"/": (200, "text/html", other, {}), "/assets/app.js": (404, "", b"", {})})

    found = pages.examine(server, subject(rewritten=frozenset({"index.html"})), 0)

    assert [one.what for one in found.wrong] == ["/ names /assets/app.js: status 404, 200 expected"]


def test_what_a_rewritten_page_names_must_be_the_images_bytes() -> None:
    server = Web(
        {"/": (200, "text/html", PAGE, {}), "/assets/app.js": (200, "text/javascript", b"", {})}
    )

    (wrong,) = pages.examine(server, subject(rewritten=frozenset({"index.html"})), 0).wrong

    assert "other bytes" in wrong.what


SSR = {"index": None, "known": {}}


def test_a_rendered_page_is_proven_by_status_and_type_of_what_it_names() -> None:
    good = pages.examine(web(), subject(**SSR), 0)
    bad = pages.examine(web(**{"assets/app.js": (200, "text/html", PAGE, {})}), subject(**SSR), 0)

    assert set(good.compared) == {"/", "/assets/app.js"}
    assert "type text/html, text/javascript expected" in bad.wrong[0].what


def test_a_rendered_site_without_a_page_at_its_gate_is_looked_at_by_its_root() -> None:
    found = pages.examine(
        web(healthz=(200, "text/plain", b"ok", {})), subject(page_urls=("/healthz", "/"), **SSR), 0
    )

    assert found.page == "/"
    assert "/assets/app.js" in found.compared


def test_the_build_id_is_compared() -> None:
    right = web(**{"version.json": (200, "application/json", b"bbbbbbb", {})})
    wrong = web(**{"version.json": (200, "application/json", b"aaaaaaa", {})})
    wanted = subject(build_id="/version.json")

    assert pages.examine(right, wanted, 0).build_id == "/version.json"
    assert "does not hold" in pages.examine(wrong, wanted, 0).wrong[0].what


def test_a_cache_time_on_files_of_fixed_names_is_found() -> None:
    kept = {"cache-control": "max-age=3600"}
    server = web(**{"sw.js": (200, "text/javascript", b"", kept)})
    known = {"sw.js": fact(b"", "text/javascript"), "assets/app.js": fact(SCRIPT, "")}

    assert pages.examine(server, subject(known=known), 0).kept == [
        ("/sw.js", "Cache-Control: max-age=3600")
    ]
    assert "/assets/app.js" not in server.asked


@pytest.mark.parametrize(
    ("pattern", "start", "end"),
    [
        ("/assets/*", "/assets/", "-0000.js"),
        ("/static/*.css", "/static/", "-0000.css"),
        ("/*/chunks/*", "/a/chunks/", "-0000.js"),
    ],
)
def test_a_name_that_no_build_made(pattern: str, start: str, end: str) -> None:
    (first,), (second,) = pages.missing_urls([pattern]), pages.missing_urls([pattern])

    assert first.startswith(start)
    assert first.endswith(end)
    assert first != second


def test_a_pattern_of_one_file_has_no_missing_name() -> None:
    assert pages.missing_urls(["/favicon.ico"]) == ()


@pytest.mark.parametrize(
    ("status", "media_type", "says"),
    [
        (404, "text/html", ""),
        (410, "text/plain", ""),
        (200, "text/html", "is answered with a page"),
        (200, "text/javascript", "status 200, text/javascript, not with 404"),
        (500, "text/plain", "status 500"),
        (302, "text/plain", "status 302"),
    ],
)
def test_a_missing_file_is_a_miss(status: int, media_type: str, says: str) -> None:
    came = Web({"/a.js": (status, media_type, b"", {})})("/a.js")
    found = pages.no_miss("/a.js", came)

    assert says in found if says else found == ""


def test_a_validator_that_two_builds_share_is_found() -> None:
    """whitenoise#222: fixed times and the same size give two pages the same ETag."""
    server = Web({"/": (200, "text/html", PAGE, {"etag": '"same"'})})
    old = replace(server("/"), sha256="other", headers={"etag": '"same"'})

    assert "304" in pages.same_validator(server, "/", old)
    assert not pages.same_validator(server, "/", replace(old, headers={"etag": '"old"'}))
    assert not pages.same_validator(server, "/", replace(old, headers={}))
