"""A project under the hands of a build that goes wrong: its files, its Dockerfile, its server."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from kit.site import images, projects

FILES = 12  # of each version: enough for two chunks, and fast

_CADDYFILE = """\
{
	admin off
	auto_https off
	persist_config off
}
:80 {
	root * /srv/www
	%s
	file_server%s
}
"""


@dataclass(frozen=True, slots=True)
class ProjectEdit:
    """The folder of a site whose files were written and may now be spoilt."""

    folder: Path
    site: str

    @property
    def dist(self) -> Path:
        return self.folder / "dist"

    def find(self, pattern: str) -> str:
        """The first path below dist that fits: `assets/app-*.js`."""
        return min(path.relative_to(self.dist).as_posix() for path in self.dist.glob(pattern))

    def read(self, path: str) -> str:
        return (self.dist / path).read_text()

    def put(self, path: str, content: str | bytes) -> None:
        """Into dist; `../old/index.html` lands beside it."""
        target = self.dist / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)

    def drop(self, path: str) -> None:
        (self.dist / path).unlink()

    def swap(self, path: str, old: str, new: str) -> None:
        text = self.read(path)
        assert old in text, f"{old} is not in {path}"
        self.put(path, text.replace(old, new))

    def into_head(self, html: str) -> None:
        self.swap("index.html", "</head>", f"{html}\n</head>")

    def put_version(self, version: str, folder: str) -> None:
        """Another version's whole build, into a folder beside dist."""
        for path, data in projects.build(version, site=self.site, files=FILES).items():
            self.put(f"../{folder}/{path}", data)

    def dockerfile(self, *lines: str) -> None:
        """These in place of what was written."""
        (self.folder / "Dockerfile").write_text("\n".join(lines) + "\n")

    def more(self, *lines: str) -> None:
        with (self.folder / "Dockerfile").open("a") as file:
            file.write("\n".join(lines) + "\n")

    def serve(self, *directives: str, precompressed: bool = False) -> None:
        """Serve dist by a Caddyfile of its own, with these lines in the site's block."""
        how = " {\n\t\tprecompressed br gzip\n\t}" if precompressed else ""
        (self.folder / "Caddyfile").write_text(_CADDYFILE % ("\n\t".join(directives), how))
        self.more("COPY Caddyfile /etc/caddy/Caddyfile")

    def date(self, when: float) -> None:
        """Every file and folder of dist gets this time."""
        for path in (self.dist, *self.dist.rglob("*")):
            os.utime(path, (when, when), follow_symlinks=False)


def caddy_stage(*lines: str) -> tuple[str, ...]:
    return (f"FROM {images.caddy()}", *lines)
