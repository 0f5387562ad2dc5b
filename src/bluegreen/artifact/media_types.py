"""Media types: what a file's name says, and whether a served type fits it."""

from __future__ import annotations

from pathlib import PurePosixPath

JAVASCRIPT = frozenset(
    {
        "text/javascript",
        "application/javascript",
        "application/x-javascript",
        "text/ecmascript",
        "application/ecmascript",
    }
)

#: The first is what we call it; a browser takes any of them (WHATWG MIME Sniffing).
_BY_SUFFIX: dict[str, frozenset[str]] = {
    ".html": frozenset({"text/html", "application/xhtml+xml"}),
    ".htm": frozenset({"text/html"}),
    ".js": JAVASCRIPT,
    ".mjs": JAVASCRIPT,
    ".css": frozenset({"text/css"}),
    ".json": frozenset({"application/json", "text/json", "application/manifest+json"}),
    ".webmanifest": frozenset({"application/manifest+json", "application/json"}),
    ".wasm": frozenset({"application/wasm"}),
    ".svg": frozenset({"image/svg+xml"}),
}

_NAMES = {
    ".html": "text/html",
    ".htm": "text/html",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".css": "text/css",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".wasm": "application/wasm",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".avif": "image/avif",
    ".ico": "image/x-icon",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".ttf": "font/ttf",
    ".otf": "font/otf",
    ".txt": "text/plain",
    ".xml": "application/xml",
    ".map": "application/json",
    ".pdf": "application/pdf",
    ".mp4": "video/mp4",
    ".webm": "video/webm",
}

#: Beside text/*: what web servers send precompressed.
COMPRESSIBLE = frozenset(
    {
        "application/json",
        "application/manifest+json",
        "application/wasm",
        "application/xml",
        "image/svg+xml",
        "image/x-icon",
    }
)

#: Files of fixed names that must be asked for anew.
_NEVER_KEPT = frozenset(
    {
        *("sw.js", "service-worker.js", "serviceworker.js", "ngsw-worker.js"),
        *(
            "manifest.json",
            "site.webmanifest",
            "version.json",
            "registersw.js",
            "asset-manifest.json",
        ),
    }
)


def expected(path: str) -> str:
    """The type that a web server is expected to send for `path`."""
    return _NAMES.get(PurePosixPath(path).suffix.lower(), "application/octet-stream")


def fits(path: str, served: str) -> bool:
    """Whether a browser would use `served` for `path`.

    Scripts, styles, pages and WebAssembly are refused under a wrong type; for the rest
    only a page in its place is wrong.
    """
    accepted = _BY_SUFFIX.get(PurePosixPath(path).suffix.lower())
    if accepted is None:
        return served not in _BY_SUFFIX[".html"]
    return served in accepted


def is_never_kept(path: str) -> bool:
    """Files of fixed names that must be asked for anew: they name the rest, or the release."""
    name = PurePosixPath(path).name.lower()
    return name in _NEVER_KEPT or name.endswith(".webmanifest")
