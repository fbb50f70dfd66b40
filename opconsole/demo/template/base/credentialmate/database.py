"""Reading credentialmate's SQLite database; the service never changes it, its migrations do."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = "sqlite:///"


class DatabaseProblem(Exception):
    """The database is missing, unreadable, or lacks something that this version needs."""


def database_path(url: str) -> Path:
    """Read the file's path out of a URL such as ``sqlite:////var/lib/app.db``."""
    if not url.startswith(PREFIX + "/"):
        raise DatabaseProblem(f"DATABASE_URL must be sqlite:////absolute/path, found {url!r}")
    return Path(url.removeprefix(PREFIX))


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the database for reading only; a missing file is a problem, and is not created."""
    if not path.exists():
        raise DatabaseProblem(f"{path.name} does not exist yet: run the migrations")
    connection = sqlite3.connect(path, timeout=2)
    try:
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA query_only = ON")
        yield connection
    except sqlite3.Error as problem:
        raise DatabaseProblem(f"{path.name}: {problem}") from problem
    finally:
        connection.close()


def missing_columns(connection: sqlite3.Connection, needed: dict[str, frozenset[str]]) -> list[str]:
    """Name what the database lacks, as ``table.column``, in order."""
    missing = []
    for table, columns in needed.items():
        present = {row["name"] for row in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))}
        missing += [f"{table}.{column}" for column in sorted(columns - present)]
    return missing


def revision(connection: sqlite3.Connection) -> str | None:
    """Tell the migration revision that the database stands at, or None before the first."""
    known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone()
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone() if known else None
    return None if row is None else str(row["version_num"])


def clinicians(connection: sqlite3.Connection) -> list[dict[str, object]]:
    """Read all clinicians in order of their names."""
    return [dict(row) for row in connection.execute("SELECT * FROM clinicians ORDER BY name")]
