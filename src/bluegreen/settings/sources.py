"""Where settings come from: variables named BLUEGREEN_SECTION__KEY, and the TOML file."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_origin

from dotenv.parser import parse_stream
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from bluegreen.errors import ConfigError
from bluegreen.settings.checks import Unsplit
from bluegreen.settings.problems import Location, Origin, closest, dotted

PREFIX = "BLUEGREEN_"
#: Names the configuration file; it is no key of it.
CONFIG_VARIABLE = "BLUEGREEN_CONFIG"


class Variables(PydanticBaseSettingsSource):
    """Variables of the environment or of a .env file.

    Lists are JSON, or separated by commas where their entries hold none; tables are JSON, or
    one variable an entry (BLUEGREEN_CONTAINER__ENV__API_URL). `problems` has one line for
    each variable that is not a key or cannot be read.
    """

    def __init__(
        self, settings_cls: type[BaseSettings], variables: Mapping[str, str], place: str = ""
    ) -> None:
        super().__init__(settings_cls)
        self.values: dict[str, Any] = {}
        self.origins: dict[Location, Origin] = {}
        self.problems: list[str] = []
        self._place = f" ({place})" if place else ""
        ours = [
            name
            for name in variables
            if name.upper().startswith(PREFIX) and name.upper() != CONFIG_VARIABLE
        ]
        for name in sorted(ours, key=lambda name: name.count("__")):  # the finer one wins
            self._take(name, variables[name])

    def __call__(self) -> dict[str, Any]:
        return self.values

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return self.values.get(field_name), field_name, False

    def _take(self, name: str, text: str) -> None:
        parts = name[len(PREFIX) :].split("__")
        said = f"{name}{self._place}"
        target = _find(self.settings_cls, parts)
        if target is None:
            meant = closest(".".join(parts).lower(), self.settings_cls)
            instead = f"; did you mean {variable_name(meant)}?" if meant else ""
            self.problems.append(f"{said} is not a setting{instead}")
            return
        try:
            value = target.read(text)
        except ValueError as error:
            self.problems.append(f"{said} cannot be read; allowed: {error}")
            return
        self.values = merged(self.values, _nested(target.location, value))
        for leaf in _leaves(target.location, value):
            below = dotted(leaf[len(target.location) :])
            self.origins[leaf] = Origin(f"{name}{below}", self._place)


@dataclass(frozen=True, slots=True)
class _Target:
    """The key that a variable stands for."""

    location: tuple[str, ...]
    annotation: Any
    unsplit: bool = False

    def read(self, text: str) -> Any:
        """The value for pydantic to validate. Raises ValueError saying what is allowed."""
        if _is_table(self.annotation):
            return _from_json(text, dict, 'a JSON object, such as {"NAME": "value"}')
        if get_origin(self.annotation) is not tuple:
            return text
        if text.lstrip().startswith("["):
            return _from_json(text, list, 'a JSON list, such as ["a", "b"]')
        if self.unsplit:
            return text
        if get_args(self.annotation)[0] in (str, int) or self._plain_entries:
            return [entry.strip() for entry in text.split(",") if entry.strip()]
        return [text] if text else []

    @property
    def _plain_entries(self) -> bool:
        """Annotated[str, …]: its entries hold no comma, unlike a mount's or a secret's."""
        entry = get_args(self.annotation)[0]
        return get_args(entry)[:1] in ((str,), (int,))


def _find(model: type[BaseModel], parts: list[str]) -> _Target | None:
    location: tuple[str, ...] = ()
    target = _Target(location, model)
    for index, part in enumerate(parts):
        if _is_model(target.annotation):
            field = target.annotation.model_fields.get(part.lower())
            if field is None:
                return None
            location += (part.lower(),)
            target = _Target(
                location,
                field.annotation,
                unsplit=any(isinstance(mark, Unsplit) for mark in field.metadata),
            )
        elif _is_table(target.annotation):
            return _Target((*location, "__".join(parts[index:])), str)
        else:
            return None
    return target


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _is_table(annotation: Any) -> bool:
    return _is_model(annotation) or get_origin(annotation) is Mapping


def _from_json(text: str, kind: type[dict[str, Any] | list[Any]], form: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise ValueError(form) from error
    if not isinstance(value, kind):
        raise ValueError(form)
    return value


def variable_name(key: str) -> str:
    """ "gate.path" → BLUEGREEN_GATE__PATH."""
    return PREFIX + key.upper().replace(".", "__")


# --- files ------------------------------------------------------------------


def read_toml(path: Path) -> dict[str, Any]:
    """The file's values. Raises ConfigError with line and column where it is not TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            f"{path} is not TOML: {error}",
            hint=f"correct {path}; texts stand in quotes, a [section] comes before its keys",
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path} is not UTF-8 text (byte {error.start})", hint=f"save {path} as UTF-8"
        ) from None
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}", hint="name the file with --config PATH"
        ) from error


def read_dotenv(path: Path, settings_cls: type[BaseSettings]) -> Variables:
    """The variables of a .env file, taken literally; empty where there is none."""
    variables: dict[str, str] = {}
    unreadable: list[str] = []
    try:
        with path.open(encoding="utf-8") as stream:
            for binding in parse_stream(stream):
                ours = PREFIX in binding.original.string.upper()
                if binding.key is not None and binding.value is not None:
                    variables[binding.key] = binding.value
                elif ours and not binding.original.string.lstrip().startswith("#"):
                    unreadable.append(f"{path} line {binding.original.line}; allowed: NAME=value")
    except FileNotFoundError:
        pass
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"{path} cannot be read: {reason}", hint=f"correct {path}") from None
    source = Variables(settings_cls, variables, place=str(path))
    source.problems.extend(unreadable)
    return source


# --- tables in tables -------------------------------------------------------


def merged(weak: Mapping[str, Any], strong: Mapping[str, Any]) -> dict[str, Any]:
    """Both, key by key; where both have a value that is no table, `strong` wins."""
    result = dict(weak)
    for key, value in strong.items():
        below = result.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            result[key] = merged(below, value)
        else:
            result[key] = value
    return result


def _nested(location: tuple[str, ...], value: Any) -> dict[str, Any]:
    for part in reversed(location):
        value = {part: value}
    return dict(value)


def _leaves(location: tuple[str, ...], value: Any) -> list[Location]:
    if not isinstance(value, dict) or not value:
        return [location]
    return [leaf for key in value for leaf in _leaves((*location, key), value[key])]
