"""The demo's frontend: a page, a stylesheet and two scripts, named by their content."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

_COLOURS = {"1": "#1d4ed8", "2": "#15803d", "3": "#b91c1c"}

_STYLE = """\
/* site-version:{version} */
:root {{ color-scheme: light; font: 18px/1.6 system-ui, sans-serif; }}
body {{ margin: 0; min-height: 100vh; display: grid; place-items: center;
       background: {colour}; color: white; }}
main {{ text-align: center; }}
h1 {{ font-size: 5rem; margin: 0; }}
p {{ opacity: .85; }}
"""

_CLOCK = """\
/* site-version:{version} */
export function every(seconds, act) {{ act(); setInterval(act, seconds * 1000); }}
"""

_APP = """\
/* site-version:{version} */
import {{ every }} from "/{clock}";
const note = document.querySelector("#note");
every(1, async () => {{
  const now = await (await fetch("/version.json", {{ cache: "no-store" }})).json();
  note.textContent = now.version === "{version}"
    ? "This is what is live." : `Version ${{now.version}} is live now: reload.`;
}});
"""

_INDEX = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="version" content="site-version:{version}">
<title>Version {version}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/{style}">
<link rel="modulepreload" href="/{clock}">
<script type="module" src="/{app}"></script>
</head>
<body><main><h1>Version {version}</h1><p id="note">…</p></main></body>
</html>
"""

_DOCKERFILE = """\
FROM {base}
COPY dist/ /srv/www/
"""

_CONFIG = """\
site = "{site}"

[freshness]
web_root = "/srv/www"

[edge]
name = "{edge}"
state_dir = "{state}"
listen = ["{listen}"]
"""


def write(folder: Path, version: str, base: str) -> None:
    """The build of one version, as a bundler leaves it, in place of the one before."""
    dist = folder / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    (dist / "assets").mkdir(parents=True)

    def asset(stem: str, suffix: str, text: str) -> str:
        name = f"assets/{stem}-{hashlib.sha256(text.encode()).hexdigest()[:8]}{suffix}"
        (dist / name).write_text(text)
        return name

    style = asset("app", ".css", _STYLE.format(version=version, colour=_COLOURS[version]))
    clock = asset("clock", ".js", _CLOCK.format(version=version))
    app = asset("app", ".js", _APP.format(version=version, clock=clock))
    page = _INDEX.format(version=version, style=style, clock=clock, app=app)
    (dist / "index.html").write_text(page)
    (dist / "version.json").write_text(f'{{"version": "{version}", "": "site-version:{version}"}}')
    (folder / "Dockerfile").write_text(_DOCKERFILE.format(base=base))


def lose_a_chunk(folder: Path) -> Path:
    """Take away a script that the page names, as a half-finished upload would."""
    chunk = next((folder / "dist" / "assets").glob("clock-*.js"))
    chunk.unlink()
    return chunk


def write_config(folder: Path, *, site: str, edge: str, state: Path, listen: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "bluegreen.toml"
    path.write_text(_CONFIG.format(site=site, edge=edge, state=state, listen=listen))
    return path
