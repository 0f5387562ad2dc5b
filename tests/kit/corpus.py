"""Candidates that look healthy and would serve the wrong thing.

Each is a whole build, spoilt in one way, with what must be said of it. Where the loss is
between a candidate and its image, or between a build and its sources, the release must be
rejected; where only the headers are wrong, it must be warned of.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kit.site import images
from kit.site.project_edit import ProjectEdit, caddy_stage

Spoil = Callable[[ProjectEdit], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    name: str
    spoil: Spoil
    says: tuple[str, ...]  # in the message or the hint; with code 0 in one warning
    code: int = 4  # 4 rejected · 5 taken back · 0 released with a warning
    config: Mapping[str, Any] = field(default_factory=dict)
    argv: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name


# --- source → image -------------------------------------------------------------


def _dockerignore_drops_chunks(edit: ProjectEdit) -> None:
    (edit.folder / ".dockerignore").write_text("dist/assets/chunk-*\n")


def _assets_of_the_build_before(edit: ProjectEdit) -> None:
    edit.put_version("good", "old")
    edit.dockerfile(*caddy_stage("COPY old/ /srv/www/", "COPY dist/index.html /srv/www/index.html"))


def _copies_yesterdays_dist(edit: ProjectEdit) -> None:
    """The stage that builds is right; the last line takes what a build before left."""
    edit.put_version("yesterday", "old")
    edit.dockerfile(
        f"FROM {images.busybox()} AS build",
        "COPY dist/ /src/dist/",
        "COPY old/ /src/dist-old/",
        *caddy_stage("COPY --from=build /src/dist-old/ /srv/www/"),
    )


def _a_lazy_chunk_two_imports_deep_is_missing(edit: ProjectEdit) -> None:
    chunk = edit.find("assets/chunk-0-*.js")
    edit.put(chunk, edit.read(chunk) + 'import("./deep-1a2b3c4d.js");\n')


def _stylesheet_imports_a_missing_one(edit: ProjectEdit) -> None:
    style = edit.find("assets/app-*.css")
    edit.put(style, '@import "./theme-1a2b3c4d.css";\n' + edit.read(style))


def _stylesheet_names_a_missing_font(edit: ProjectEdit) -> None:
    style = edit.find("assets/app-*.css")
    rule = "@font-face{font-family:Gone;src:url(/assets/gone-1a2b3c4d.woff2) format('woff2')}\n"
    edit.put(style, edit.read(style) + rule)


def _import_map_names_a_missing_module(edit: ProjectEdit) -> None:
    imports = '{"imports": {"vue": "/assets/vue-1a2b3c4d.js"}}'
    script = edit.find("assets/app-*.js")
    edit.put(script, 'import { h } from "vue";\n' + edit.read(script))
    edit.swap("index.html", "<head>", f'<head><script type="importmap">{imports}</script>')


def _built_for_another_base_path(edit: ProjectEdit) -> None:
    edit.swap("index.html", '"/assets/', '"/app/assets/')


def _named_in_another_case(edit: ProjectEdit) -> None:
    """Found on the developer's machine, whose file system does not tell a from A."""
    edit.swap("index.html", '"/assets/app-', '"/assets/App-')


def _manifest_is_not_copied(edit: ProjectEdit) -> None:
    edit.into_head('<link rel="manifest" href="/site.webmanifest">')


def nothing(_: ProjectEdit) -> None:
    """Its files are right; what lies around them is not."""


def _vite_manifest_names_a_missing_chunk(edit: ProjectEdit) -> None:
    entry = {"file": edit.find("assets/app-*.js"), "isEntry": True}
    late = {"file": "assets/late-1a2b3c4d.js", "isDynamicEntry": True}
    manifest = {"index.html": entry | {"dynamicImports": ["src/late.js"]}, "src/late.js": late}
    edit.put(".vite/manifest.json", json.dumps(manifest))


def _assets_lie_outside_the_root(edit: ProjectEdit) -> None:
    edit.more("RUN mv /srv/www/assets /srv/shared && ln -s /srv/shared /srv/www/assets")


def _build_id_of_another_revision(edit: ProjectEdit) -> None:
    edit.put("version.json", '{"commit": "0badc0de"}')


SOURCE = (
    Wrong(
        name="dockerignore drops the new chunks",
        spoil=_dockerignore_drops_chunks,
        says=("assets/chunk-", "does not have"),
    ),
    Wrong(
        name="the index of this build with the assets of the one before",
        spoil=_assets_of_the_build_before,
        says=("index.html needs", "assets/app-", "does not have", "build is incomplete"),
    ),
    Wrong(
        name="the last stage copies yesterday's dist",
        spoil=_copies_yesterdays_dist,
        config={"freshness": {"build_id": "/version.json"}},
        argv=("--revision", "bad"),
        says=("/version.json does not hold the revision bad", "yesterday"),
    ),
    Wrong(
        name="the build id names another revision",
        spoil=_build_id_of_another_revision,
        config={"freshness": {"build_id": "/version.json"}},
        argv=("--revision", "4f5e6d7c"),
        says=("/version.json does not hold the revision 4f5e6d7c", "0badc0de"),
    ),
    Wrong(
        name="the index is empty",
        spoil=lambda edit: edit.put("index.html", ""),
        says=("index.html", "is empty"),
    ),
    Wrong(
        name="a lazy chunk two imports deep is missing",
        spoil=_a_lazy_chunk_two_imports_deep_is_missing,
        says=("assets/chunk-0-", "assets/deep-1a2b3c4d.js", "does not have"),
    ),
    Wrong(
        name="the stylesheet imports one that is missing",
        spoil=_stylesheet_imports_a_missing_one,
        says=("assets/app-", "assets/theme-1a2b3c4d.css", "does not have"),
    ),
    Wrong(
        name="the stylesheet names a font that is missing",
        spoil=_stylesheet_names_a_missing_font,
        says=("assets/app-", "assets/gone-1a2b3c4d.woff2", "does not have"),
    ),
    Wrong(
        name="an import goes by the import map to a module that is missing",
        spoil=_import_map_names_a_missing_module,
        says=("index.html needs", "assets/vue-1a2b3c4d.js", "does not have"),
    ),
    Wrong(
        name="built for another base path",
        spoil=_built_for_another_base_path,
        says=("/app/assets/", "status 404"),
    ),
    Wrong(
        name="a file is named in another case",
        spoil=_named_in_another_case,
        says=("assets/App-", "does not have"),
    ),
    Wrong(
        name="the web app manifest is not copied",
        spoil=_manifest_is_not_copied,
        says=("site.webmanifest", "does not have", "freshness.optional"),
    ),
    Wrong(
        name="Vite's manifest names a chunk that is missing",
        spoil=_vite_manifest_names_a_missing_chunk,
        says=("manifest.json", "assets/late-1a2b3c4d.js", "does not have"),
    ),
    Wrong(
        name="the assets are a link out of the web root",
        spoil=_assets_lie_outside_the_root,
        says=("assets/app-", "does not have"),
    ),
)

# --- image → candidate ------------------------------------------------------------


def _entrypoint_rewrites_the_index(edit: ProjectEdit) -> None:
    edit.more(
        'CMD ["sh", "-c", "sed -i s/utf-8/UTF-8/ /srv/www/index.html;'
        ' exec caddy run --config /etc/caddy/Caddyfile --adapter caddyfile"]'
    )


def _old_root(edit: ProjectEdit, *directives: str) -> None:
    edit.put_version("good", "old")
    edit.more("COPY old/ /srv/old/")
    edit.serve(*directives)


def _cut(edit: ProjectEdit) -> None:
    """As a disk that was full left it."""
    script = edit.find("assets/app-*.js")
    edit.put(f"../cut/{script}", edit.read(script)[:2000])
    edit.more("COPY cut/ /srv/cut/")
    edit.serve(f"@cut path /{script}", "root @cut /srv/cut")


def _not_readable(edit: ProjectEdit) -> None:
    script = edit.find("assets/app-*.js")
    edit.more(f"RUN chmod 600 /srv/www/{script}", "USER nobody")


def _stale_twin(edit: ProjectEdit) -> None:
    """The build before wrote index.html.gz; this one wrote only index.html."""
    stale = edit.read("index.html").replace("site-version:bad", "site-version:good")
    edit.put("index.html.gz", gzip.compress(stale.encode()))
    edit.serve(precompressed=True)


def _another_gzip(edit: ProjectEdit) -> None:
    _old_root(edit, "@gzip header Accept-Encoding *gzip*", "root @gzip /srv/old")


def _copies_once_into_its_cache(edit: ProjectEdit) -> None:
    """The volume outlives the container; what was copied into it first stays."""
    edit.put_version("good", "old")
    edit.serve()
    edit.more(
        "COPY old/ /cache/",
        'CMD ["sh", "-c", "[ -f /cache/index.html ] || cp -r /srv/www/. /cache/;'
        ' exec caddy file-server --root /cache --listen :80"]',
    )


IMAGE = (
    Wrong(
        name="a tmpfs lies over the assets",
        spoil=nothing,
        config={"container": {"tmpfs": ["/srv/www/assets"]}},
        says=("/assets/", "status 404", "200 expected"),
    ),
    Wrong(
        name="an entrypoint rewrites the index",
        spoil=_entrypoint_rewrites_the_index,
        says=("other bytes", "index.html", "freshness.rewritten"),
    ),
    Wrong(
        name="the server's root is elsewhere",
        spoil=lambda edit: _old_root(edit, "root * /srv/old"),
        says=("other content than its image", "index.html"),
    ),
    Wrong(
        name="the server falls back to the index for scripts",
        spoil=lambda edit: edit.serve("@js path /assets/*.js", "rewrite @js /index.html"),
        says=(".js", "text/html", "text/javascript expected"),
    ),
    Wrong(
        name="scripts come as plain text",
        spoil=lambda edit: edit.serve("header /assets/*.js >Content-Type text/plain"),
        says=(".js", "text/plain", "text/javascript expected"),
    ),
    Wrong(
        name="stylesheets come as octets",
        spoil=lambda edit: edit.serve(
            "header /assets/*.css >Content-Type application/octet-stream"
        ),
        says=(".css", "application/octet-stream", "text/css expected"),
    ),
    Wrong(
        name="a script is cut short",
        spoil=_cut,
        says=("assets/app-", "other bytes", "2000 bytes"),
    ),
    Wrong(
        name="a script cannot be read by the server's user",
        spoil=_not_readable,
        says=("assets/app-", "status 403"),
    ),
    Wrong(
        name="a lazy chunk is not served",
        spoil=lambda edit: edit.serve("respond /assets/chunk-1-* 404"),
        says=("assets/chunk-1-", "status 404"),
    ),
    Wrong(
        name="a stale gzip twin stands beside the index",
        spoil=_stale_twin,
        says=("index.html.gz in the image is of another build than index.html",),
    ),
    Wrong(
        name="whoever takes gzip gets another page",
        spoil=_another_gzip,
        says=("gzip", "/"),
    ),
    Wrong(
        name="the server keeps its first copy in a volume",
        spoil=_copies_once_into_its_cache,
        says=("other content than its image",),
    ),
    Wrong(
        name="the server answers below another base path",
        spoil=lambda edit: edit.serve("@other not path /app/*", "respond @other 404"),
        config={"gate": {"timeout": "2s"}},
        says=("status 404", "200 expected"),
    ),
    Wrong(
        name="a maintenance page with status 200",
        spoil=lambda edit: edit.serve(
            "header / Content-Type text/html", 'respond / "We will be back soon" 200'
        ),
        says=("other bytes", "20 bytes"),
    ),
    Wrong(
        name="every unknown path is the index, and no store stands behind it",
        spoil=lambda edit: edit.serve("try_files {path} /index.html"),
        config={"assets": {"paths": []}},
        says=("/assets/", "404"),
    ),
)

# --- candidate → edge: the candidate itself tells users from the preview --------------

_PUBLIC = "@public not header X-Forwarded-For 127.0.0.1"

PUBLIC = (
    Wrong(
        name="users get an older page than the preview",
        spoil=lambda edit: _old_root(edit, _PUBLIC, "root @public /srv/old"),
        code=5,
        says=("users did not get the new release", "other bytes"),
    ),
    Wrong(
        name="users are sent elsewhere",
        spoil=lambda edit: edit.serve(_PUBLIC, "redir @public https://www.example.test/"),
        code=5,
        says=("users did not get the new release", "redirect to https://www.example.test/"),
    ),
    Wrong(
        name="users miss a script",
        spoil=lambda edit: edit.serve(
            "@public {",
            "not header X-Forwarded-For 127.0.0.1",
            "path /assets/app-*.js",
            "}",
            "respond @public 403",
        ),
        code=5,
        says=("users did not get the new release", "assets/app-", "status 403"),
    ),
)

# --- store and headers ------------------------------------------------------------


def _same_name_other_bytes(edit: ProjectEdit) -> None:
    vendor = edit.find("assets/vendor-*.js")
    edit.put(vendor, edit.read(vendor) + "/* patched by hand */\n")


def _poisoned(edit: ProjectEdit) -> None:
    """No page needs it before a click, so only the store's own check can see it."""
    edit.put("assets/late-1a2b3c4d.js", "export const late = 1;\n")
    edit.serve("rewrite /assets/late-*.js /index.html")


def _kept(edit: ProjectEdit, path: str) -> None:
    edit.put(path.lstrip("/"), "{}")
    edit.serve(f"header {path} Cache-Control max-age=86400")


STORE = (
    Wrong(
        name="the index may be kept for an hour",
        spoil=lambda edit: edit.serve("header / Cache-Control max-age=3600"),
        code=0,
        says=("max-age=3600", "no-cache"),
    ),
    Wrong(
        name="the service worker may be kept for a day",
        spoil=lambda edit: _kept(edit, "/sw.js"),
        code=0,
        says=("/sw.js", "max-age=86400", "no-cache"),
    ),
    Wrong(
        name="the web app manifest may be kept for a day",
        spoil=lambda edit: _kept(edit, "/site.webmanifest"),
        code=0,
        says=("/site.webmanifest", "max-age=86400", "no-cache"),
    ),
    Wrong(
        name="version.json may be kept for a day",
        spoil=lambda edit: _kept(edit, "/version.json"),
        code=0,
        says=("/version.json", "max-age=86400", "no-cache"),
    ),
    Wrong(
        name="a missing asset is answered with the index",
        spoil=lambda edit: edit.serve("try_files {path} /index.html"),
        code=0,
        says=("/assets/", "text/html"),
    ),
    Wrong(
        name="other bytes under a name that the store has",
        spoil=_same_name_other_bytes,
        code=0,
        says=("assets/vendor-", "served live only", "changed its bytes under the same name"),
    ),
    Wrong(
        name="a lazy asset is answered with the index",
        spoil=_poisoned,
        code=0,
        says=("assets/late-1a2b3c4d.js", "served live only", "text/html"),
    ),
)
