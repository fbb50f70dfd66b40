"""What is wrong with a workspace's settings: each fault with its place, what was found, what is allowed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError


@dataclass(frozen=True, slots=True)
class SettingsFault:
    """One fault. All texts are safe to print: nothing in them can steer a terminal or reveal a secret."""

    file: str
    """The settings file, or the name of the ``OPCONSOLE_…`` variable that holds the faulty value."""
    line: int | None
    """Counted from 1; None for a variable, or where the whole file is meant."""
    key: str
    """The dotted path of the key, for example ``projects.karematch.test``; empty for the whole file."""
    found: str
    allowed: str
    message: str
    """One sentence: what is wrong, and what to do about it."""

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        parts = [f"{place}: {self.key}: {self.message}" if self.key else f"{place}: {self.message}"]
        if self.found:
            parts.append(f"found: {self.found}")
        if self.allowed:
            parts.append(f"allowed: {self.allowed}")
        return "; ".join(parts)


class SettingsError(Exception):
    """The settings cannot be used; all faults are named at once, in the order of the file."""

    def __init__(self, faults: Sequence[SettingsFault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


@dataclass(frozen=True, slots=True)
class Wrong:
    """A fault found by the model itself, before its place in a file is known."""

    key: tuple[str | int, ...]
    """Below the value that is being validated."""
    found: object
    allowed: str
    message: str


def custom_error(message: str, *, allowed: str = "", kind: str = "settings") -> PydanticCustomError:
    """Give the exception that a validator raises for one fault."""
    # Braces in the template would be read as placeholders, so the texts travel in the context.
    return PydanticCustomError(kind, "{message}", {"message": message, "allowed": allowed})


def raise_all(wrongs: Iterable[Wrong]) -> None:
    """Raise all faults of one validator at once; do nothing when there are none."""
    details = [
        InitErrorDetails(
            type=custom_error(wrong.message, allowed=wrong.allowed), loc=wrong.key, input=wrong.found
        )
        for wrong in wrongs
    ]
    if details:
        raise ValidationError.from_exception_data("settings", details)


def printable(text: str, limit: int = 80) -> str:
    """Give *text* with every character escaped that could steer a terminal or hide, cut to *limit*."""
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
    return safe if len(safe) <= limit else safe[: limit - 1] + "…"
