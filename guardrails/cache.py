"""Remembers what came out of a file, by its content and by all else that the answer depends on.

An entry is believed only when its checksum and its key are right; anything else is a miss. Nothing in it is
ever executed. Answers of another version of the rules, the parsers or Python have another key.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

KEPT_DAYS = 30
"""Days after which an entry is thrown away."""
PARSERS = ("sqlglot", "postgast", "tree_sitter")
"""Beginnings of the names of the distributions whose versions change what a file means."""


@dataclass(frozen=True, slots=True)
class Cache:
    """A folder of answers. Whatever goes wrong with it is a miss: a check never fails because of it."""

    folder: Path

    @staticmethod
    def open(folder: Path) -> Cache | None:
        """Give the cache in a folder, made where it is missing; None where others could write into it."""
        try:
            place = folder / tool_digest()
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            for part in (folder, place):
                status = part.stat()
                if status.st_uid != os.geteuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                    return None
        except OSError:
            return None
        _tidy(folder)
        return Cache(place)

    def get(self, key: str, kind: type[Any]) -> Any:
        """Give what is kept under a key, as *kind*; None for a miss."""
        try:
            total, _, payload = (self._place(key)).read_bytes().partition(b"\n")
            if hashlib.sha256(payload).hexdigest().encode() != total:
                return None
            document = json.loads(payload)
            return decode(document["value"], kind) if document["key"] == key else None
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None

    def put(self, key: str, value: object) -> None:
        """Keep a value under a key."""
        place = self._place(key)
        temporary = place.with_name(f"{place.name}.{os.getpid()}")
        try:
            payload = json.dumps({"key": key, "value": encode(value)}, ensure_ascii=True).encode()
            place.parent.mkdir(mode=0o700, exist_ok=True)
            temporary.write_bytes(hashlib.sha256(payload).hexdigest().encode() + b"\n" + payload)
            temporary.replace(place)
        except (OSError, ValueError):
            temporary.unlink(missing_ok=True)

    def _place(self, key: str) -> Path:
        return self.folder / key[:2] / key


def key_of(content: bytes, *options: object) -> str:
    """Give the key for a file's content and whatever else its answer depends on."""
    described = json.dumps([str(option) for option in options], ensure_ascii=True)
    return hashlib.sha256(described.encode() + b"\0" + content).hexdigest()


@cache
def tool_digest() -> str:
    """Name the code that gives the answers: these packages' own sources, the parsers and Python."""
    digest = hashlib.sha256(repr((sys.version_info, sys.implementation.name)).encode())
    here = Path(__file__).parent
    for file in sorted(here.rglob("*.py")):
        digest.update(str(file.relative_to(here)).encode() + b"\0" + file.read_bytes())
    for name in sorted(_distributions()):
        digest.update(name.encode("utf-8", "backslashreplace") + b"\0")
    return digest.hexdigest()[:24]


def encode(value: object) -> object:
    """Give a value made of dataclasses, enums, tuples and plain things as JSON has it."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: encode(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple | list):
        return [encode(item) for item in value]
    if value is None or isinstance(value, str | int | float):
        return value
    raise ValueError(f"{type(value).__name__} cannot be kept")


def decode(value: Any, kind: Any) -> Any:
    """Give back what `encode` was given; ValueError or TypeError where it does not fit *kind*."""
    origin = get_origin(kind)
    if origin in {Union, UnionType}:
        if value is None and NoneType in get_args(kind):
            return None
        (kind,) = (option for option in get_args(kind) if option is not NoneType)
        return decode(value, kind)
    if origin is tuple:
        if not isinstance(value, list):
            raise TypeError("no list")
        return tuple(decode(item, get_args(kind)[0]) for item in value)
    if is_dataclass(kind) and isinstance(kind, type):
        hints = _hints(kind)
        if not isinstance(value, dict) or set(value) != set(hints):
            raise TypeError("other fields")
        return kind(**{name: decode(value[name], hint) for name, hint in hints.items()})
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(value)
    if type(value) is not kind:
        raise TypeError(f"no {kind}")
    return value


@cache
def _hints(kind: type[Any]) -> dict[str, Any]:
    return get_type_hints(kind)


def _distributions() -> Iterator[str]:
    for folder in sys.path:
        try:
            names = [place.name for place in Path(folder).iterdir()] if folder else []
        except OSError:
            continue
        yield from (n for n in names if n.endswith(".dist-info") and n.lower().startswith(PARSERS))


def _tidy(folder: Path) -> None:
    """Once a day, throw away what nobody wrote for a month."""
    mark = folder / "tidied"
    now = time.time()
    try:
        if mark.exists() and now - mark.stat().st_mtime < 24 * 3600:
            return
        mark.touch()
        for place, _, names in os.walk(folder, topdown=False):
            for name in names:
                file = Path(place, name)
                if file != mark and now - file.lstat().st_mtime > KEPT_DAYS * 24 * 3600:
                    file.unlink()
            if not any(Path(place).iterdir()) and Path(place).stat().st_mtime < now - 24 * 3600:
                Path(place).rmdir()
    except OSError:
        return  # somebody else tidies at the same time, or may not write: nothing depends on it
