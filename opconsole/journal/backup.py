"""Copies of the journal, by SQLite's own backup, and the check that a journal is sound.

Never by copying the file: that would miss the write-ahead log and drop the locks of whoever writes.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from opconsole.journal.database import PATIENCE_SECONDS, connect
from opconsole.journal.errors import JournalError
from opconsole.journal.location import JournalPlace


def backup(place: JournalPlace, destination: Path) -> None:
    """Write a checked copy of the journal, as of one moment, to *destination*; writers go on meanwhile.

    Raises `JournalError` when *destination* exists, or when the copy is not sound.
    """
    if destination.exists() or destination.is_symlink():
        raise JournalError(f"{destination} exists already; name another file")
    partial = destination.with_name(destination.name + ".new")
    partial.unlink(missing_ok=True)
    try:
        with (
            closing(connect(place.database, mode="rw", timeout=PATIENCE_SECONDS)) as source,
            closing(connect(partial, mode="rwc", timeout=0)) as copy,
        ):
            partial.chmod(0o600)
            source.backup(copy)  # one step: a read that blocks no writer
            copy.execute("PRAGMA journal_mode=DELETE")  # all of it in the one file
            faults = _faults(copy)
        if faults:
            raise JournalError(f"the backup is not sound: {faults[0]}; check the journal itself and the disk")
        os.link(partial, destination)  # unlike a rename it never covers a file
    except sqlite3.Error as error:
        raise JournalError(f"{place.root}: the journal could not be copied: {error}") from error
    finally:
        partial.unlink(missing_ok=True)


KEPT_BEFORE_UPGRADES = 3
"""Backups of earlier schemas that are kept."""


def backup_before_upgrade(place: JournalPlace, found: str) -> Path:
    """Keep a copy of the journal as it is before its schema is changed; give its path.

    Of such copies the newest few stay. Raises `JournalError` when the copy cannot be made.
    """
    folder = place.root / "backups"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise JournalError(f"{folder} cannot be made: {error.strerror}; free some space") from error
    copy = folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}-schema-{found}.sqlite3"
    backup(place, copy)
    for old in sorted(folder.glob("*-schema-*.sqlite3"))[:-KEPT_BEFORE_UPGRADES]:
        old.unlink()
    return copy


def integrity_faults(place: JournalPlace, *, quick: bool = False) -> list[str]:
    """Give what SQLite finds wrong with the journal; nothing when it is sound.

    *quick* leaves out the comparison of tables with their indexes, which takes longest.
    """
    with closing(connect(place.database, mode="rw", timeout=PATIENCE_SECONDS)) as connection:
        try:
            return _faults(connection, "quick_check" if quick else "integrity_check")
        except sqlite3.DatabaseError as error:
            return [f"SQLite cannot read it to the end: {error}"]


def _faults(connection: sqlite3.Connection, check: str = "integrity_check") -> list[str]:
    found = [str(row[0]) for row in connection.execute(f"PRAGMA {check}(10)") if row[0] != "ok"]
    foreign = connection.execute("PRAGMA foreign_key_check").fetchmany(10)
    return found + [
        f"{table}, row {row}: refers to a missing row of {parent}" for table, row, parent, _ in foreign
    ]
