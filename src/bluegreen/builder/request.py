"""What is asked of a builder, what comes of it, and what can be known to be wrong before."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from bluegreen.errors import BuildFailed


class Secret(Protocol):
    """A build secret: a variable, or a file. Its value reaches no argv, image, log or error."""

    @property
    def id(self) -> str: ...
    @property
    def env(self) -> str: ...
    @property
    def src(self) -> Path | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    context: Path
    tag: str  # repository:tag, of this release alone
    dockerfile: str | Path = "Dockerfile"  # relative to the context, or absolute
    target: str = ""
    args: Mapping[str, str] = field(default_factory=dict)
    secrets: Sequence[Secret] = ()
    pull: bool = False
    no_cache: bool = False
    timeout: float = 900.0  # seconds
    labels: Mapping[str, str] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)

    @property
    def dockerfile_path(self) -> Path:
        return self.context / self.dockerfile

    def check(self) -> None:
        """Raises BuildFailed for what would be in vain to send to a builder."""
        if not self.context.is_dir():
            raise BuildFailed(
                f"the build's context {_full(self.context)} is not a folder",
                hint="set build.context in bluegreen.toml",
            )
        if not self.dockerfile_path.is_file():
            raise BuildFailed(
                f"there is no Dockerfile at {_full(self.dockerfile_path)}",
                hint="write one, or set build.dockerfile in bluegreen.toml",
            )

    def secret_values(self) -> dict[str, str]:
        """id → value. Raises BuildFailed naming a variable or a file that is missing."""
        return {secret.id: self._value(secret) for secret in self.secrets}

    def _value(self, secret: Secret) -> str:
        if secret.src is not None:
            path = self.context / secret.src
            try:
                return path.read_bytes().decode("utf-8", "surrogateescape")
            except OSError as error:
                raise BuildFailed(
                    f"the build secret {secret.id!r} cannot be read from {_full(path)}:"
                    f" {(error.strerror or 'error').lower()}",
                    hint="create the file, or correct build.secrets in bluegreen.toml",
                ) from None
        value = self.environ.get(secret.env)
        if value is None:
            raise BuildFailed(
                f"the build secret {secret.id!r} wants the variable {secret.env}, which is not set",
                hint=f"export {secret.env}, or correct build.secrets in bluegreen.toml",
            )
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    image_id: str
    builder: str  # "buildx 0.13.1" | "prebuilt"
    digest: str = ""  # repo@sha256:… where a registry gave one
    cached: bool = False  # layers of an earlier build were taken
    warnings: tuple[str, ...] = ()


def _full(path: Path) -> Path:
    return path.absolute()
