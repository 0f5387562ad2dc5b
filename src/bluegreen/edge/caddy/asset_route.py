"""How the edge answers for assets: live, the store, or a 404 that nobody may cache. Pure.

Caddy cannot replay recorded headers a file, but it can a class: files with equal headers lie
in one folder, and a route for each of `CLASSES` folders stands here from the start, whose
header values are small files beside. So a release never changes this configuration.

    store/<site>/<class>/files/<path>      what is served
    store/<site>/<class>/headers/<name>    a usual header's value; empty where it was not sent
    store/<site>/<class>/headers/other     not empty where a less usual one was sent
    store/<site>/<class>/headers/<n>.name, <n>.value   each of those
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bluegreen.artifact.asset_paths import ENDING, PAGES, TWINS
from bluegreen.assets import (
    ABSENT,
    CLASSES,
    OTHER,
    SLOTS,
    USUAL_HEADERS,
    class_name,
    name_file,
    value_file,
)
from bluegreen.state.folder import MOUNT_STORE

Json = dict[str, Any]

_FOLDER = "bluegreen_store"  # the variable that names the class's folder; unset on a miss
#: HTML in any spelling; header values are compared as they are.
_HTML = ["text/html*", "Text/html*", "Text/HTML*", "TEXT/HTML*", "application/xhtml*"]
_MISS_HEADERS = {
    "Cache-Control": ["no-store"],
    "Content-Type": ["text/plain; charset=utf-8"],
}
_MISS_BODY = "No release that is kept has this file.\n"


def store_name(site: str) -> str:
    """Of the named route that looks a site's file up and sets its headers."""
    return f"store.{site}"


def lookup(site: str) -> Json:
    """The named route: it marks a hit by a variable, and leaves a miss as it is."""
    classes = [_class(site, number) for number in range(CLASSES)]
    return {"handle": [{"handler": "subroute", "routes": classes}]}


def around(proxy: Json, site: str, patterns: Sequence[str], order: str) -> Json:
    """The site's proxy with its assets minded: one handler, and one upstream for all.

    The proxy stays whole, so that one PATCH of its upstream switches pages and assets at once.
    """
    asset = _asset(patterns)
    first = _if_stored(site) if order == "store" else []
    return {
        "handler": "subroute",
        "routes": [
            {
                "match": [asset],
                # A server whose every unknown path is its index answers 304 from that.
                "handle": [_without("If-Modified-Since"), *first],
            },
            # Parts of several ranges have a type of their own, which would hide HTML.
            {"match": [asset | {"header": {"Range": ["*,*"]}}], "handle": [_without("Range")]},
            {"handle": [proxy | {"handle_response": _answers(site, asset)}]},
        ],
        "errors": {"routes": [_in_trouble(site, asset), _PASSED_ON]},
    }


# --- what live answered -----------------------------------------------------


def _answers(site: str, asset: Json) -> list[Json]:
    """Live has it not, or answers with a page: the store, or nothing. Live cannot: the store,
    or what live said."""
    missing = [*_if_stored(site), _miss("404")]
    return [
        _answer({"status_code": [404, 410]}, asset, missing),
        _answer({"status_code": [2], "headers": {"Content-Type": _HTML}}, asset, missing),
        # Out of range or precondition failed may be said of the index in its place.
        _answer({"status_code": [412, 416, 5]}, asset, [*_if_stored(site), _COPY]),
    ]


def _answer(match: Json, asset: Json, handle: list[Json]) -> Json:
    return {
        "match": match,
        "routes": [
            {"match": [asset], "handle": handle, "terminal": True},
            {"handle": [_COPY]},
        ],
    }


def _in_trouble(site: str, asset: Json) -> Json:
    """Live cannot be reached. In an error's route the status and the conditions of a request
    must be said anew: Caddy would send the file with status 502, or nothing with a 200."""
    conditions = _without("Range", "If-Range", "If-None-Match", "If-Match", "If-Unmodified-Since")
    return {
        "match": [asset],
        "handle": [conditions, *_if_stored(site, status="200"), _miss("{http.error.status_code}")],
        "terminal": True,
    }


#: What is no asset goes on as it would without all this.
_COPY: Json = {"handler": "copy_response"}
_PASSED_ON: Json = {
    "handle": [
        {
            "handler": "error",
            "error": "{http.error.message}",
            "status_code": "{http.error.status_code}",
        }
    ]
}


# --- the store --------------------------------------------------------------


def _if_stored(site: str, status: str = "") -> list[Json]:
    """Answers where the store has the file, and goes on where it has not."""
    server: Json = {
        "handler": "file_server",
        "root": f"{{http.vars.{_FOLDER}}}/files",
        "index_names": [],
        "canonical_uris": False,
        "precompressed": {encoding: {} for encoding in TWINS},
        "precompressed_order": list(TWINS),
    }
    if status:
        server["status_code"] = status
    found = {"not": [{"vars": {f"{{http.vars.{_FOLDER}}}": [""]}}]}
    return [
        {"handler": "invoke", "name": store_name(site)},
        {"handler": "subroute", "routes": [{"match": [found], "handle": [server]}]},
    ]


def _class(site: str, number: int) -> Json:
    folder = f"{MOUNT_STORE}/{site}/{class_name(number)}"
    value = f"file.{folder}/headers"
    return {
        "group": "class",  # the first that has the file, and no other
        "match": [
            {
                "file": {"root": f"{folder}/files", "try_files": ["{http.request.uri.path}"]},
                # A twin alone would be sent without its Content-Encoding.
                "not": [{"path": [f"*{ending}" for ending in TWINS.values()]}],
            }
        ],
        "handle": [
            {"handler": "vars", _FOLDER: folder},
            {
                "handler": "subroute",
                "routes": [
                    *(_header(value, name) for name in USUAL_HEADERS),
                    {
                        "match": [_not_empty(f"{{{value}/{OTHER}}}")],
                        "handle": [_others(value)],
                    },
                ],
            },
        ],
    }


def _header(value: str, name: str) -> Json:
    recorded = f"{{{value}/{name}}}"
    return {
        "match": [_not_empty(recorded)],
        "handle": [{"handler": "headers", "response": {"set": {name: [recorded]}}}],
    }


def _others(value: str) -> Json:
    """The name of a header may be read from a file too; an empty place has a name to delete."""
    places = {
        f"{{{value}/{name_file(slot)}}}": [f"{{{value}/{value_file(slot)}}}"]
        for slot in range(SLOTS)
    }
    return {"handler": "headers", "response": {"set": places, "delete": [ABSENT]}}


def _not_empty(placeholder: str) -> Json:
    return {"not": [{"vars": {placeholder: [""]}}]}


def _asset(patterns: Sequence[str]) -> Json:
    return {
        "method": ["GET", "HEAD"],
        "path": list(patterns),
        "path_regexp": {"pattern": ENDING},
        "not": [{"path": [f"*{ending}" for ending in PAGES]}],
    }


def _without(*names: str) -> Json:
    return {"handler": "headers", "request": {"delete": list(names)}}


def _miss(status: str) -> Json:
    return {
        "handler": "static_response",
        "status_code": status,
        "headers": _MISS_HEADERS,
        "body": _MISS_BODY,
    }
