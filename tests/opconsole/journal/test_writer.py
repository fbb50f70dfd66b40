"""The journal's writer: group commits that keep every submission whole."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, insert
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import Pool

from opconsole.audit import verify_chain
from opconsole.journal import ops
from opconsole.journal.backup import integrity_faults
from opconsole.journal.ballast import Ballast
from opconsole.journal.database import connect
from opconsole.journal.errors import JournalMissingError
from opconsole.journal.hosting import HostLock
from opconsole.journal.location import JournalPlace
from opconsole.journal.reader import JournalReader
from opconsole.journal.records import RequestKind, RequestRow
from opconsole.journal.schema import artifacts, requests
from opconsole.journal.transaction import transact
from opconsole.journal.upgrade import open_database
from opconsole.journal.writer import (
    JournalBusyError,
    JournalClosedError,
    JournalError,
    JournalFullError,
    JournalWriter,
    Op,
    StaleEpochError,
    write_once,
)

NOW = datetime(2026, 3, 1, tzinfo=UTC)
MakeWriter = Callable[..., JournalWriter]


async def test_what_was_awaited_is_there_to_read(
    writer: JournalWriter, reader: JournalReader, op: Any
) -> None:
    await writer.commit(op.event("begun", n=1), op.event("ended"))
    assert [row.event for row in reader.events_after(0)] == ["begun", "ended"]


def test_the_command_line_writes_without_a_loop(
    writer: JournalWriter, reader: JournalReader, op: Any
) -> None:
    writer.commit_sync(op.event("begun"))
    assert reader.last_event() == 1


async def test_many_at_once_share_commits(writer: JournalWriter, reader: JournalReader, op: Any) -> None:
    commits: list[object] = []
    event.listen(writer._engine, "commit", commits.append)
    await asyncio.gather(*(writer.commit(op.event(f"e{n}")) for n in range(500)))
    assert reader.last_event() == 500
    assert len(commits) < 50


async def test_operations_of_one_submission_keep_their_order(
    writer: JournalWriter, reader: JournalReader, op: Any
) -> None:
    # The second submission inserts what it updates: grouping by statement alone would update first.
    await writer.commit(op.queue("first"))
    await asyncio.gather(
        writer.commit(op.pause("first"), op.queue("second")),
        writer.commit(op.queue("third"), op.pause("third")),
    )
    assert {name: row.started for name, row in reader.queues().items()} == {
        "first": False,
        "second": True,
        "third": False,
    }


async def test_a_stale_epoch_leaves_the_others_of_its_batch_intact(
    writer: JournalWriter, reader: JournalReader, op: Any
) -> None:
    await writer.commit(*(op.queue(f"q{n}") for n in range(10)))
    await writer.commit(op.pause("q3"))
    results = await asyncio.gather(
        *(writer.commit(op.pause(f"q{n}"), op.event(f"paused {n}"), op.audit("pause")) for n in range(10)),
        return_exceptions=True,
    )
    assert [n for n, result in enumerate(results) if result is not None] == [3]
    assert isinstance(results[3], StaleEpochError)
    assert "queues" in str(results[3])
    assert sorted(row.event for row in reader.events_after(0)) == [f"paused {n}" for n in range(10) if n != 3]
    chain = reader.audit()
    assert len(chain) == 9
    assert verify_chain(chain) is None


async def test_a_refused_submission_records_nothing_and_stops_nobody(
    writer: JournalWriter, reader: JournalReader, op: Any
) -> None:
    await writer.commit(op.queue("a"))
    bad = writer.commit(op.event("never"), op.queue("a"))
    worse = writer.commit(Op(op.event("x").statement, {**op.event("x").params, "detail": {1, 2}}))
    huge = writer.commit(Op(op.queue("b").statement, {**op.queue("b").params, "max_attempts": 2**70}))
    surrogate = writer.commit(op.queue("\udc80"))
    results = await asyncio.gather(
        bad, worse, huge, surrogate, writer.commit(op.event("good")), return_exceptions=True
    )
    assert [type(result) for result in results] == [JournalError] * 4 + [type(None)]
    assert [row.event for row in reader.events_after(0)] == ["good"]


async def test_an_insert_under_the_same_id_is_made_once(
    writer: JournalWriter, reader: JournalReader, place: JournalPlace
) -> None:
    statement = upsert(requests).on_conflict_do_nothing(index_elements=["id"])
    values = {"id": "q-1", "kind": "approve", "payload": {}, "created_by": "ana"}
    ask = Op(statement, values | {"created_at": NOW})
    await writer.commit(ask)
    await asyncio.gather(writer.commit(ask), writer.commit(ask, ask))
    write_once(place, ask)
    assert len(reader.open_requests()) == 1


async def test_foreign_keys_hold(writer: JournalWriter, reader: JournalReader) -> None:
    row = {"project": "p", "version": "1", "commit_id": "c", "source_digest": "s", "artifact_digest": "a"}
    with pytest.raises(JournalError, match="FOREIGN KEY"):
        await writer.commit(Op(insert(artifacts), row | {"built_at": NOW, "run": "r-none"}))


async def test_a_clock_set_back_does_not_break_the_order(
    writer: JournalWriter, reader: JournalReader, op: Any
) -> None:
    for at in ("2026-03-01T12:00:00.000Z", "2026-03-01T11:00:00.000Z", "2025-01-01T00:00:00.000Z"):
        await writer.commit(op.audit("tick", at))
    chain = reader.audit()
    assert [row.seq for row in chain] == [1, 2, 3]
    assert chain[2].at < chain[0].at
    assert verify_chain(chain) is None


async def test_a_cancelled_caller_does_not_undo_its_submission(
    writer: JournalWriter, reader: JournalReader, place: JournalPlace, op: Any
) -> None:
    blocker = connect(place.database, mode="rw", timeout=1)
    blocker.execute("BEGIN IMMEDIATE")
    waiting = asyncio.create_task(writer.commit(op.event("cancelled")))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    blocker.execute("ROLLBACK")
    blocker.close()
    await writer.commit(op.event("later"))
    assert [row.event for row in reader.events_after(0)] == ["cancelled", "later"]


async def test_a_writer_that_others_keep_waiting_says_so_and_goes_on_later(
    make_writer: MakeWriter, place: JournalPlace, op: Any
) -> None:
    writer = make_writer(patience=0.05)
    await writer.commit(op.event("first"))
    blocker = connect(place.database, mode="rw", timeout=1)
    blocker.execute("BEGIN IMMEDIATE")
    with pytest.raises(JournalBusyError, match="locked for"):
        await writer.commit(op.event("kept waiting"))
    with pytest.raises(JournalBusyError):
        write_once(place, op.event("too"), patience=0.05)
    blocker.execute("ROLLBACK")
    blocker.close()
    await writer.commit(op.event("second"))


def test_a_request_to_a_journal_that_does_not_exist_says_so_and_begins_none(
    place: JournalPlace, op: Any
) -> None:
    with pytest.raises(JournalMissingError):
        write_once(place, op.event("x"))
    assert not place.database.exists()


def test_an_error_shows_the_reason_and_none_of_the_values(
    place: JournalPlace, reader: JournalReader, op: Any
) -> None:
    write_once(place, op.queue("payments"))
    with pytest.raises(JournalError, match="UNIQUE") as caught:
        write_once(place, op.queue("payments"))
    assert "payments" not in str(caught.value)
    assert "payments" not in str(caught.value.__cause__)


# -- the end of a writer ----------------------------------------------------------------------------------


def test_closing_writes_what_is_queued(make_writer: MakeWriter, reader: JournalReader, op: Any) -> None:
    writer = make_writer()
    threads = [threading.Thread(target=writer.commit_sync, args=(op.event(str(n)),)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.close()
    writer.close()
    assert reader.last_event() == 20
    with pytest.raises(JournalClosedError, match="it was closed"):
        writer.commit_sync(op.event("late"))


async def test_a_journal_replaced_under_the_writer_ends_it(
    writer: JournalWriter, place: JournalPlace, op: Any, fatal: list[BaseException]
) -> None:
    await writer.commit(op.event("first"))
    place.database.rename(place.database.with_name("elsewhere"))
    with pytest.raises(JournalClosedError, match="gone"):
        await writer.commit(op.event("lost"))
    with pytest.raises(JournalClosedError):
        await writer.commit(op.event("lost too"))
    writer.close()
    assert len(fatal) == 1


async def test_a_lock_file_that_was_taken_away_ends_the_writer(
    writer: JournalWriter, place: JournalPlace, op: Any, fatal: list[BaseException]
) -> None:
    # Another process could host the engine from then on.
    await writer.commit(op.event("first"))
    place.host_lock.unlink()
    with pytest.raises(JournalClosedError, match=r"host\.lock"):
        await writer.commit(op.event("lost"))
    writer.close()
    assert len(fatal) == 1


async def test_an_input_output_error_ends_the_writer_and_everybody_hears_of_it(
    make_writer: MakeWriter, place: JournalPlace, op: Any, fatal: list[BaseException]
) -> None:
    def fail(_connection: Any, _cursor: Any, statement: str, *_: object) -> None:
        if broken.is_set() and "INSERT" in statement:
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
            raise error

    broken = threading.Event()
    writer = make_writer()
    event.listen(writer._engine, "before_cursor_execute", fail)
    await writer.commit(op.event("first"))
    broken.set()
    results = await asyncio.gather(
        *(writer.commit(op.event(str(n))) for n in range(5)), return_exceptions=True
    )
    assert {type(result) for result in results} == {JournalClosedError}
    writer.close()
    assert len(fatal) == 1
    assert "read back" in str(results[0])


async def test_a_commit_whose_answer_was_lost_is_read_back_and_made_once(  # noqa: PLR0917 - fixtures
    make_writer: MakeWriter,
    place: JournalPlace,
    reader: JournalReader,
    op: Any,
    fatal: list[BaseException],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def lost(*args: Any) -> None:
        transact(*args)
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR
        raise OperationalError("COMMIT", {}, error)

    ask = RequestRow("q-1", RequestKind.RELOAD, {"project": "p"}, NOW, "ana")
    writer = make_writer()
    await writer.commit(op.event("first"))
    with monkeypatch.context() as patch:
        patch.setattr("opconsole.journal.writer.transact", lost)
        with pytest.raises(JournalClosedError, match="read back"):
            await writer.commit(ops.insert_request(ask))
    writer.close()
    assert len(fatal) == 1
    assert [row.id for row in reader.open_requests()] == ["q-1"]  # it was on disk
    again = make_writer()
    await again.commit(ops.insert_request(ask))
    assert [row.id for row in reader.open_requests()] == ["q-1"]


# -- a full disk --------------------------------------------------------------------------------------------


@contextlib.contextmanager
def limited(place: JournalPlace) -> Iterator[Callable[[int], None]]:
    """Let SQLite say that the disk is full; the function sets how many more pages there are room for."""
    connections: list[sqlite3.Connection] = []

    def remember(connection: sqlite3.Connection, _: object) -> None:
        if connection.execute("PRAGMA query_only").fetchone()[0] == 0:
            connections.append(connection)

    def leave(pages: int) -> None:
        for connection in connections:
            used = connection.execute("PRAGMA page_count").fetchone()[0]
            connection.execute(f"PRAGMA max_page_count={used + pages}")

    event.listen(Pool, "connect", remember)
    try:
        yield leave
    finally:
        event.remove(Pool, "connect", remember)


class LimitBallast(Ballast):
    """A ballast whose release makes SQLite's limit wider, as freeing disk would."""

    leave: Callable[[int], None]
    room = True

    def release(self) -> bool:
        self.leave(200)
        return super().release()

    def restore(self) -> bool:
        return self.room and super().restore()


async def test_on_a_full_disk_nothing_starts_but_an_outcome_is_recorded(
    make_writer: MakeWriter, place: JournalPlace, reader: JournalReader, op: Any
) -> None:
    ballast = LimitBallast(place.ballast)
    large = "x" * 50_000
    with limited(place) as leave:
        ballast.leave = leave
        writer = make_writer(ballast=ballast)
        await writer.commit(op.event("before"))
        leave(3)
        results = await asyncio.gather(
            writer.commit(op.event("intent", text=large)),
            writer.commit(op.event("small")),
            return_exceptions=True,
        )
        assert isinstance(results[0], JournalFullError)
        assert results[1] is None
        ballast.room = False  # once it is used up, the disk has no room to put it back
        await writer.commit(op.event("outcome", text=large), reserve=True)
        assert not ballast.held
        with pytest.raises(JournalFullError, match="nothing new starts"):
            await writer.commit(op.event("next intent"))
        await writer.commit(op.event("another outcome"), reserve=True)
        ballast.room = True
        await writer.commit(op.event("room again"))
        assert ballast.held
    assert [row.event for row in reader.events_after(0)] == [
        "before",
        "small",
        "outcome",
        "another outcome",
        "room again",
    ]


_FULL_DISK = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
from opconsole.journal import ops
from opconsole.journal.backup import integrity_faults
from opconsole.journal.errors import JournalMissingError
from opconsole.journal.hosting import HostLock
from opconsole.journal.location import locate
from opconsole.journal.reader import JournalReader
from opconsole.journal.upgrade import open_database
from opconsole.journal.writer import JournalFullError, JournalWriter

room = Path(sys.argv[1])
os.environ["OPCONSOLE_STATE_DIR"] = str(room / "state")
(room / "w").mkdir()
place = locate(room / "w", create=True)
lock = HostLock.try_acquire(place)
engine = open_database(place, host=True)
ended = []
writer = JournalWriter(place, on_fatal=ended.append)
writer.start()
def happened(name, size=0):
    return ops.event(datetime.now(UTC), name, "p", detail={"text": "x" * size})
writer.commit_sync(happened("first"))
with open(room / "filler", "wb", buffering=0) as filler:
    try:
        while filler.write(bytes(4096)) == 4096: pass
    except OSError: pass
try:
    writer.commit_sync(happened("intent", 20000))
    print("an intent was recorded on a full disk")
except JournalFullError:
    writer.commit_sync(happened("outcome", 20000), reserve=True)
    try:
        writer.commit_sync(happened("intent", 100))
        print("a second intent was recorded on a full disk")
    except JournalFullError:
        os.unlink(room / "filler")
        writer.commit_sync(happened("after"))
writer.close()
print([row.event for row in JournalReader(engine).events_after(0)], ended, integrity_faults(place))
"""


def test_31_a_disk_full_in_the_middle_of_a_journal_write_still_records_an_outcome(
    python: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    room = tmp_path / "small disk"
    room.mkdir()
    mount = 'mount -t tmpfs -o size=4m none "$1" && exec "$2" -c "$3" "$1"'
    within = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
    try:
        possible = subprocess.run(
            [*within, 'mount -t tmpfs none "$1"', "sh", str(room)], check=False, capture_output=True
        ).returncode
    except FileNotFoundError:
        possible = 1
    if possible != 0:
        pytest.skip("no file system of our own can be mounted here")
    done = subprocess.run(
        [*within, mount, "sh", str(room), sys.executable, _FULL_DISK],
        check=False,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert done.stdout == "['first', 'outcome', 'after'] [] []\n", done.stderr


# -- several processes ------------------------------------------------------------------------------------

_HOST = """
import sys, threading
from datetime import UTC, datetime
from pathlib import Path
from opconsole.journal import ops
from opconsole.journal.errors import JournalMissingError
from opconsole.journal.hosting import HostLock
from opconsole.journal.location import locate
from opconsole.journal.upgrade import open_database
from opconsole.journal.writer import JournalWriter

place = locate(Path(sys.argv[1]), create=False)
lock = HostLock.try_acquire(place)
open_database(place, host=True).dispose()
writer = JournalWriter(place, on_fatal=lambda error: print(error, file=sys.stderr))
writer.start()
out = threading.Lock()
def write(name):
    number = 0
    while True:
        number += 1
        now = datetime.now(UTC)
        which = f"{name}-{number}"
        writer.commit_sync(ops.event(now, which, "p"), ops.audit(now, "a", which, "s"))
        with out:
            print(f"{name}-{number}", flush=True)
for name in "abcdefgh":
    threading.Thread(target=write, args=(name,), daemon=True).start()
sys.stdin.read()
"""


def test_killing_the_writer_loses_nothing_that_was_confirmed(
    python: Callable[..., subprocess.Popen[str]], tmp_path: Path, place: JournalPlace
) -> None:
    host = python(_HOST, str(tmp_path / "workspace"))
    assert host.stdout is not None
    confirmed = [host.stdout.readline().strip() for _ in range(400)]
    host.kill()
    # Not by communicate(): it reads past what readline has taken from the pipe already.
    confirmed += [line.strip() for line in host.stdout if line.endswith("\n")]
    assert host.communicate()[1] == ""
    lock = HostLock.try_acquire(place)
    assert lock is not None, "the lock is free once its holder is dead"
    engine = open_database(place, host=True)
    reader = JournalReader(engine)
    happened = [row.event for row in reader.events_after(0)]
    chain = reader.audit()
    engine.dispose()
    lock.release()
    assert set(confirmed) <= set(happened)
    assert sorted(row.action for row in chain) == sorted(happened), "event and audit entry are one submission"
    assert verify_chain(chain) is None
    assert integrity_faults(place) == []


def test_two_processes_write_at_once_and_neither_loses_anything(
    python: Callable[..., subprocess.Popen[str]], tmp_path: Path, place: JournalPlace
) -> None:
    host = python(_HOST, str(tmp_path / "workspace"))
    assert host.stdout is not None
    host.stdout.readline()
    statement = upsert(requests).on_conflict_do_nothing(index_elements=["id"])
    for number in range(100):
        values = {"id": f"q-{number}", "kind": "approve", "payload": {"n": number}, "created_by": "ana"}
        write_once(place, Op(statement, values | {"created_at": NOW}))
    host.kill()
    host.communicate()
    engine = open_database(place, host=False)
    reader = JournalReader(engine)
    assert [row.id for row in reader.open_requests()] == [f"q-{number}" for number in range(100)]
    assert verify_chain(reader.audit()) is None
    engine.dispose()
