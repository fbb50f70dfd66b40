"""What is asked of every database, whatever its kind, and the words of the answers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class DatabaseError(Exception):
    """A database could not be asked; says which, what it said, and what to do next. Never holds a secret.

    *retryable* says that this may pass by itself: it is locked, or restarts.
    """

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        self.retryable = retryable
        super().__init__(message)


class DriverMissingError(DatabaseError):
    """The library that we ask this kind of database with is not installed here."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(
            f"a migration of {what} is watched over with opconsole's extra `{extra}`, which is missing; "
            f"install it where opconsole and its worker run: pip install 'opconsole[{extra}]'"
        )


class Commits(StrEnum):
    """When what a migration has done so far is kept although it fails."""

    WHOLE = "whole"  # never in the middle of a revision
    PERHAPS = "perhaps"  # where env.py lets it: the schema tells
    MIDWAY = "midway"  # with each change of the schema, rows and all


@dataclass(frozen=True, slots=True)
class SessionRules:
    """What the sessions of a migration are held to, in seconds; 0 leaves the server's own rule alone."""

    lock_timeout: float
    """A statement that waits longer for a lock fails."""
    statement_timeout: float
    """A statement that takes longer fails."""
    client_check: float
    """How often a server that works looks whether its client is still there."""


@dataclass(frozen=True, slots=True)
class Marks:
    """How the sessions of one migration are told from others."""

    name: str
    """The application name that they carry where the database has such a thing."""
    since: str = ""
    """What `Database.mark` said just before the migration began."""


@dataclass(frozen=True, slots=True)
class Work:
    """One session of the database that a migration may still be at work in."""

    id: int
    """The database's own number for it: the process id on PostgreSQL, the thread id on MySQL."""
    state: str
    """What it does, in the database's words."""
    seconds: float
    """For how long it has been at that."""
    named: bool
    """It carries the migration's name: it is that migration's and nobody else's."""

    def __str__(self) -> str:
        return f"session {self.id} ({self.state} for {self.seconds:.0f} s)"


class Database(Protocol):
    """A database of one kind. All of its methods block, and raise DatabaseError."""

    @property
    def kind(self) -> str:
        """Name what it is, for people."""
        ...

    @property
    def commits(self) -> Commits:
        """When what a migration has done is kept although it fails, where it does not commit by itself."""
        ...

    @property
    def caution(self) -> str:
        """Say what a person should know before anything is migrated there; mostly nothing."""
        ...

    def check(self) -> None:
        """See that it can be asked at all."""
        ...

    def fingerprint(self) -> str | None:
        """Give a digest of the schema; None where this kind of database is not known well enough for that."""
        ...

    def count(self, table: str, column: str | None, limit: float) -> int | None:
        """Count a table's rows, or those with a value in *column*; None where there is no such thing.

        *table* may have its schema before it; case does not matter. It only reads, and gives up after *limit*
        seconds.
        """
        ...

    def mark(self) -> str:
        """Give what tells the sessions that begin from now on from earlier ones."""
        ...

    def variables(self, marks: Marks, rules: SessionRules, own: Mapping[str, str]) -> Mapping[str, str]:
        """Give the variables by which the migration's sessions get their name and their rules.

        *own* are the variables that the program has anyway: what the user says there is kept.
        """
        ...

    def at_work(self, marks: Marks) -> Sequence[Work]:
        """List the sessions in which the migration may still be at work."""
        ...

    def end(self, work: Sequence[Work]) -> None:
        """Ask the database to end sessions: only named ones, for others may be somebody else's."""
        ...


def digest_rows(rows: Iterable[Sequence[object]]) -> str:
    """Give the digest of a schema described in rows."""
    digest = hashlib.sha256(b"opconsole schema 2\n")
    for row in rows:
        digest.update(repr(tuple(row)).encode("utf-8", "backslashreplace") + b"\n")
    return f"sha256:{digest.hexdigest()}"


VERSION_TABLE = "alembic_version"
"""Alembic's own table. It is no part of a fingerprint: it is made before the first migration begins."""
