"""Waking up when the journal changed."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from opconsole.journal.database import connect
from opconsole.journal.location import JournalPlace
from opconsole.journal.wake import Stop, Watch, changes, touch, wait_change
from opconsole.journal.writer import JournalWriter, write_once

DEADLINE = 10.0


@pytest.fixture
def watch(place: JournalPlace, writer: JournalWriter) -> Iterator[Watch]:
    with Watch(place) as opened:
        yield opened


def test_a_commit_wakes_whoever_waits(watch: Watch, writer: JournalWriter, op: Any) -> None:
    writer.commit_sync(op.event("x"))
    assert watch.wait(DEADLINE)
    assert not watch.wait(0)


def test_a_write_of_another_kind_wakes_too(watch: Watch, place: JournalPlace, op: Any) -> None:
    write_once(place, op.event("x"))
    assert watch.wait(DEADLINE)


def test_without_a_change_nobody_wakes(watch: Watch) -> None:
    assert not watch.wait(0.05)


def test_a_commit_whose_notice_was_lost_is_seen_all_the_same(watch: Watch, place: JournalPlace) -> None:
    # A commit without the touch, as by a writer that died in between.
    other = connect(place.database, mode="rw", timeout=1)
    other.execute("INSERT INTO queues VALUES ('p', 1, NULL, '2026', 'ana')")
    other.close()
    assert watch.wait(DEADLINE)


def test_a_wake_file_that_was_taken_away_is_watched_again(watch: Watch, place: JournalPlace) -> None:
    place.wake.unlink()
    assert watch.wait(DEADLINE)
    touch(place.wake)
    assert watch.wait(DEADLINE)


def test_touching_makes_the_file_where_it_is_missing(tmp_path: Path) -> None:
    touch(tmp_path / "wake")
    assert (tmp_path / "wake").exists()


def test_waiting_ends_at_once_when_another_thread_says_so(place: JournalPlace, writer: JournalWriter) -> None:
    stop = Stop()
    with Watch(place, stop) as watch:
        timer = threading.Timer(0.02, stop.ask)
        timer.start()
        assert not watch.wait()
        assert not watch.wait(DEADLINE)
        timer.join()
    stop.ask()


def test_the_command_line_waits_until_its_question_is_answered(
    place: JournalPlace, writer: JournalWriter, reader: Any, op: Any
) -> None:
    thread = threading.Thread(target=lambda: [writer.commit_sync(op.event(str(n))) for n in range(5)])
    thread.start()
    assert wait_change(place, DEADLINE, lambda: reader.last_event() == 5)
    assert not wait_change(place, 0.05, lambda: reader.last_event() == 6)
    thread.join()


async def test_a_follower_reads_everything_it_was_woken_for(
    place: JournalPlace, writer: JournalWriter, reader: Any, op: Any
) -> None:
    seen: list[str] = []
    begun = asyncio.Event()

    async def follow() -> None:
        last = 0
        async for _ in changes(place):
            for row in reader.events_after(last):
                seen.append(row.event)
                last = row.seq
            begun.set()
            if len(seen) == 100:
                return

    following = asyncio.create_task(follow())
    await begun.wait()
    for number in range(100):
        await writer.commit(op.event(str(number)))
    async with asyncio.timeout(DEADLINE):
        await following
    assert seen == [str(number) for number in range(100)]


async def test_a_follower_is_cancelled_at_once_and_leaves_no_thread(
    place: JournalPlace, writer: JournalWriter
) -> None:
    begun = asyncio.Event()

    async def follow() -> None:
        async for _ in changes(place):
            begun.set()

    following = asyncio.create_task(follow())
    await begun.wait()
    started = time.monotonic()
    following.cancel()
    with pytest.raises(asyncio.CancelledError):
        await following
    assert time.monotonic() - started < 0.5
    deadline = time.monotonic() + DEADLINE
    for thread in threading.enumerate():
        if thread.name == "journal-watch":
            await asyncio.to_thread(thread.join, deadline - time.monotonic())
            assert not thread.is_alive()


async def test_a_follower_of_a_missing_journal_hears_why(place: JournalPlace) -> None:
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        await anext(changes(place))
