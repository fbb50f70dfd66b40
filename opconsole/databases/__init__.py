"""Databases as a migration meets them: which one a URL means, what its schema is, and who still works in it.

Every question is asked through our own driver, with the environment's own URL, and changes nothing. The
functions block: call them in a thread.
"""

from __future__ import annotations

from opconsole.databases.address import database_identity, sqlite_file
from opconsole.databases.base import (
    Commits,
    Database,
    DatabaseError,
    DriverMissingError,
    Marks,
    SessionRules,
    Work,
)
from opconsole.databases.opening import open_database

__all__ = [
    "Commits",
    "Database",
    "DatabaseError",
    "DriverMissingError",
    "Marks",
    "SessionRules",
    "Work",
    "database_identity",
    "open_database",
    "sqlite_file",
]
