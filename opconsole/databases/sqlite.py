"""SQLite: a file, read without ever making, converting or locking what the project owns."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from opconsole.databases.base import (
    VERSION_TABLE,
    Commits,
    DatabaseError,
    Marks,
    SessionRules,
    Work,
    digest_rows,
)


@dataclass(frozen=True, slots=True)
class SqliteDatabase:
    """One file. Its writer is gone with its process, and what was not committed the next one rolls back."""

    path: Path

    @property
    def kind(self) -> str:
        """Name what it is."""
        return "SQLite"

    @property
    def commits(self) -> Commits:
        """Changes of the schema are part of the transaction where env.py begins one."""
        return Commits.PERHAPS

    @property
    def caution(self) -> str:
        """Say nothing."""
        return ""

    def check(self) -> None:
        """See that the file is a database, where there is one."""
        self.fingerprint()

    def fingerprint(self) -> str:
        """Give a digest of the schema; a file that is not there has that of an empty one, and is not made."""
        return digest_rows(self._rows() if self.path.exists() else ())

    def count(self, table: str, column: str | None, limit: float) -> int | None:
        """Count rows or values in a connection that can only read."""
        if not self.path.exists():
            return None
        deadline = time.monotonic() + limit
        try:
            with closing(sqlite3.connect(self._place, uri=True, timeout=min(10.0, limit))) as database:
                database.set_progress_handler(lambda: int(time.monotonic() > deadline), 10_000)
                found = database.execute(_TABLE, (table.rpartition(".")[2],)).fetchone()
                if found is None:
                    return None
                what = "*"
                if column is not None:
                    known = database.execute(_COLUMN, (found[0], column)).fetchone()
                    if known is None:
                        return None
                    what = _quoted(known[0])
                return int(database.execute(_COUNT.format(what=what, table=_quoted(found[0]))).fetchone()[0])
        except sqlite3.Error as error:
            raise DatabaseError(f"{self.path} does not tell: {error}") from error

    def mark(self) -> str:
        """Give nothing: no session outlives its process."""
        return ""

    def variables(self, marks: Marks, rules: SessionRules, own: Mapping[str, str]) -> Mapping[str, str]:
        """Give no variables."""
        del marks, rules, own
        return {}

    def at_work(self, marks: Marks) -> Sequence[Work]:
        """List nothing: when the program is over, so is its work."""
        del marks
        return ()

    def end(self, work: Sequence[Work]) -> None:
        """End nothing."""
        del work

    @property
    def _place(self) -> str:
        return f"file:{quote(str(self.path))}?mode=ro"

    def _rows(self) -> list[tuple[object, ...]]:
        try:
            with closing(sqlite3.connect(self._place, uri=True, timeout=10)) as database:
                return database.execute(_SCHEMA, (VERSION_TABLE,)).fetchall()
        except sqlite3.Error as error:
            busy = isinstance(error, sqlite3.OperationalError) and "locked" in str(error)
            raise DatabaseError(
                f"the schema of {self.path} cannot be read: {error}", retryable=busy
            ) from error


_SCHEMA = r"""
SELECT type, name, tbl_name, sql FROM sqlite_master
WHERE name NOT LIKE 'sqlite\_stat%' ESCAPE '\' AND tbl_name <> ?
ORDER BY type, name, tbl_name
"""
_TABLE = "SELECT name FROM sqlite_master WHERE type = 'table' AND lower(name) = lower(?)"
_COLUMN = "SELECT name FROM pragma_table_info(?) WHERE lower(name) = lower(?)"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


_COUNT = "SELECT count({what}) FROM {table}"
"""Filled in with names that are quoted."""
