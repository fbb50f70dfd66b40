"""Connections to the journal: how SQLite is set up for reading and for writing, and what its errors mean.

Nobody opens the journal's files except through here: a second descriptor on them, once closed, silently
drops SQLite's locks, and committed data was lost that way.
"""

from __future__ import annotations

import os
import sqlite3
import time
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, RootTransaction, create_engine, event
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import NullPool, QueuePool

from opconsole.journal.errors import JournalBusyError, JournalError, JournalMissingError

RETRY_SECONDS = 0.001
"""Between two tries for the write lock; SQLite's own busy handler backs off and starves (81 ms to 2 s)."""

PATIENCE_SECONDS = 5.0
"""How long a write waits for another writer before it gives up."""


def connect(database: Path, *, mode: str, timeout: float) -> sqlite3.Connection:
    """Open the journal through SQLite, in autocommit; *mode* is SQLite's ro, rw or rwc."""
    uri = f"file:{quote(os.fspath(database))}?mode={mode}"
    connection = sqlite3.connect(
        uri, uri=True, timeout=timeout, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def reading_engine(database: Path) -> Engine:
    """Give an engine whose connections can only read; every answer comes from one snapshot."""

    def creator() -> sqlite3.Connection:
        connection = connect(database, mode="rw", timeout=PATIENCE_SECONDS)
        connection.execute("PRAGMA query_only=ON")
        return connection

    engine = create_engine("sqlite://", creator=creator, hide_parameters=True, poolclass=QueuePool)
    event.listen(engine, "begin", _begin_deferred)
    return engine


def writing_engine(database: Path, *, create: bool = False) -> Engine:
    """Give an engine whose transactions hold the write lock from their first moment."""

    def creator() -> sqlite3.Connection:
        connection = connect(database, mode="rwc" if create else "rw", timeout=0)
        connection.execute("PRAGMA journal_mode=WAL")
        return connection

    engine = create_engine("sqlite://", creator=creator, hide_parameters=True, poolclass=NullPool)
    event.listen(engine, "begin", _begin_immediate)
    return engine


def begin(connection: Connection, patience: float = PATIENCE_SECONDS) -> RootTransaction:
    """Begin a transaction on a connection of a `writing_engine`, trying every millisecond.

    Raises `JournalBusyError` when another process holds the lock for longer than *patience* seconds.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            return connection.begin()
        except OperationalError as error:
            if meaning(error) is not Meaning.BUSY:
                raise
            if time.monotonic() >= deadline:
                raise JournalBusyError(
                    f"another process has kept the journal locked for {patience:g} s; "
                    "look for a stopped or hanging opconsole and try again"
                ) from error
        time.sleep(RETRY_SECONDS)


def connect_patiently(engine: Engine, patience: float = PATIENCE_SECONDS) -> Connection:
    """Connect while others recover or close the journal, which locks it for a moment."""
    deadline = time.monotonic() + patience
    while True:
        try:
            return engine.connect()
        except OperationalError as error:
            if meaning(error) is not Meaning.BUSY or time.monotonic() >= deadline:
                raise
        time.sleep(RETRY_SECONDS)


class Meaning(Enum):
    """What an error of SQLite means for whoever wrote."""

    REFUSED = auto()  # this statement only: a constraint, a value that cannot be stored
    BUSY = auto()  # somebody else holds a lock
    FULL = auto()  # no room
    FATAL = auto()  # the file or the disk cannot be trusted any more


def meaning(error: BaseException) -> Meaning:
    """Say what an error from the database means."""
    original = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(original, "sqlite_errorcode", None)
    if not isinstance(code, int):
        return Meaning.REFUSED
    if code in _FULL:
        return Meaning.FULL
    return _PRIMARY.get(code & 0xFF, Meaning.REFUSED)


_FULL = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE})  # the index file could not grow
_PRIMARY = {
    sqlite3.SQLITE_BUSY: Meaning.BUSY,
    sqlite3.SQLITE_IOERR: Meaning.FATAL,
    sqlite3.SQLITE_CORRUPT: Meaning.FATAL,
    sqlite3.SQLITE_NOTADB: Meaning.FATAL,
    sqlite3.SQLITE_CANTOPEN: Meaning.FATAL,
    sqlite3.SQLITE_READONLY: Meaning.FATAL,
    sqlite3.SQLITE_PERM: Meaning.FATAL,
    sqlite3.SQLITE_NOMEM: Meaning.FATAL,
    sqlite3.SQLITE_INTERNAL: Meaning.FATAL,
    sqlite3.SQLITE_MISUSE: Meaning.FATAL,
    sqlite3.SQLITE_PROTOCOL: Meaning.FATAL,
}


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """Which file a path led to, told by `os.stat` alone."""

    path: Path
    device: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> FileIdentity:
        """Note the file at *path*; raises `JournalMissingError` when there is none."""
        try:
            status = path.stat()
        except FileNotFoundError as error:
            raise JournalMissingError(
                f"{path}: this file of the journal is gone; stop every opconsole of the workspace, "
                "then put a backup in place"
            ) from error
        return cls(path, status.st_dev, status.st_ino)

    def check(self) -> None:
        """Raise `JournalError` when the path leads to another file by now: writes would go nowhere."""
        if FileIdentity.of(self.path) != self:
            raise JournalError(
                f"{self.path}: this file of the journal was replaced while in use; "
                "stop every opconsole of this workspace before putting a backup in place"
            )


def _begin_deferred(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def scalar(connection: Connection, sql: str) -> Any:
    """Give the one value of a pragma or another constant statement."""
    return connection.exec_driver_sql(sql).scalar()
