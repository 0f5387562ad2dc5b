"""Writes a frontend as a build tool leaves it: a page that names its hashed assets.

`write_project(folder, "v1")` makes

    bluegreen.toml
    Dockerfile                 FROM bluegreen-test/caddy:…
    dist/index.html            names the script, the stylesheet and the chunks to preload
    dist/assets/app-<hash>.js  …

Bytes differ from version to version, and every text file carries `site-version:<version>`,
so that whoever holds a body knows which release it came from. The same version is the same
bytes, wherever it is written.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from pathlib import Path
from typing import Any

from kit.site import images

VERSION_MARK = re.compile(rb"site-version:([\w.-]+)")
PUBLIC_HOST = "www.example.test"
#: A Caddy that is to stop waits 5 s for a connection that came and never asked anything, as one
#: of an edge's spare ones does (Go's `http.Server.Shutdown`).
_STOP_GRACE = "8s"


class Fault(StrEnum):
    """What is wrong with the files of a build."""

    NONE = "none"
    INDEX_MISSING = "index-missing"
    INDEX_EMPTY = "index-empty"
    CHUNK_MISSING = "chunk-missing"  # named by the index, not there


class Behaviour(Enum):
    """What the container does: its base image, and the Dockerfile's last lines."""

    STATIC = ("caddy", ())
    STREAMS = ("server", ())  # static files, and /slow /events /ws /echo of kit/site/server.py
    EXITS = ("busybox", ('CMD ["sh", "-c", "echo no API_URL in the environment; exit 3"]',))
    EXITS_WITH_HEALTHCHECK = (
        "busybox",
        (
            'HEALTHCHECK --interval=1s CMD ["true"]',
            'CMD ["sh", "-c", "echo no API_URL in the environment; exit 3"]',
        ),
    )
    CRASHES = ("server", ("ENV CRASH_AFTER=0.3",))  # answers at first; exit code 3
    CRASHES_LATER = ("server", ("ENV CRASH_AFTER=5",))
    NEVER_LISTENS = ("server", ("ENV BEHAVIOUR=mute",))
    OTHER_PORT = ("server", ("ENV PORT=8081",))
    LOOPBACK_ONLY = ("server", ("ENV BIND=127.0.0.1",))
    ANSWERS_500 = ("server", ("ENV BEHAVIOUR=error",))
    REDIRECTS = ("server", ("ENV BEHAVIOUR=redirect", f"ENV PUBLIC_HOST={PUBLIC_HOST}"))
    UNHEALTHY = (
        "server",
        ("HEALTHCHECK --interval=1s --timeout=1s --retries=1 CMD echo the cache is cold; false",),
    )
    OOM = ("server", ("ENV BEHAVIOUR=hog",))  # give it container.memory
    PREVIEW_ONLY = ("server", ("ENV BEHAVIOUR=preview-only",))  # passes the gate, fails verify
    UNKNOWN_USER = ("server", ("USER nobody-knows",))
    UNKNOWN_COMMAND = ("server", ('CMD ["/bin/no-such-command"]',))
    BUILD_FAILS = ("busybox", ('RUN ["sh", "-c", "echo vite: cannot resolve ./App; exit 7"]',))

    @property
    def base(self) -> str:
        """The reference of its base image, made now if the engine lacks it."""
        made: str = getattr(images, self.value[0])()
        return made

    @property
    def lines(self) -> tuple[str, ...]:
        lines: tuple[str, ...] = self.value[1]
        return lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    folder: Path
    site: str
    version: str
    #: Path below the web root → what must be served.
    files: Mapping[str, bytes] = field(repr=False)

    @property
    def config(self) -> Path:
        return self.folder / "bluegreen.toml"

    @property
    def index(self) -> bytes:
        return self.files["index.html"]


def write_project(
    folder: Path,
    version: str,
    *,
    site: str = "web",
    files: int = 50,
    behaviour: Behaviour = Behaviour.STATIC,
    fault: Fault = Fault.NONE,
    config: Mapping[str, Any] | None = None,
) -> Project:
    """Write the project into `folder`, in place of what a version before left there.

    `config` is laid over the defaults of bluegreen.toml: `{"gate": {"timeout": "5s"}}`.
    """
    content = build(version, site=site, files=files)
    if fault is Fault.INDEX_EMPTY:
        content["index.html"] = b""
    elif fault is Fault.INDEX_MISSING:
        del content["index.html"]
    elif fault is Fault.CHUNK_MISSING:
        del content[next(path for path in content if path.startswith("assets/chunk-"))]

    dist = folder / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    for path, data in content.items():
        target = dist / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    (folder / "Dockerfile").write_text(dockerfile(version, behaviour))
    write_config(folder, site, config or {})
    return Project(folder=folder, site=site, version=version, files=content)


def dockerfile(version: str, behaviour: Behaviour) -> str:
    lines = (f"FROM {behaviour.base}", "COPY dist/ /srv/www/", f"ENV VERSION={version}")
    return "\n".join((*lines, *behaviour.lines)) + "\n"


def write_config(folder: Path, site: str, overlay: Mapping[str, Any]) -> Path:
    settings: dict[str, Any] = {
        "site": site,
        "gate": {"timeout": "15s", "interval": "50ms"},
        "freshness": {"web_root": "/srv/www"},
        "drain": {"timeout": "10s"},
        "container": {"stop_grace": _STOP_GRACE},
    }
    for key, value in overlay.items():
        settings[key] = {**settings.get(key, {}), **value} if isinstance(value, Mapping) else value
    path = folder / "bluegreen.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(to_toml(settings))
    return path


def build(version: str, *, site: str = "web", files: int = 50) -> dict[str, bytes]:
    """What a build tool would put into dist/: exactly `files` files (at least 10)."""
    chance = random.Random(f"{site}/{version}")
    mark = f"site-version:{version}"
    content: dict[str, bytes] = {}

    def asset(stem: str, suffix: str, data: bytes) -> str:
        path = f"assets/{stem}-{hashlib.sha256(data).hexdigest()[:8]}{suffix}"
        content[path] = data
        return path

    # A vendor chunk and a font outlive most releases: same name, same bytes.
    steady = random.Random(site)
    vendor = asset("vendor", ".js", b"/* vendor */\n" + _script(steady, 96_000))
    asset("inter", ".woff2", b"wOF2" + steady.randbytes(24_000))
    style = asset("app", ".css", f"/* {mark} */\n".encode() + _style(chance, 18_000))
    chunks = [
        asset(f"chunk-{n}", ".js", f"/* {mark} */\n".encode() + _script(chance, 400 * (n % 20 + 1)))
        for n in range((files - 8) // 2)
    ]
    for n in range(files - 8 - len(chunks)):
        asset(f"image-{n}", ".png", b"\x89PNG\r\n\x1a\n" + chance.randbytes(300 * (n % 30 + 1)))
    imports = "".join(f'import("/{chunk}");\n' for chunk in chunks)
    app = asset("app", ".js", f"/* {mark} */\n{imports}".encode() + _script(chance, 40_000))
    content["favicon.svg"] = b'<svg xmlns="http://www.w3.org/2000/svg"/>'
    content["robots.txt"] = b"User-agent: *\nAllow: /\n"
    content["version.json"] = json.dumps({"version": version, "mark": mark}).encode()
    preloads = "".join(f'<link rel="modulepreload" href="/{chunk}">\n' for chunk in chunks[:4])
    content["index.html"] = (
        "<!doctype html>\n"
        f'<html lang="en"><head><meta charset="utf-8"><title>{site}</title>\n'
        f'<meta name="version" content="{mark}">\n'
        f'<link rel="stylesheet" href="/{style}">\n'
        f'<link rel="modulepreload" href="/{vendor}">\n{preloads}'
        f'<script type="module" src="/{app}"></script>\n'
        f'</head><body><div id="app">{version}</div></body></html>\n'
    ).encode()
    return content


def version_of(body: bytes) -> str:
    """The version that a body names; "" where it names none."""
    found = VERSION_MARK.search(body)
    return found[1].decode() if found else ""


def to_toml(settings: Mapping[str, Any]) -> str:
    """Plain keys first, then one section a mapping; deeper mappings stay inline."""
    plain = {key: value for key, value in settings.items() if not isinstance(value, Mapping)}
    lines = [f"{key} = {_value(value)}" for key, value in plain.items()]
    for section, keys in settings.items():
        if isinstance(keys, Mapping):
            lines += ["", f"[{section}]", *(f"{key} = {_value(v)}" for key, v in keys.items())]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(k)} = {_value(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    return json.dumps(str(value) if isinstance(value, Path) else value)


def _script(chance: random.Random, size: int) -> bytes:
    line = "export const v{n}={n};\n"
    numbers = (chance.randrange(10**9) for _ in range(size // 30 + 1))
    return "".join(line.format(n=n) for n in numbers).encode()


def _style(chance: random.Random, size: int) -> bytes:
    numbers = (chance.randrange(16**6) for _ in range(size // 24 + 1))
    return "".join(f".c{n:06x}{{color:#{n:06x}}}\n" for n in numbers).encode()
