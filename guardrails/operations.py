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
    ADD = "add"
    """To something that exists: a constraint, a value of an enumeration."""
    ALTER = "alter"
    RENAME = "rename"
    VALIDATE = "validate"
    REBUILD = "rebuild"
    """Build again what exists: REINDEX, DETACH PARTITION."""
    BEGIN = "begin"
    """A transaction begins."""
    END = "end"
    """It ends, either way, or none is open from here on."""
    SET = "set"
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
    INDEX = "index"
    FOREIGN_KEY = "foreign-key"
    CHECK = "check"
    UNIQUE = "unique"
    """A unique constraint or a primary key."""
    CONSTRAINT = "constraint"
    """A constraint of a kind that is not told."""
    NOT_NULL = "not-null"
    COLUMN_TYPE = "column-type"
    ENUM_VALUE = "enum-value"
    TRANSACTION = "transaction"
    TIMEOUT = "timeout"
    ANYTHING = "anything"


class Trait(StrEnum):
    """What more is to be known of an operation: as it is written, or from what stands before it."""

    CONCURRENT = "concurrent"
    NOT_VALID = "not-valid"
    """Present rows are not checked."""
    USING_INDEX = "using-index"
    NOT_NULL = "not-null"
    """A new column that is NOT NULL and has no default."""
    REWRITES = "rewrites"
    """A new column whose values have to be written into every row."""
    WIDENS = "widens"
    """A change of type that leaves the rows as they are."""
    UNNAMED = "unnamed"
    TEMPORARY = "temporary"
    ON_COMMIT_DROP = "on-commit-drop"
    ONLY = "only"
    """An index of a partitioned table alone, which builds nothing."""
    FRESH = "fresh"
    """Its table was made by the same script, so nobody else uses it."""
    GONE_ANYWAY = "gone-anyway"
    """A temporary table of the same script."""
    IN_TRANSACTION = "in-transaction"
    AFTER_LOCK = "after-lock"
    """The same transaction holds an ACCESS EXCLUSIVE lock already."""
    AFTER_ADDING = "after-adding"
    """The same transaction added the constraint."""
    PROVED = "proved"
    """A validated CHECK of the same script spares the scan."""
    NO_TIMEOUT = "no-timeout"
    """The first of a script to need an ACCESS EXCLUSIVE lock, and no timeout is set."""


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
    tables: tuple[str, ...] = ()
    """The tables that it belongs to, where *names* are not tables themselves."""
    traits: frozenset[Trait] = frozenset()
    dialect: str = ""
    """The dialect of the database, for what only some databases do; empty: it does not matter."""
    note: str = ""
    """Why it could not be analysed, for Verb.UNKNOWN."""
    direction: Direction | None = None

    def at(self, place: Place) -> Operation:
        """Give the same operation at another place."""
        return replace(self, place=place)

    def has(self, *traits: Trait) -> bool:
        """Say whether it has one of the traits."""
        return not self.traits.isdisjoint(traits)

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
    faults: tuple[tuple[int, str], ...] = ()
    """Places that the parser could not make sense of: each its line, and what is wrong."""
