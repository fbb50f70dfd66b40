"""``OPCONSOLE_…`` variables that override the settings file: which key each one means, and its value.

A variable with a double underscore names a key, level by level: ``OPCONSOLE_POLICY__RETRIES=3``. Case does
not matter, and ``_`` stands for ``-``. Values are written as in the file, texts without quotes; a list is
given as a whole. Variables without a double underscore (``OPCONSOLE_STATE_DIR``, ``OPCONSOLE_WORKSPACE``)
belong to the program, not to the settings.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel

from opconsole.settings.errors import SettingsFault, printable
from opconsole.settings.locate import KeyPath
from opconsole.settings.model import canonical_environment
from opconsole.settings.schema import has_free_keys, is_text, keys_at, types_at

PREFIX = "OPCONSOLE_"
DELIMITER = "__"


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the variables say."""

    values: dict[str, object] = field(default_factory=dict, repr=False)
    """Nested as the file is."""
    names: Mapping[KeyPath, str] = field(default_factory=dict)
    """The variable that set each key."""
    faults: tuple[SettingsFault, ...] = ()


def read_overrides(
    model: type[BaseModel], environ: Mapping[str, str], settings: Mapping[str, object]
) -> Overrides:
    """Read the variables that name keys of *model*; *settings* is the file's content, with its names."""
    values: dict[str, object] = {}
    names: dict[KeyPath, str] = {}
    faults = []
    for variable in sorted(environ):
        rest = variable.removeprefix(PREFIX)
        if rest == variable or DELIMITER not in rest:
            continue
        found = _meant(model, rest.split(DELIMITER), settings)
        if isinstance(found, _Unknown):
            faults.append(found.fault(variable))
        elif found in names:
            faults.append(_twice(variable, names[found], found))
        else:
            names[found] = variable
            _put(values, found, _read(environ[variable], types_at(model, found)))
    return Overrides(values, names, tuple(faults))


@dataclass(frozen=True, slots=True)
class _Unknown:
    """A part of a variable's name that means no key."""

    path: KeyPath
    part: str
    allowed: tuple[str, ...]

    def fault(self, variable: str) -> SettingsFault:
        near = difflib.get_close_matches(self.part.lower(), self.allowed, n=1)
        return SettingsFault(
            file=printable(variable),
            line=None,
            key=printable(".".join(map(str, (*self.path, self.part.lower())))),
            found=printable(self.part),
            allowed=", ".join(self.allowed) or 'a list as a whole, for example ["a", "b"]',
            message=f"unknown key; did you mean {near[0]}?" if near else "unknown key",
        )


def _meant(model: type[BaseModel], parts: list[str], settings: Mapping[str, object]) -> KeyPath | _Unknown:
    path: KeyPath = ()
    here: object = settings
    for part in parts:
        allowed = keys_at(model, path)
        kinds = types_at(model, path)
        key = part.lower() if part.lower() in allowed else None
        if key is None and part and has_free_keys(kinds):
            key = _free_key(path, part, here if isinstance(here, Mapping) else {})
        if key is None:
            return _Unknown(path, part, tuple(allowed))
        path = (*path, key)
        here = here.get(key) if isinstance(here, Mapping) else None
    return path


def _free_key(path: KeyPath, part: str, known: Mapping[str, object]) -> str:
    """Give the name that the file has for *part*, or the one that it makes itself."""
    if part in known:
        return part
    for key in known:
        if _folded(key, path) == _folded(part, path):
            return key
    return part if path[-1] == "variables" else part.lower()


def _folded(name: str, path: KeyPath) -> str:
    plain = canonical_environment(name) if path[-1] == "environments" else name
    return plain.lower().replace("-", "_")


def _read(text: str, kinds: list[object]) -> object:
    if is_text(kinds):
        return text
    try:
        read = tomllib.loads(f"value = {text}")
    except (tomllib.TOMLDecodeError, RecursionError):
        return text  # the model then says what is wanted instead
    return read["value"] if len(read) == 1 else text


def _put(values: dict[str, object], path: KeyPath, value: object) -> None:
    table = values
    for key in path[:-1]:
        inner = table.get(str(key))
        if not isinstance(inner, dict):
            inner = table[str(key)] = {}
        table = inner
    table[str(path[-1])] = value


def _twice(variable: str, first: str, path: KeyPath) -> SettingsFault:
    return SettingsFault(
        file=printable(variable),
        line=None,
        key=printable(".".join(map(str, path))),
        found=printable(first),
        allowed="one variable for a key",
        message="another variable sets this key too",
    )
