"""Turning the model's complaints into faults that a person can mend: where, what found, what allowed."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from opconsole.settings.errors import SettingsFault, printable
from opconsole.settings.locate import KeyPath, line_of
from opconsole.settings.schema import describe, has_free_keys, keys_at, types_at
from opconsole.settings.targets import TAG
from opconsole.settings.types import holds_password

HIDDEN = "(not shown)"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the values came from."""

    file: str
    """As it is to be printed."""
    lines: Mapping[KeyPath, int]
    variables: Mapping[KeyPath, str]
    """The variable that set each overridden key."""

    def variable_of(self, path: KeyPath) -> str | None:
        """Give the variable that set *path*, or the table or list that *path* lies in."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.variables:
                return self.variables[path[:length]]
            if path[:length] in self.lines:
                return None
        return None

    def creator_of(self, path: KeyPath) -> str | None:
        """Give a variable that made the table *path*, where the file has no such table."""
        if path in self.lines:
            return None
        return next((name for key, name in self.variables.items() if key[: len(path)] == path), None)


def explain(error: ValidationError, model: type[BaseModel], origin: Origin) -> list[SettingsFault]:
    """Give the faults behind *error*, in the order of the file, those of variables last."""
    faults = {_fault(detail, model, origin): None for detail in error.errors(include_url=False)}
    return sorted(faults, key=lambda fault: (fault.file != origin.file, fault.line or 0))


def _fault(detail: ErrorDetails, model: type[BaseModel], origin: Origin) -> SettingsFault:
    place = detail["loc"]
    path = _keys(detail, model)
    said = _words(detail, model, place)
    if detail["type"] == "which_type":
        path = (*path, "type")
    variable = origin.variable_of(path)
    if variable is None and detail["type"] == "missing":
        variable = origin.creator_of(path[:-1])
    return SettingsFault(
        file=printable(variable) if variable else origin.file,
        line=None if variable else line_of(path, origin.lines),
        key=printable(dotted(path), 200),
        found=_found(detail, path),
        allowed=said.allowed,
        message=said.message,
    )


def dotted(path: KeyPath) -> str:
    """Write a key's path as people do: ``projects.web.health[0].url``."""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)
    return text.removeprefix(".")


def _keys(detail: ErrorDetails, model: type[BaseModel]) -> KeyPath:
    """Give a place without pydantic's own marks: a union's tag, and "this is about the key itself"."""
    place = detail["loc"]
    before, last = place[:-1], place[-1:]
    if detail["type"] != "extra_forbidden" and _is_mark(last, model, before):
        last = ()
    return tuple(key for key in before if not (isinstance(key, str) and key.startswith(TAG))) + last


def _is_mark(last: KeyPath, model: type[BaseModel], before: KeyPath) -> bool:
    """Tell a mark at the end of a place from a key that only looks like one: the file may name keys so."""
    if last == ("[key]",):
        return bool(before) and has_free_keys(types_at(model, before[:-1]))
    return bool(last) and str(last[0]).startswith(TAG)


@dataclass(frozen=True, slots=True)
class _Words:
    message: str
    allowed: str = ""


def _words(detail: ErrorDetails, model: type[BaseModel], place: KeyPath) -> _Words:
    kind = detail["type"]
    context = detail.get("ctx", {})
    if kind in ("settings", "which_type"):
        return _Words(detail["msg"], str(context.get("allowed", "")))
    if kind == "missing":
        return _Words(f"{place[-1]} is missing; add it", describe(types_at(model, place)))
    if kind == "extra_forbidden":
        return _unknown(str(place[-1]), keys_at(model, place[:-1]))
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        return _Words("this number is out of bounds", f"{words} {context[name]:g}")
    if kind in ("enum", "literal_error"):
        return _Words("this is not one of the words for it", str(context["expected"]).replace("'", ""))
    message, allowed = _TYPES.get(kind, (printable(detail["msg"], 200), ""))
    return _Words(message, allowed)


_BOUNDS = {
    "greater_than": ("gt", "more than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}

_TYPES = {
    "string_type": ("text is wanted here", "text in quotes"),
    "int_type": ("a whole number is wanted here", "a whole number without quotes"),
    "float_type": ("a number is wanted here", "a number without quotes"),
    "bool_type": ("yes or no is wanted here", "true or false, without quotes"),
    "finite_number": ("a number is wanted here", "a finite number"),
    "tuple_type": ("a list is wanted here", "a list in square brackets"),
    "too_short": ("this list is empty", "at least one item"),
    "string_too_short": ("this text is empty", "at least one character"),
    "string_too_long": ("this text is too long", "at most 200 characters"),
    "model_type": ("a table is wanted here", "a table of keys and values"),
    "model_attributes_type": ("a table is wanted here", "a table of keys and values"),
    "mapping_type": ("a table is wanted here", "a table of names and values"),
    "dict_type": ("a table is wanted here", "a table of names and values"),
}


def _unknown(key: str, allowed: list[str]) -> _Words:
    near = difflib.get_close_matches(key, allowed, n=1)
    message = f"unknown key; did you mean {near[0]}?" if near else "unknown key"
    return _Words(message, ", ".join(allowed))


def _found(detail: ErrorDetails, path: KeyPath) -> str:
    if detail["type"] == "extra_forbidden":
        return printable(str(path[-1]))
    value = detail["input"]
    if detail["type"] in ("missing", "which_type"):
        return "nothing"
    if "variables" in path or path[-2:] == ("database", "url"):
        return HIDDEN
    return _shown(value)


def _shown(value: object) -> str:
    if isinstance(value, str):
        return HIDDEN if holds_password(value) else printable(f'"{value}"')
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, BaseModel)):
        return "a table"
    if isinstance(value, (list, tuple)):
        return "a list" if value else "an empty list"
    return printable(str(value))
