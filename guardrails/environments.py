"""Environment names, their aliases, and the gate that each has: resolved exactly, never guessed."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class GateKind(StrEnum):
    """The three gates of the guide; an environment has exactly one of them."""

    DEVELOPMENT = "development"
    STAGING = "staging"
    PRODUCTION = "production"


ALIASES: Mapping[str, str] = {
    "dev": "development",
    "stage": "staging",
    "prod": "production",
}
"""Short names of the default policy and the environments they stand for."""

STANDARD: Mapping[str, GateKind] = {kind.value: kind for kind in GateKind}
"""The environments that exist without any settings."""


class UnknownEnvironmentError(ValueError):
    """An environment name that is neither defined nor an alias of a defined one."""

    def __init__(self, name: str, allowed: tuple[str, ...]) -> None:
        self.name = name
        self.allowed = allowed
        super().__init__(f"unknown environment {name!a}; allowed: {', '.join(allowed)}")


def resolve_environment(name: str, defined: Mapping[str, GateKind] = STANDARD) -> str:
    """Give the defined environment that *name* stands for.

    Case and surrounding white space do not matter; everything else does: a look-alike letter or a
    near miss raises UnknownEnvironmentError, for an environment must never be guessed.
    """
    plain = name.strip().lower()
    if plain in defined:
        return plain
    meant = ALIASES.get(plain)
    if meant is not None and meant in defined:
        return meant
    raise UnknownEnvironmentError(name, tuple(defined))
