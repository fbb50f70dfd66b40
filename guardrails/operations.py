"""The statement model: what code does to data, whatever language it was written in.

The readers (SQL, Alembic, Python, JavaScript, shell) produce operations, the rules judge them;
neither knows the other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from guardrails.findings import Direction


class Verb(StrEnum):
    """What is done."""

    CREATE = "create"
    DROP = "drop"
    TRUNCATE = "truncate"
    DELETE = "delete"
    UPDATE = "update"
    UNKNOWN = "unknown"
    """Something runs here, and nobody can say what."""


class Thing(StrEnum):
    """What it is done to."""

    DATABASE = "database"
    SCHEMA = "schema"
    TABLE = "table"
    COLUMN = "column"
    ROWS = "rows"
    BUCKET = "bucket"
    OBJECTS = "objects"
    OBJECT = "object"
    ANYTHING = "anything"


class Condition(StrEnum):
    """Whether a DELETE or UPDATE is limited to some rows."""

    NONE = "none"
    ALWAYS_TRUE = "always-true"
    SOME = "some"


@dataclass(frozen=True, slots=True)
class Place:
    """A stretch of a file; lines and columns count from 1."""

    line: int
    column: int = 1
    end_line: int = 0
    """The last line of the statement; 0: the same line."""
    start_line: int = 0
    """The first line of the call that runs it; 0: the same line."""

    @property
    def first_line(self) -> int:
        """The first line of the stretch."""
        return min(self.line, self.start_line or self.line)

    @property
    def last_line(self) -> int:
        """The last line of the stretch."""
        return max(self.line, self.end_line)


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that code does, at one place."""

    verb: Verb
    thing: Thing
    place: Place
    text: str
    """The statement or call as written."""
    names: tuple[str, ...] = ()
    """What it is done to, in lower case, columns as ``table.column``; empty where that is not known."""
    condition: Condition = Condition.SOME
    sql: bool = False
    """Whether *text* is SQL (a report ends it with a semicolon)."""
    note: str = ""
    """Why it could not be analysed, for Verb.UNKNOWN."""
    direction: Direction | None = None

    def at(self, place: Place) -> Operation:
        """Give the same operation at another place."""
        return replace(self, place=place)

    def going(self, direction: Direction | None) -> Operation:
        """Give the same operation in a direction of a migration."""
        return replace(self, direction=direction)


@dataclass(frozen=True, slots=True)
class Comment:
    """A real comment of a file: never text inside a string."""

    line: int
    text: str
    alone: bool
    """Nothing but the comment stands on its line."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader got out of one source."""

    operations: tuple[Operation, ...] = ()
    comments: tuple[Comment, ...] = ()
    statements: int = 0
    analysed: int = 0
