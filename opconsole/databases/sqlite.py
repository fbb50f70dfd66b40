"""SQLite: a file, read without ever making, converting or locking what the project owns."""

from __future__ import annotations

import sqlite3
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

    def _rows(self) -> list[tuple[object, ...]]:
        place = f"file:{quote(str(self.path))}?mode=ro"
        try:
            with closing(sqlite3.connect(place, uri=True, timeout=10)) as database:
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
