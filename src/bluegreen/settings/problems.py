"""What is wrong with a configuration, in words: the key, the value given, what is allowed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

#: Where values may be secrets: they are never shown, and neither is what stands in their place.
_HIDDEN = (("container",), ("container", "env"), ("build",), ("build", "args"))

_ALLOWED = {
    "missing": "required",
    "string_type": "a text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "tuple_type": 'a list, such as ["a", "b"]',
    "mapping_type": "a table",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "path_type": "a path",
    "too_short": "at least one entry",
    "string_too_short": "a text that is not empty",
}

Location = tuple[int | str, ...]


class Origin(NamedTuple):
    """The variable that a value came from."""

    name: str
    place: str = ""  # " (…/.env)" where it is not the environment


def describe(
    error: ValidationError, model: type[BaseModel], origins: Mapping[Location, Origin]
) -> tuple[str, ...]:
    """One line a mistake. `origins` names the variable that a location's value came from."""
    return tuple(_line(mistake, model, origins) for mistake in error.errors())


def _line(mistake: ErrorDetails, model: type[BaseModel], origins: Mapping[Location, Origin]) -> str:
    location = mistake["loc"]
    name = _named(location, origins)
    if mistake["type"] == "missing":
        return f'{name} is required: a short name, such as "web"'
    if mistake["type"] == "extra_forbidden":
        return f"{name} is not a key{_instead(dotted(location).removeprefix('.'), model)}"
    return f"{name} = {shown(mistake['input'], location)}; allowed: {_allowed(mistake)}"


def closest(key: str, model: type[BaseModel]) -> str:
    """The key of the file that was probably meant by `key` (dotted), or ""."""
    keys = sorted(key_names(model), key=lambda known: known.count("."))
    # The right name in the wrong section, or BLUEGREEN_CONTAINER_PORT, which lacks an underscore.
    for known in keys:
        if _leaf(known) == _leaf(key) or _flat(known) == _flat(key):
            return known
    beside = [known for known in keys if _section(known) == _section(key)]
    for candidates, cutoff in ((beside, 0.6), (keys, 0.8)):
        leaves = {_leaf(known): known for known in candidates}
        if near := get_close_matches(_leaf(key), leaves, n=1, cutoff=cutoff):
            return leaves[near[0]]
    return ""


def _instead(key: str, model: type[BaseModel]) -> str:
    """ "; did you mean gate.path?", or what there is to choose from."""
    section = _section(key)
    if meant := closest(key, model):
        where = " (above the first [section])" if section and not _section(meant) else ""
        return f"; did you mean {meant}{where}?"
    beside = [_leaf(known) for known in key_names(model) if _section(known) == section]
    return f"; there are {', '.join(beside)}" if beside else ""


def _leaf(key: str) -> str:
    return key.rpartition(".")[2]


def _flat(key: str) -> str:
    return key.replace(".", "_")


def _section(key: str) -> str:
    return key.rpartition(".")[0]


def key_names(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Every dotted key of the file, sections included."""
    for name, field in model.model_fields.items():
        yield prefix + name
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from key_names(field.annotation, f"{prefix}{name}.")


def shown(value: object, location: Location) -> str:
    """A value as the file would have it, shortened; not where secrets may stand."""
    if location[:2] in _HIDDEN or isinstance(value, Mapping):
        return "(not shown)"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else f"{text[:79]}…"


def _allowed(mistake: ErrorDetails) -> str:
    context: Mapping[str, Any] = mistake.get("ctx", {})
    match mistake["type"]:
        case "value_error":
            return str(context["error"])
        case "rule":
            return str(context["allowed"])
        case "literal_error":
            return str(context["expected"]).replace("'", '"')
        case "greater_than_equal":
            return f"at least {context['ge']}"
        case "less_than_equal":
            return f"at most {context['le']}"
    return _ALLOWED.get(mistake["type"], mistake["msg"])


def _named(location: Location, origins: Mapping[Location, Origin]) -> str:
    """The variable where the value came from one, with the rest of the path; else the key."""
    for end in range(len(location), 0, -1):
        if origin := origins.get(location[:end]):
            return f"{origin.name}{dotted(location[end:])}{origin.place}"
    return dotted(location).removeprefix(".")


def dotted(location: Location) -> str:
    """("gate", "status", 1) → ".gate.status[1]"."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
