"""A workspace with a journal of its own, and ways to write into it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import bindparam, insert, update

from opconsole.journal.hosting import HostLock
from opconsole.journal.location import JournalPlace, locate
from opconsole.journal.reader import JournalReader
from opconsole.journal.schema import events, queues
from opconsole.journal.upgrade import open_database
from opconsole.journal.writer import AuditOp, JournalWriter, Op

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "state"
    monkeypatch.setenv("OPCONSOLE_STATE_DIR", str(folder))
    return folder


@pytest.fixture
def place(state: Path, tmp_path: Path) -> JournalPlace:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    found = locate(workspace, create=True)
    assert found is not None
    return found


@pytest.fixture
def lock(place: JournalPlace) -> Iterator[HostLock]:
    held = HostLock.try_acquire(place)
    assert held is not None
    with held:
        yield held


@pytest.fixture
def reader(place: JournalPlace, lock: HostLock) -> Iterator[JournalReader]:
    engine = open_database(place, host=True)
    yield JournalReader(engine)
    engine.dispose()


@pytest.fixture
def fatal() -> list[BaseException]:
    """What the writer ended of; expected to stay empty unless a test is about that."""
    return []


@pytest.fixture
def make_writer(
    place: JournalPlace, reader: JournalReader, fatal: list[BaseException]
) -> Iterator[Callable[..., JournalWriter]]:
    made: list[JournalWriter] = []

    def make(**options: Any) -> JournalWriter:
        writer = JournalWriter(place, on_fatal=fatal.append, **options)
        made.append(writer)
        writer.start()
        return writer

    yield make
    for writer in made:
        writer.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "journal-writer"]


@pytest.fixture
def writer(make_writer: Callable[..., JournalWriter]) -> JournalWriter:
    return make_writer()


class Operations:
    """A few plain operations, each built on one statement."""

    _EVENT = insert(events)
    _QUEUE = insert(queues)
    _PAUSE = (
        update(queues)
        .where((queues.c.project == bindparam("of")) & queues.c.started)
        .values(started=bindparam("new"))
    )

    def event(self, name: str, **detail: object) -> Op:
        values = {"at": NOW, "event": name, "project": "p", "task": None, "run": None, "step": None}
        return Op(self._EVENT, {**values, "state": None, "detail": detail})

    def queue(self, project: str) -> Op:
        values = {"started": True, "max_attempts": None, "changed_at": NOW, "changed_by": "a"}
        return Op(self._QUEUE, {"project": project, **values})

    def pause(self, project: str) -> Op:
        """Succeeds once only, for the second finds the queue paused."""
        return Op(self._PAUSE, {"of": project, "new": False}, expect=1)

    def audit(self, action: str, at: str = "2026-03-01T12:00:00.000Z") -> AuditOp:
        return AuditOp(at, "ana", action, "r-1", "{}")


@pytest.fixture
def op() -> Operations:
    return Operations()


@pytest.fixture
def python(state: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start Python programs that share this test's state folder; what still runs at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(program: str, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()
