"""How many durable one-step tasks a second the journal takes, 64 at once, beside raw sqlite3 in the same run.

A task is two commits (n + 1 for n steps): the run with the intent of its step, then the step's outcome with
the end of the run. Every commit is on disk before the task goes on (synchronous=FULL), so the disk's fsync
time stands beside the result. Run it with ``python benchmarks/journal.py [tasks]``.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from opconsole.journal import ops
from opconsole.journal.hosting import HostLock
from opconsole.journal.location import JournalPlace, locate
from opconsole.journal.records import Phase, Run, StepRow, StepState
from opconsole.journal.upgrade import open_database
from opconsole.journal.writer import AuditOp, JournalWriter, Op
from queues.states import RunState

AT_ONCE = 64
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def main(tasks: int) -> None:
    """Print the rates."""
    with tempfile.TemporaryDirectory(prefix="opconsole-bench-") as folder:
        fsync = fsync_ms(Path(folder))
        print(f"{tasks} one-step tasks, {AT_ONCE} at once, synchronous=FULL, fsync {fsync:.2f} ms")
        raw = raw_rate(Path(folder), tasks)
        print(f"raw sqlite3, one thread      {raw:9,.0f} tasks/s")
        for name, told in (("JournalWriter", False), ("  with events and audit", True)):
            rate, p95 = writer_rate(Path(folder), tasks, told=told)
            print(f"{name:<28} {rate:9,.0f} tasks/s   {rate / raw:5.2f} × raw   commit p95 {p95:.1f} ms")


def fsync_ms(folder: Path) -> float:
    """Give the median time in which the disk takes a page."""
    times = []
    with (folder / "fsync").open("wb", buffering=0) as file:
        for _ in range(200):
            file.write(bytes(4096))
            started = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - started)
    return statistics.median(times) * 1000


_RAW_TABLES = """
PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;
CREATE TABLE runs (
  seq INTEGER PRIMARY KEY, id TEXT UNIQUE, project, task, kind, action, environment, version, attempt, state,
  reason, epoch, created_at, finished_at
);
CREATE TABLE steps (
  run TEXT REFERENCES runs(id), position INTEGER, phase, name, title, kind, state, started_at, finished_at,
  status, detail, PRIMARY KEY (run, position)
);
"""
_RAW_RUN = """INSERT INTO runs VALUES
  (NULL, :id, 'p', :id, 'deployment', 'deploy', 'dev', '1', 1, 'running', '', 1, :at, NULL)"""
_RAW_STEP = """INSERT INTO steps VALUES
  (:id, 1, 'effect', 'n', 'n', 'repeatable', 'pending', NULL, NULL, NULL, '')"""
_RAW_INTENT = """UPDATE steps SET state='running', started_at=:at
  WHERE run=:id AND position=1 AND state='pending'"""
_RAW_OUTCOME = "UPDATE steps SET state='succeeded', finished_at=:at, status=0 WHERE run=:id AND position=1"
_RAW_END = "UPDATE runs SET state='succeeded', finished_at=:at WHERE id=:id AND epoch=1"


def raw_rate(folder: Path, tasks: int) -> float:
    """Do the same with sqlite3 alone: one thread, no loop, the columns that are in use."""
    with closing(sqlite3.connect(folder / "raw.sqlite3", isolation_level=None)) as connection:
        connection.executescript(_RAW_TABLES)
        at = NOW.isoformat()
        started = time.perf_counter()
        for first in range(0, tasks, AT_ONCE):
            rows = [{"id": f"r-{n}", "at": at} for n in range(first, min(first + AT_ONCE, tasks))]
            for statements in ((_RAW_RUN, _RAW_STEP, _RAW_INTENT), (_RAW_OUTCOME, _RAW_END)):
                connection.execute("BEGIN IMMEDIATE")
                for statement in statements:
                    connection.executemany(statement, rows)
                connection.execute("COMMIT")
        return tasks / (time.perf_counter() - started)


def writer_rate(folder: Path, tasks: int, *, told: bool) -> tuple[float, float]:
    """Give tasks a second through the writer, and the 95th percentile of a commit in milliseconds."""
    waits: list[float] = []
    # Made beforehand: ids and rows belong to the engine's cost, not to the journal's.
    prepared = [prepare(number, told=told) for number in range(tasks)]
    with writing(folder, f"told-{told}") as writer:
        started = time.perf_counter()
        asyncio.run(_all(writer, prepared, waits))
        elapsed = time.perf_counter() - started
    return tasks / elapsed, statistics.quantiles(waits, n=20)[-1] * 1000


@contextmanager
def writing(folder: Path, name: str) -> Iterator[JournalWriter]:
    """Give the writer of a fresh journal, for a workspace of that name."""
    place = _place(folder, name)
    lock = HostLock.try_acquire(place)
    if lock is None:
        raise RuntimeError("somebody else hosts the benchmark's journal")
    with lock:
        open_database(place, host=True).dispose()
        writer = JournalWriter(place, on_fatal=_die)
        writer.start()
        yield writer
        writer.close()


Prepared = tuple[Callable[[], tuple[Op | AuditOp, ...]], Callable[[], tuple[Op | AuditOp, ...]]]


async def _all(writer: JournalWriter, prepared: list[Prepared], waits: list[float]) -> None:
    left = iter(prepared)

    async def work() -> None:
        for intent, outcome in left:
            for part in (intent, outcome):
                started = time.perf_counter()
                await writer.commit(*part())
                waits.append(time.perf_counter() - started)

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))


def prepare(number: int, *, told: bool) -> Prepared:
    """Give what makes the writes of a task: its intent, and its outcome."""
    name = f"r-{number}"
    run = Run(
        name, "p", f"T-{number}", "deployment", "deploy", "dev", "1", 1, RunState.RUNNING, 1, "ana", NOW
    )
    step = StepRow(name, 1, Phase.EFFECT, "n", "n", "repeatable", StepState.PENDING)

    def intent() -> tuple[Op | AuditOp, ...]:
        more = (ops.event(NOW, "step", "p", run=name, step="n", state="running"),) if told else ()
        return (ops.insert_run(run), ops.plan_step(step), ops.start_step(name, 1, NOW), *more)

    def outcome() -> tuple[Op | AuditOp, ...]:
        more = (
            (ops.event(NOW, "run", "p", run=name, state="succeeded"), ops.audit(NOW, "ana", "deploy", name))
            if told
            else ()
        )
        ended = ops.end_step(name, 1, StepState.SUCCEEDED, NOW, status=0)
        return (ended, ops.update_run(name, 1, state=RunState.SUCCEEDED, finished_at=NOW), *more)

    return intent, outcome


def _place(folder: Path, name: str) -> JournalPlace:
    os.environ["OPCONSOLE_STATE_DIR"] = str(folder / "state")
    workspace = folder / name
    workspace.mkdir()
    place = locate(workspace, create=True)
    if place is None:
        raise RuntimeError("no journal was begun")
    return place


def _die(error: BaseException) -> None:
    print(f"the writer ended: {error}", file=sys.stderr)
    os._exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
