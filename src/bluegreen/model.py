"""The words of DESIGN as frozen values: what is asked for, what is seen, what came of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

# --- names and labels -------------------------------------------------------

LABEL = "dev.bluegreen"
#: Carried by containers that bluegreen made, and by nothing else: image labels are
#: inherited by every container and child image, so the two sets are disjoint.
CONTAINER_LABEL = f"{LABEL}.container"
SITE_LABEL = f"{LABEL}.site"
RELEASE_LABEL = f"{LABEL}.release"
SLOT_LABEL = f"{LABEL}.slot"
IMAGE_ID_LABEL = f"{LABEL}.image-id"
SPEC_HASH_LABEL = f"{LABEL}.spec-hash"
EDGE_LABEL = f"{LABEL}.edge"
STATE_DIR_LABEL = f"{LABEL}.edge.state-dir"
IMAGE_SITE_LABEL = f"{LABEL}.image.site"

_RELEASE_ID = r"\d{8}-\d{6}-[a-z0-9]{4}"
RELEASE_ID = re.compile(rf"^{_RELEASE_ID}$")


def container_name(site: str, release_id: str) -> str:
    """At most 55 characters: a container name over 63 never resolves in Docker's DNS."""
    return f"bg-{site}-{release_id}"


def is_container_of(site: str, name: str) -> bool:
    return re.fullmatch(rf"bg-{re.escape(site)}-{_RELEASE_ID}(-inspect)?", name) is not None


def image_repository(site: str) -> str:
    return f"bluegreen/{site}"


def is_image_of(site: str, ref: str) -> bool:
    """Ours are only tags of the site's own repository in the form that a build makes."""
    pattern = rf"{re.escape(image_repository(site))}:\d{{8}}-\d{{6}}-[A-Za-z0-9_.-]+-[a-z0-9]{{4}}"
    return re.fullmatch(pattern, ref) is not None


# --- releases ---------------------------------------------------------------


class Slot(StrEnum):
    BLUE = "blue"
    GREEN = "green"

    @property
    def other(self) -> Slot:
        return Slot.GREEN if self is Slot.BLUE else Slot.BLUE


class Outcome(StrEnum):
    RELEASED = "released"
    UNCHANGED = "unchanged"
    HELD = "held"
    REJECTED = "rejected"
    TAKEN_BACK = "taken_back"
    ROLLED_BACK = "rolled_back"
    INTERRUPTED = "interrupted"
    FAILED = "failed"
    PLANNED = "planned"
    PRUNED = "pruned"
    RECOVERED = "recovered"
    VERIFIED = "verified"
    SHOWN = "shown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One attempt to put one image in front of users."""

    id: str
    site: str
    slot: Slot
    image: str  # the tag that is its own: bluegreen/<site>:<time>-<revision>-<suffix>
    revision: str
    image_id: str = ""  # "" until it is built
    digest: str = ""  # repo@sha256:… where a registry gave one

    @property
    def container(self) -> str:
        return container_name(self.site, self.id)


# --- what is in an image ----------------------------------------------------


@dataclass(frozen=True, slots=True)
class FileFact:
    sha256: str  # "" where it is not known: then only status and type can be compared
    size: int
    media_type: str
    modified: float = 0.0  # seconds since the epoch, as the image has it


@dataclass(frozen=True, slots=True)
class Manifest:
    """Every file that the image would serve: path below the web root, no leading slash → fact."""

    files: Mapping[str, FileFact]
    digest: str  # SHA-256 over the sorted paths and digests


# --- what the engine says ---------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineFacts:
    id: str
    version: str
    api: str  # the API version in use, e.g. "1.41"
    root_dir: str
    local: bool  # reached through a Unix socket, so its folders are ours to look at
    endpoint: str  # DOCKER_HOST for a subprocess that must reach the same engine
    #: What a docker CLI needs in its environment to reach the same engine: host and TLS.
    cli_environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFacts:
    id: str
    tags: tuple[str, ...]
    digests: tuple[str, ...]  # repo@sha256:…
    size: int  # bytes
    created: str
    labels: Mapping[str, str]
    has_healthcheck: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerFacts:
    id: str
    name: str
    image_id: str
    image: str  # the reference that it was created with
    status: str  # created running paused restarting exited dead
    running: bool
    restarting: bool
    exit_code: int
    error: str
    oom_killed: bool
    restart_count: int
    started_at: str  # RFC 3339, "" if never
    health: str  # "" without a check; starting healthy unhealthy
    health_log: tuple[str, ...]  # the last outputs of the check
    labels: Mapping[str, str]
    networks: Mapping[str, str]  # name → IP address, "" while not running
    restart_policy: str
    pid: int  # on the engine's host, 0 while not running

    @property
    def site(self) -> str:
        return self.labels.get(SITE_LABEL, "")

    @property
    def release_id(self) -> str:
        return self.labels.get(RELEASE_LABEL, "")


# --- what the engine is asked to create -------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class MountPlan:
    type: str  # bind volume tmpfs
    source: str
    target: str
    read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PortPlan:
    host_ip: str  # "" = every address
    host_port: int
    container_port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthcheckPlan:
    """Seconds; zero or an empty test leaves the image's own value."""

    test: tuple[str, ...] = ()
    interval: float = 0.0
    timeout: float = 0.0
    retries: int = 0
    start_period: float = 0.0
    start_interval: float = 0.0  # sent only where the engine knows it (API 1.44)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerPlan:
    """Everything that a create call needs, in our words; engine/spec.py renders it."""

    name: str
    image: str
    network: str
    networks: tuple[str, ...] = ()  # joined beside `network`, before the start
    labels: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ()  # () = the image's own; likewise the next four
    entrypoint: tuple[str, ...] = ()
    working_dir: str = ""
    user: str = ""
    stop_signal: str = ""
    stop_grace: float = 10.0  # seconds
    healthcheck: HealthcheckPlan | None = None
    mounts: tuple[MountPlan, ...] = ()
    tmpfs: tuple[str, ...] = ()  # "/tmp" or "/tmp:size=16m"
    memory: int = 0  # bytes, 0 = no limit; swap is not added to it
    cpus: float = 0.0
    pids: int = 0
    ulimits: Mapping[str, str] = field(default_factory=dict)  # name → "soft:hard" or "n"
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    security_opt: tuple[str, ...] = ()
    extra_hosts: Mapping[str, str] = field(default_factory=dict)
    read_only: bool = False
    init: bool = True
    restart: str = "no"
    log_max_size: str = "10m"
    log_max_files: int = 3
    ports: tuple[PortPlan, ...] = ()
    dns_search: tuple[str, ...] = ()
    dns_options: tuple[str, ...] = ()


# --- what the edge says -----------------------------------------------------

#: What a pointer names while no release is live: the edge's own listener that answers
#: 503 with Retry-After at once. A pointer is therefore never missing or empty.
IDLE = "unix//run/bluegreen/sock/idle.sock"


@dataclass(frozen=True, slots=True)
class Upstream:
    """What the edge sends a site's traffic to: a container's name and port."""

    container: str
    port: int

    def __str__(self) -> str:
        return f"{self.container}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> Upstream | None:
        """None for the idle listener, for nothing, and for what is not `name:port`."""
        name, colon, port = text.strip().rpartition(":")
        if not colon or "/" in name or not name or not port.isdigit():
            return None
        return cls(name, int(port))


#: Bytes of an answer's body that a probe takes, where it is not told otherwise.
MAX_BODY = 32 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One probe: what was asked, and what came. Kept as evidence when it failed."""

    via: str  # preview | public
    url: str
    host: str
    status: int = 0  # 0 = no answer
    media_type: str = ""
    location: str = ""
    seconds: float = 0.0
    size: int = 0
    sha256: str = ""
    head: str = ""  # the first characters of the body
    error: str = ""  # why there was no answer, or what the edge says of it
    last_modified: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)  # lower-cased, without cookies
    body: bytes = b""  # as it came, where it was asked to be kept


# --- results ----------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord:
    name: str
    status: str  # ok | failed | skipped | interrupted
    seconds: float
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveRelease:
    id: str
    slot: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorFacts:
    code: int
    message: str
    hint: str
    problems: tuple[str, ...] = ()
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a command came to: the one thing that report.py prints."""

    command: str
    outcome: str
    site: str
    exit_code: int = 0
    release: Release | None = None
    live: LiveRelease | None = None
    live_known: bool = False  # else nothing could be asked, and `live` says nothing
    replaced: LiveRelease | None = None
    steps: tuple[StepRecord, ...] = ()
    seconds: float = 0.0
    warnings: tuple[str, ...] = ()
    debris: tuple[str, ...] = ()  # what stayed, each with the command that removes it
    error: ErrorFacts | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)  # grows the JSON document


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    """One release as the ledger has it."""

    release: Release
    kind: str  # release | rollback
    origin: str  # the release whose image this is: its own id, or a rollback's target
    outcome: str  # "" while it runs, or when its process died
    started: datetime
    finished: datetime | None
    was_live: bool
    replaced: str
    spec: Mapping[str, Any]
    spec_hash: str
    manifest_digest: str
    index_sha256: str
    index_modified: float
    error: Mapping[str, Any]
    evidence: Mapping[str, Any]
    proof: Mapping[str, Any] = field(default_factory=dict)  # image, candidate, edge: compared
    steps: tuple[StepRecord, ...] = ()
