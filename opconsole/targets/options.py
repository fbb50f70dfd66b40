"""A target's options, read from its part of the settings: typed, and refused with the key's name."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from opconsole.targets.base import TargetSettingsError


class Options:
    """The mapping of one target, read key by key; a key that nobody knows is refused."""

    def __init__(self, kind: str, values: Mapping[str, object], allowed: Collection[str]) -> None:
        self._kind = kind
        self._values = values
        for key in values:
            if key not in allowed:
                raise TargetSettingsError(kind, key, "an unknown key", ", ".join(sorted(allowed)))

    def program(self, key: str) -> tuple[str, ...] | None:
        """Give a program and its arguments, or None where the key is absent."""
        value = self._values.get(key)
        if value is None:
            return None
        allowed = 'a list of a program and its arguments, such as ["bin/restart", "--now"]'
        if not isinstance(value, list | tuple) or not value:
            raise TargetSettingsError(self._kind, key, value, allowed)
        words: list[str] = []
        for word in value:
            if not isinstance(word, str) or "\0" in word:
                raise TargetSettingsError(self._kind, key, word, allowed)
            words.append(word)
        if not words[0]:
            raise TargetSettingsError(self._kind, key, value, allowed)
        return tuple(words)

    def required_program(self, key: str) -> tuple[str, ...]:
        """As `program`, for a key that must be there."""
        found = self.program(key)
        if found is None:
            raise TargetSettingsError(self._kind, key, "nothing", "a list of a program and its arguments")
        return found

    def folder(self, key: str) -> Path:
        """Give an absolute path (relative ones are resolved where the settings are read)."""
        value = self._values.get(key)
        if not isinstance(value, str | Path) or not str(value) or not Path(value).is_absolute():
            raise TargetSettingsError(self._kind, key, value, "an absolute path")
        return Path(value)

    def count(self, key: str, default: int) -> int:
        """Give a whole number of at least 1."""
        value = self._values.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise TargetSettingsError(self._kind, key, value, "a whole number of at least 1")
        return value

    def names(self, key: str) -> tuple[str, ...]:
        """Give a list of names, empty where the key is absent."""
        value = self._values.get(key, ())
        if not isinstance(value, list | tuple | set | frozenset):
            raise TargetSettingsError(self._kind, key, value, "a list of names")
        return tuple(str(name) for name in value)

    def text(self, key: str) -> str | None:
        """Give one printable line, or None where the key is absent."""
        value = self._values.get(key)
        if value is None:
            return None
        if not isinstance(value, str) or not value or not value.isprintable():
            raise TargetSettingsError(self._kind, key, value, "one line of text")
        return value
