"""The proof compares status, type and bytes, and waits only for an answer that is missing."""

from __future__ import annotations

import gzip
import hashlib
import threading
import time
from collections.abc import Callable, Mapping

import brotli
import pytest
import zstandard

from bluegreen.artifact import media_types
from bluegreen.model import MAX_BODY, Exchange, FileFact, MountPlan
from bluegreen.proof import causes, compare
from bluegreen.settings import ContainerSettings, FreshnessSettings

BODY = b"console.log(1)"
FACT = FileFact(hashlib.sha256(BODY).hexdigest(), len(BODY), "text/javascript")
SCRIPT = compare.Expectation("/a.js", "a.js", FACT)
HTML = b"<!doctype html><title>new</title>" + b"<p>text</p>" * 1000
PAGE = compare.Expectation(
    "/",
    "index.html",
    FileFact(hashlib.sha256(HTML).hexdigest(), len(HTML), "text/html"),
    page=True,
)


class Server:
    """Answers whatever it is asked; `asked` keeps each path with its headers."""

    def __init__(
        self,
        body: bytes = BODY,
        *,
        status: int = 200,
        media_type: str = "text/javascript",
        error: str = "",
        encoded: Mapping[str, Callable[[], bytes]] | None = None,
    ) -> None:
        self._body, self._status = body, status
        self._media_type, self._error = media_type, error
        self._encoded = encoded or {}
        self.asked: list[tuple[str, Mapping[str, str]]] = []

    def __call__(
        self,
        path: str,
        headers: Mapping[str, str] | None = None,
        *,
        keep_body: bool = False,
        max_body: int = MAX_BODY,
    ) -> Exchange:
        self.asked.append((path, headers or {}))
        accepted = (headers or {}).get("Accept-Encoding", "identity").split(", ")
        coding = next((one for one in accepted if one in self._encoded), "")
        body = self._encoded[coding]() if coding else self._body
        return Exchange(
            via="preview",
            url=path,
            host="h",
            status=self._status,
            media_type=self._media_type,
            size=len(body),
            sha256=hashlib.sha256(body).hexdigest(),
            error=self._error,
            headers={"content-encoding": coding.replace("identity", "gzip")} if coding else {},
            body=body if keep_body else b"",
        )


def test_equal_bytes_with_a_fitting_type_are_the_proof() -> None:
    assert compare.prove(Server(), [SCRIPT], 0) == ()
    assert compare.prove(Server(media_type="application/javascript"), [SCRIPT], 0) == ()


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (Server(b"old"), "other bytes"),
        (Server(status=404), "status 404"),
        (Server(status=301), "status 301"),
        (Server(media_type="text/html"), "type text/html, text/javascript expected"),
        (Server(media_type=""), "type missing"),
        (Server(status=0, error="refused"), "no answer (refused)"),
        (Server(status=502, error="dial tcp"), "status 502 (dial tcp)"),
        (Server(BODY * 9, status=0, error="a body of more …"), "more than"),
        (Server(encoded={"identity": lambda: b"packed"}), "asked for as it is (identity)"),
    ],
)
def test_every_difference_is_told(ask: compare.Ask, says: str) -> None:
    (wrong,) = compare.prove(ask, [SCRIPT], 0)
    assert says in str(wrong)
    assert str(wrong).startswith("/a.js")


def test_of_a_rewritten_file_only_status_and_type_are_asked() -> None:
    rewritten = compare.Expectation("/env.js", "env.js", FileFact("", 0, "text/javascript"))
    assert compare.prove(Server(b"anything"), [rewritten], 0) == ()
    assert compare.prove(Server(b"x", status=404), [rewritten], 0)
    assert compare.prove(Server(b"x", media_type="text/html"), [rewritten], 0)


class Late(Server):
    """502 until the third time."""

    def __call__(self, path: str, *args: object, **rest: object) -> Exchange:
        self._status = 502 if len(self.asked) < 2 else 200
        return super().__call__(path)


def test_a_missing_answer_is_waited_for_and_a_wrong_one_is_not() -> None:
    late = Late()
    assert compare.prove(late, [SCRIPT], 30) == ()
    assert len(late.asked) == 3
    wrong = Server(b"old")
    assert len(compare.prove(wrong, [SCRIPT], 30)) == 1
    assert len(wrong.asked) == 1


def test_no_expectations_are_no_proof_and_no_request() -> None:
    never = Server()
    assert compare.prove(never, [], 0) == ()
    assert not never.asked


def test_files_are_asked_for_in_parallel() -> None:
    """Eight at once: none is answered before all eight have come."""
    together = threading.Barrier(8, timeout=30)

    class Waiting(Server):
        def __call__(self, path: str, *args: object, **rest: object) -> Exchange:
            together.wait()
            return super().__call__(path)

    assert compare.prove(Waiting(), [SCRIPT] * 16, 0) == ()


def test_the_whole_proof_ends_at_its_limit() -> None:
    began = time.monotonic()
    wrong = compare.prove(Server(status=0, error="refused"), [SCRIPT] * 400, 1.0, limit=1.5)
    assert time.monotonic() - began < 20  # in turn they would take 50 s
    assert len(wrong) == 400
    assert any("the time of the proof was over" in str(one) for one in wrong)


# --- the page as browsers ask for it -----------------------------------------------

PACKS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda content: gzip.compress(content, mtime=0),
    "br": lambda content: brotli.compress(content, quality=2),
    "zstd": lambda content: zstandard.ZstdCompressor().compress(content),
}


def page_server(**packed: bytes) -> Server:
    encoded = {coding: (lambda body=body: body) for coding, body in packed.items()}
    return Server(HTML, media_type="text/html", encoded=encoded)


def test_the_page_is_asked_for_plainly_and_then_as_browsers_do() -> None:
    server = page_server(**{coding: pack(HTML) for coding, pack in PACKS.items()})
    assert compare.prove(server, [PAGE], 0) == ()
    asked = [headers.get("Accept-Encoding", "") for _, headers in server.asked]
    assert asked == ["", "gzip, deflate, br, zstd", "gzip", "br", "zstd"]


def test_a_server_that_encodes_nothing_is_right() -> None:
    assert compare.prove(page_server(), [PAGE], 0) == ()


@pytest.mark.parametrize("coding", PACKS)
@pytest.mark.parametrize(
    ("body", "says"),
    [
        (lambda pack: pack(b"<!doctype html>last week's"), "other bytes"),
        (lambda pack: pack(HTML)[:-9], "decoded"),
        (lambda _: HTML, "cannot be decoded"),
        (lambda pack: pack(bytes(200 << 20)), "more than"),  # a bomb
    ],
)
def test_a_stale_or_broken_encoding_is_told(
    coding: str, body: Callable[[Callable[[bytes], bytes]], bytes], says: str
) -> None:
    (wrong,) = compare.prove(page_server(**{coding: body(PACKS[coding])}), [PAGE], 0)
    assert says in str(wrong)
    assert coding in wrong.asked


# --- causes ------------------------------------------------------------------------

SITE = FreshnessSettings(web_root="/srv/www")


def why(wrong: compare.Mismatch, **container: object) -> str:
    settings = ContainerSettings.model_validate(container)
    return causes.likely([wrong], [PAGE, SCRIPT], settings, SITE)


def mismatch(server: Server, expected: compare.Expectation = SCRIPT) -> compare.Mismatch:
    (wrong,) = compare.prove(server, [expected], 0)
    return wrong


@pytest.mark.parametrize("target", ["/srv/www", "/srv", "/srv/www/a.js"])
def test_a_mount_over_the_file_is_named_with_certainty(target: str) -> None:
    mount = MountPlan(type="volume", source="web", target=target)
    told = why(mismatch(Server(b"old")), mounts=[mount])
    assert f"the container mounts volume web over {target}" in told
    assert "usual causes" not in told


def test_a_mount_elsewhere_is_no_cause() -> None:
    mount = MountPlan(type="volume", source="web", target="/data")
    told = why(mismatch(Server(b"old")), mounts=[mount], tmpfs=["/tmp"])
    assert "mounts" not in told
    assert 'freshness.rewritten = ["a.js"]' in told


def test_a_tmpfs_over_the_web_root_is_named() -> None:
    told = why(mismatch(Server(status=404)), tmpfs=["/srv/www:size=1m"])
    assert "tmpfs over /srv/www" in told


def test_the_page_in_place_of_a_script_is_named() -> None:
    assert "the page itself came in place of /a.js" in why(
        mismatch(Server(HTML, media_type="text/html"))
    )


def test_a_stale_twin_is_named() -> None:
    told = why(mismatch(page_server(br=PACKS["br"](b"old")), PAGE))
    assert "wrong as br: a stale precompressed twin" in told


@pytest.mark.parametrize(
    ("path", "served", "fits"),
    [
        ("a.js", "text/html", False),
        ("a.mjs", "application/javascript", True),
        ("a.css", "text/plain", False),
        ("index.html", "text/html", True),
        ("logo.png", "image/png", True),
        ("logo.png", "application/octet-stream", True),
        ("logo.png", "text/html", False),
        ("a.wasm", "application/octet-stream", False),
    ],
)
def test_types_fit_as_a_browser_takes_them(path: str, served: str, fits: bool) -> None:
    assert media_types.fits(path, served) is fits
