"""What the model allows at a place: the keys of a table, and whether a value there is text."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Annotated, Literal, Union, get_args, get_origin

from pydantic import BaseModel, Tag

from opconsole.settings.locate import KeyPath
from opconsole.settings.secrets import SecretFile, SecretRef
from opconsole.settings.targets import TAG


def types_at(root: type[BaseModel], path: KeyPath) -> list[object]:
    """Give the types that a value at *path* may have; empty where nothing may stand.

    *path* may hold the tags that pydantic puts into places: they choose a member of a union.
    """
    found = list(_members(root))
    for key in path:
        if isinstance(key, str) and key.startswith(TAG):
            found = [kind for kind in found if _tag_of(kind) == key]
        else:
            found = [inner for kind in found for inner in _inside(kind, key)]
    return [_untagged(kind) for kind in found]


def keys_at(root: type[BaseModel], path: KeyPath) -> list[str]:
    """Give the keys that a table at *path* may have; empty where the keys are free."""
    keys: dict[str, None] = {}
    for kind in types_at(root, path):
        if _is_model(kind):
            keys |= dict.fromkeys(kind.model_fields)  # type: ignore[attr-defined]
    return list(keys)


def is_text(kinds: list[object]) -> bool:
    """Say whether a value of one of these types is written as text (and so needs no quotes in a variable)."""
    return any(
        kind is SecretRef
        or get_origin(kind) is Literal
        or (isinstance(kind, type) and issubclass(kind, (str, Enum)))
        for kind in kinds
    )


def describe(kinds: list[object]) -> str:
    """Say in a person's words what a value of one of these types looks like."""
    return " or ".join(dict.fromkeys(_described(kind) for kind in kinds if kind is not type(None)))


def has_free_keys(kinds: list[object]) -> bool:
    """Say whether a table of one of these types takes names that the user chooses."""
    return any(get_origin(kind) is Mapping or _takes_extra(kind) for kind in kinds)


def _described(kind: object) -> str:
    if isinstance(kind, type) and issubclass(kind, Enum):
        return ", ".join(str(member.value) for member in kind)
    if get_origin(kind) is Literal:
        return str(get_args(kind)[0])
    if get_origin(kind) is tuple:
        return "a list in square brackets"
    if kind in (SecretRef, SecretFile):
        return "a reference to a secret"
    return _PLAIN.get(kind, "a table")


_PLAIN: Mapping[object, str] = {
    str: "text in quotes",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
}


def _members(annotation: object) -> Iterator[object]:
    """Take unions and annotations apart; a union's tagged member keeps its tag."""
    origin = get_origin(annotation)
    if origin is Annotated:
        if any(isinstance(extra, Tag) for extra in get_args(annotation)[1:]):
            yield annotation
        else:
            yield from _members(get_args(annotation)[0])
    elif origin in (Union, types.UnionType):
        for member in get_args(annotation):
            yield from _members(member)
    else:
        yield annotation


def _inside(kind: object, key: str | int) -> Iterator[object]:
    plain = _untagged(kind)
    origin = get_origin(plain)
    if origin is tuple and isinstance(key, int):
        yield from _members(get_args(plain)[0])
    elif origin is Mapping:
        yield from _members(get_args(plain)[1])
    elif isinstance(plain, type) and issubclass(plain, BaseModel):
        field = plain.model_fields.get(str(key))
        if field is not None:
            yield from _members(field.annotation)


def _tag_of(kind: object) -> str | None:
    if get_origin(kind) is not Annotated:
        return None
    return next((extra.tag for extra in get_args(kind)[1:] if isinstance(extra, Tag)), None)


def _untagged(kind: object) -> object:
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def _is_model(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _takes_extra(kind: object) -> bool:
    return (
        isinstance(kind, type) and issubclass(kind, BaseModel) and kind.model_config.get("extra") == "allow"
    )
