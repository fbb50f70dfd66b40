"""Copies of the journal."""

from __future__ import annotations

import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from opconsole.audit import verify_chain
from opconsole.journal.backup import backup, integrity_faults
from opconsole.journal.database import connect, reading_engine
from opconsole.journal.errors import JournalError
from opconsole.journal.location import JournalPlace
from opconsole.journal.reader import JournalReader
from opconsole.journal.writer import JournalWriter


def test_a_backup_taken_while_others_write_is_one_sound_file(
    place: JournalPlace, writer: JournalWriter, op: Any, tmp_path: Path
) -> None:
    stopped = threading.Event()

    def write() -> None:
        while not stopped.is_set():
            writer.commit_sync(op.event("x"), op.audit("x"))

    writer.commit_sync(op.event("first"), op.audit("first"))
    thread = threading.Thread(target=write)
    thread.start()
    try:
        backup(place, tmp_path / "copy.sqlite3")
    finally:
        stopped.set()
        thread.join()
    assert [path.name for path in tmp_path.glob("copy*")] == ["copy.sqlite3"]
    assert stat.S_IMODE((tmp_path / "copy.sqlite3").stat().st_mode) == 0o600
    engine = reading_engine(tmp_path / "copy.sqlite3")
    reader = JournalReader(engine)
    chain = reader.audit()
    assert len(chain) == reader.last_event() >= 1
    assert verify_chain(chain) is None
    engine.dispose()


def test_a_backup_covers_no_file(place: JournalPlace, writer: JournalWriter, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    with pytest.raises(JournalError, match="exists already"):
        backup(place, tmp_path / "precious")
    assert (tmp_path / "precious").read_text() == "mine"


def test_a_backup_that_cannot_be_written_leaves_nothing(
    place: JournalPlace, writer: JournalWriter, tmp_path: Path
) -> None:
    with pytest.raises(JournalError, match="could not be copied"):
        backup(place, tmp_path / "missing" / "copy")


def test_a_row_that_refers_to_nothing_is_found(place: JournalPlace, writer: JournalWriter) -> None:
    assert integrity_faults(place) == []
    connection = connect(place.database, mode="rw", timeout=1)
    connection.execute("PRAGMA foreign_keys=OFF")
    connection.execute("INSERT INTO artifacts VALUES ('p', '1', 'c', 's', 'a', '2026', 'r-none')")
    connection.close()
    assert integrity_faults(place) == ["artifacts, row 1: refers to a missing row of runs"]
