"""The state folder: one an edge, named by a label on the edge's container.

<root>/              0700, or 2770 where a group may act
  edge.json            the host's [edge] settings, as `edge up` applied them
  edge.lock            guards the edge's configuration: one load at a time
  config/caddy.json    what Caddy starts from
  routes/<site>.json   each site's hosts and switch
  sites/<site>/live    the pointer; 0755 and 0644, for the edge to read
  store/<site>/        immutable files of past releases; see assets.py; read by the edge
  sock/                admin.sock, preview.sock, idle.sock: the edge's own
  data/                certificates and their keys: the edge's own
  certs/               copies of the operator's certificates (tls = "files")
  locks/<site>.lock    who acts on the site
  ledger.db            what happened
  key                  the host's key for digests of secret files
  log/                 the debug log
"""

from __future__ import annotations

import os
import secrets
import stat
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bluegreen.errors import NotFit
from bluegreen.state import durable

#: Where the edge's container sees the folders that are mounted into it.
MOUNT_SITES = "/run/bluegreen/sites"
MOUNT_STORE = "/run/bluegreen/store"
MOUNT_SOCK = "/run/bluegreen/sock"
MOUNT_CONFIG = "/etc/bluegreen"
MOUNT_DATA = "/data"
MOUNT_CERTS = "/certs"

#: What the file is called by which a mount is checked; the site's name follows.
NONCE = ".nonce-"
#: Seconds: a younger nonce may be that of a command that only looks, and takes no lock.
_LOOKING = 60.0
#: Seconds: a younger temporary file of the whole edge may be that of another site's command.
_ACTING = 3600.0

#: The edge is never root: where root owns the state folder, it runs as this uid and gid,
#: which Debian and systemd give to nobody.
EDGE_ID = 65532


def default_root() -> Path:
    if os.geteuid() == 0:
        return Path("/var/lib/bluegreen")
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "bluegreen"


@dataclass(frozen=True, slots=True)
class State:
    root: Path

    @property
    def edge_settings(self) -> Path:
        return self.root / "edge.json"

    @property
    def edge_lock(self) -> Path:
        return self.root / "edge.lock"

    @property
    def config(self) -> Path:
        return self.root / "config"

    @property
    def caddy_json(self) -> Path:
        return self.config / "caddy.json"

    @property
    def routes(self) -> Path:
        return self.root / "routes"

    @property
    def sites(self) -> Path:
        return self.root / "sites"

    def pointer(self, site: str) -> Path:
        return self.sites / site / "live"

    @property
    def store(self) -> Path:
        return self.root / "store"

    @property
    def sock(self) -> Path:
        return self.root / "sock"

    @property
    def admin_socket(self) -> Path:
        return self.sock / "admin.sock"

    @property
    def preview_socket(self) -> Path:
        return self.sock / "preview.sock"

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def certs(self) -> Path:
        return self.root / "certs"

    def site_lock(self, site: str) -> Path:
        return self.root / "locks" / f"{site}.lock"

    @property
    def ledger(self) -> Path:
        return self.root / "ledger.db"

    @property
    def log(self) -> Path:
        return self.root / "log" / "bluegreen.lib.log"

    def prepare(self, gid: int = -1) -> None:
        """Make the folder and what stands in it. `gid`: a group whose members may act, or -1."""
        durable.make_folder(self.root, 0o2770 if gid >= 0 else 0o700, uid=os.geteuid(), gid=gid)
        for name in ("config", "routes", "locks", "log", "certs", "sites", "store", "sock", "data"):
            durable.make_folder(self.root / name, self.folder_mode(name))
        for name in ("sock", "data", "certs", "config"):
            self._give_to_edge(self.root / name)

    def open_to(self, gid: int) -> None:
        """Let the members of this group act from now on, or with -1 nobody but the owner.

        Raises NotFit where this user may not say so. What is there already is changed too.
        """
        if gid == (self.root.stat().st_gid if self.shared else -1):
            return
        try:
            for folder, folders, files in os.walk(self.root, topdown=False):
                for name in folders + files:
                    _open_to(Path(folder, name), gid)
            _open_to(self.root, gid)
        except OSError as error:
            raise durable.not_writable(self.root, error) from error

    def folder_mode(self, name: str) -> int:
        """For the owner, and its group where a group may act; what the edge reads for all."""
        mode = 0o2770 if self.shared else 0o700
        return mode | 0o055 if name in ("sites", "store") else mode

    @property
    def shared(self) -> bool:
        """A group may act: the folder is writable by its group."""
        return bool(self.root.stat().st_mode & stat.S_IWGRP)

    @property
    def file_mode(self) -> int:
        return 0o660 if self.shared else 0o600

    @property
    def edge_user(self) -> tuple[int, int]:
        """uid and gid that the edge runs as: the state folder's, never root's."""
        owner = self.root.stat()
        return owner.st_uid or EDGE_ID, owner.st_gid or EDGE_ID

    def _give_to_edge(self, folder: Path) -> None:
        if os.geteuid() == 0:
            os.chown(folder, *self.edge_user)
            folder.chmod(0o2770 if self.shared else 0o700)

    def left_files(self, site: str) -> tuple[Path, ...]:
        """Temporary files that dead runs left, for whoever holds the site's lock."""
        pointers, store = self.sites / site, self.store / site
        own = [
            *pointers.glob(f"{durable.TEMPORARY}live-*"),
            *self.routes.glob(f"{durable.TEMPORARY}{site}.json-*"),
            *(store / "releases").glob(f"{durable.TEMPORARY}*"),
            *(store / "tmp").glob("*"),
        ]
        nonces = [
            path
            for folder in (self.sites, self.store, pointers, store)
            for path in folder.glob(f"*{NONCE}{site}-*")
        ]
        shared = [
            path
            for folder in (self.root, self.config, self.certs)
            for path in folder.glob(f"{durable.TEMPORARY}*")
        ]
        left = own + _older(nonces, _LOOKING) + _older(shared, _ACTING)
        return tuple(sorted(left))

    def key(self) -> bytes:
        """The host's secret key; made at first use, by whichever command comes first."""
        path = self.root / "key"
        if not path.exists():
            staged = durable.stage(path, secrets.token_bytes(32), self.file_mode)
            try:
                os.link(staged, path)  # the first one wins, atomically
                durable.sync_folder(self.root)
            except FileExistsError:
                pass
            finally:
                staged.unlink(missing_ok=True)
        return path.read_bytes()

    def check_access(self) -> None:
        """Raises NotFit unless this user may act here."""
        if not self.root.is_dir():
            raise NotFit(f"the state folder {self.root} is missing", hint="bluegreen edge up")
        for folder in (self.root, self.sites, self.root / "locks"):
            if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
                what, hint = durable.disk_trouble(folder)
                if what:
                    raise NotFit(what, hint=hint)
                owner = folder.stat()
                raise NotFit(
                    f"{folder} cannot be written by uid {os.geteuid()}"
                    f" (owner {owner.st_uid}, group {owner.st_gid},"
                    f" mode {stat.S_IMODE(owner.st_mode):04o})",
                    hint="run as its owner or as a member of its group,"
                    " or set edge.group and run bluegreen edge up",
                )


def _older(paths: list[Path], seconds: float) -> list[Path]:
    found = []
    for path in paths:
        with suppress(FileNotFoundError):  # its own command has removed it
            if time.time() - path.stat().st_mtime > seconds:
                found.append(path)
    return found


def _open_to(path: Path, gid: int) -> None:
    """The group gets what the owner may, or keeps what the world may."""
    if path.is_symlink() or not (path.is_dir() or path.is_file()):
        return  # a socket: the edge makes it anew
    mode = stat.S_IMODE(path.stat().st_mode)
    if gid < 0:
        path.chmod(mode & 0o0707 | (mode & 0o007) << 3)
        return
    os.chown(path, -1, gid)
    path.chmod(mode | (mode & 0o700) >> 3 | (0o2000 if path.is_dir() else 0))
