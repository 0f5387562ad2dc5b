"""From the sources to settings: environment over .env over bluegreen.toml."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from bluegreen.errors import ConfigError
from bluegreen.model import MountPlan
from bluegreen.settings.models import BuildSettings, ContainerSettings, EdgeSettings, Settings
from bluegreen.settings.problems import describe
from bluegreen.settings.sources import CONFIG_VARIABLE, Variables, merged, read_dotenv, read_toml
from bluegreen.settings.values import BuildSecret, Certificate, SecretFile

DEFAULT_FILE = "bluegreen.toml"
_MINIMAL = 'site = "web"\nhosts = ["www.example.com"]'


def load(path: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of one site. Every relative path in them starts at the file's folder.

    `path` is what the operator named; else BLUEGREEN_CONFIG names the file, else it is
    bluegreen.toml in the current folder, which may be missing where the environment has
    every required key. Raises ConfigError that lists all problems of all sources.
    """
    environ = os.environ if environ is None else environ
    named = path or (Path(environ[CONFIG_VARIABLE]) if environ.get(CONFIG_VARIABLE) else None)
    file = named or Path(DEFAULT_FILE)
    folder = file.absolute().parent

    dotenv = read_dotenv(folder / ".env", Settings)
    environment = Variables(Settings, environ)
    variables = merged(dotenv(), environment())
    if not file.exists() and (named is not None or "site" not in variables):
        raise _missing(file)
    values = merged(read_toml(file) if file.exists() else {}, variables)

    problems = (*dotenv.problems, *environment.problems)
    try:
        settings = Settings(**values)
    except ValidationError as error:
        problems += describe(error, Settings, dotenv.origins | environment.origins)
    if problems:
        # From None: pydantic's own error would show values that may be secrets.
        raise _mistakes(file, problems) from None
    return anchored(settings, folder)


def anchored(settings: Settings, folder: Path) -> Settings:
    """With every relative path made absolute, as seen from `folder`."""
    return settings.model_copy(
        update={
            "build": _build(settings.build, folder),
            "container": _container(settings.container, folder),
            "edge": _edge(settings.edge, folder),
        }
    )


def _build(build: BuildSettings, folder: Path) -> BuildSettings:
    secrets = tuple(
        BuildSecret(id=secret.id, env=secret.env, src=secret.src and _path(folder, secret.src))
        for secret in build.secrets
    )
    return build.model_copy(update={"context": _path(folder, build.context), "secrets": secrets})


def _container(container: ContainerSettings, folder: Path) -> ContainerSettings:
    mounts = tuple(
        MountPlan(
            type=mount.type,
            source=str(_path(folder, Path(mount.source))),
            target=mount.target,
            read_only=mount.read_only,
        )
        if mount.type == "bind"
        else mount
        for mount in container.mounts
    )
    return container.model_copy(
        update={
            "env_file": tuple(_path(folder, file) for file in container.env_file),
            "secrets": tuple(
                SecretFile(id=secret.id, src=_path(folder, secret.src))
                for secret in container.secrets
            ),
            "mounts": mounts,
        }
    )


def _edge(edge: EdgeSettings, folder: Path) -> EdgeSettings:
    if not edge.certificates:  # a copy would count the key as written down
        return edge
    certificates = tuple(
        Certificate(cert=_path(folder, pair.cert), key=_path(folder, pair.key))
        for pair in edge.certificates
    )
    return edge.model_copy(update={"certificates": certificates})


def _path(folder: Path, path: Path) -> Path:
    return Path(os.path.normpath(folder / path.expanduser()))


def _missing(file: Path) -> ConfigError:
    indented = "\n".join(f"    {line}" for line in _MINIMAL.splitlines())
    return ConfigError(
        f"there is no {file} in {file.absolute().parent}"
        if file.parent == Path()
        else f"{file} does not exist",
        hint=f"create it (this is enough), or name another with --config PATH:\n\n{indented}",
    )


def _mistakes(file: Path, problems: tuple[str, ...]) -> ConfigError:
    found = "1 mistake" if len(problems) == 1 else f"{len(problems)} mistakes"
    place = f"{file} has" if file.exists() else "the environment has"
    return ConfigError(
        f"{place} {found}",
        hint="correct them and run the same command again; nothing was touched",
        problems=problems,
    )
