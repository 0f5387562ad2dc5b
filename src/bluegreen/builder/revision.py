"""What git says of a build's context."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

_NONE = "none"
_COMMIT = re.compile(r"[0-9a-f]{7,40}")
_PATIENCE = 30.0  # seconds; a status of a very large tree on a slow disk takes long


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    name: str  # "3f2a9c1", "3f2a9c1-dirty", or "none"
    commit_time: str = ""  # RFC 3339
    source: str = ""  # URL of the remote, without credentials


def of(context: Path) -> Revision:
    """The commit that `context` stands at; "dirty" when what is below it differs from that.

    Never fails: without git, without a repository or without a commit it is "none".
    """
    head = _git(context, "rev-parse", "--verify", "--short=7", "HEAD")
    if not head:
        return Revision(name=_NONE)
    changed = _git(context, "status", "--porcelain", "--", ".")
    return Revision(
        # None: git cannot tell, and a build of it cannot be called clean.
        name=head if changed == "" else f"{head}-dirty",
        commit_time=_commit_time(_git(context, "cat-file", "commit", "HEAD") or ""),
        source=without_credentials(_git(context, "config", "--get", "remote.origin.url") or ""),
    )


def same_sources(context: Path, one: str, other: str) -> bool | None:
    """Whether git knows of no difference below `context` between two commits; None: it cannot
    tell, as of a commit that it does not have or of a tree with changes of its own."""
    if not all(_COMMIT.fullmatch(name) for name in (one, other)):
        return None
    changed = _git(context, "diff", "--name-only", one, other, "--", ".")
    return None if changed is None else not changed


def without_credentials(url: str) -> str:
    """`https://user:token@host/path?token=…` → `https://host/path`; scp-like ones stay."""
    parts = urlsplit(url)
    if not parts.scheme or not parts.netloc:
        return url
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def _git(context: Path, *arguments: str) -> str | None:
    """Its output; None where it fails.

    Whoever runs a release need not own the checkout: git then refuses unless told that the
    folder is safe. What a repository's own configuration can make git run (fsmonitor,
    filters, hooks) must not run as root, so root asks as the folder's owner.
    """
    command = ["git", "-c", "safe.directory=*", "-c", "core.fsmonitor=false"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    try:
        user, group = _owner(context)
        if user is not None:
            environment["HOME"] = "/nonexistent"
        done = subprocess.run(
            [*command, "-C", str(context), *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
            user=user,
            group=group,
            extra_groups=None if user is None else [],
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else None


def _owner(context: Path) -> tuple[int | None, int | None]:
    if os.geteuid() != 0:
        return None, None
    owner = context.stat()
    return (owner.st_uid, owner.st_gid) if owner.st_uid != 0 else (None, None)


def _commit_time(commit: str) -> str:
    found = re.search(r"^committer .* (\d+) ([+-])(\d\d)(\d\d)$", commit, re.MULTILINE)
    if found is None:
        return ""
    offset = timedelta(hours=int(found[3]), minutes=int(found[4]))
    zone = timezone(offset if found[2] == "+" else -offset)
    moment = datetime.fromtimestamp(int(found[1]), UTC).astimezone(UTC if not offset else zone)
    return moment.isoformat().replace("+00:00", "Z")
