"""What every check of the set-up is given, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from opconsole.workspace import Workspace

QUICK = 20.0
"""Seconds for a check that only looks at files."""

ASKING = 45.0
"""Seconds for a check that asks a program, a server or a keyring; above all the limits within."""


class Level(StrEnum):
    """How it stands."""

    OK = "ok"
    WARN = "warn"  # it works, and will surprise somebody
    FAIL = "fail"  # it does not work


@dataclass(frozen=True, slots=True)
class Result:
    """What one look at one place has found. Never holds a secret; texts are not yet sanitised."""

    place: str
    level: Level
    found: str
    fix: str = ""
    """What to do; empty where all is well."""


@dataclass(frozen=True, slots=True)
class TerminalFacts:
    """The terminal that the command was given at."""

    interactive: bool
    """Its input and output are a terminal."""
    encoding: str
    columns: int
    lines: int
    clipboard: str | None = None
    """What tmux says of its option set-clipboard; None outside tmux, or where it does not answer."""


@dataclass(frozen=True, slots=True)
class Patient:
    """The set-up that is looked at."""

    workspace: Workspace
    environ: Mapping[str, str] = field(repr=False)
    now: datetime
    terminal: TerminalFacts
    online: bool = False
    """Whether services in the network that cost a login may be asked (AWS)."""
    system: Path = Path("/")
    """Where the machine's own files begin."""


@dataclass(frozen=True, slots=True)
class Check:
    """One look, which may block for up to *limit* seconds."""

    place: str
    """What is named when it does not end."""
    look: Callable[[], Iterable[Result]]
    limit: float = QUICK


def ok(place: str, found: str) -> Result:
    """Say that it is well."""
    return Result(place, Level.OK, found)


def warn(place: str, found: str, fix: str) -> Result:
    """Say that it will surprise somebody."""
    return Result(place, Level.WARN, found, fix)


def fail(place: str, found: str, fix: str) -> Result:
    """Say that it does not work."""
    return Result(place, Level.FAIL, found, fix)


def fault(place: str, error: Exception, otherwise: str, level: Level = Level.FAIL) -> Result:
    """Take an error of ours apart: what is wrong stands before the first semicolon, what to do behind it."""
    found, _, fix = str(error).partition("; ")
    return Result(place, level, found, fix or otherwise)
