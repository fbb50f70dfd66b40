"""Contradictions among the journal's rows are named, and old rows go without a number being given twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from opconsole.journal import ops
from opconsole.journal.database import begin, writing_engine
from opconsole.journal.location import JournalPlace
from opconsole.journal.reader import JournalReader
from opconsole.journal.records import Run
from opconsole.journal.upkeep import contradictions, delete_old, old_rows
from opconsole.journal.writer import JournalWriter
from queues.states import RunState

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def make_run(**more: Any) -> Run:
    fields: dict[str, Any] = {
        "id": "r-1",
        "project": "p",
        "task": "T",
        "kind": "deployment",
        "action": "deploy",
        "environment": "production",
        "version": "1",
        "attempt": 1,
        "state": RunState.RUNNING,
        "epoch": 1,
        "requested_by": "ana",
        "created_at": NOW,
    }
    return Run(**{**fields, **more})


@pytest.fixture
def journalled(place: JournalPlace, writer: JournalWriter) -> JournalPlace:
    """A run that holds its environment, and is at a step."""
    run = make_run()
    writer.commit_sync(ops.insert_run(run), *ops.take_lock(run, {}, NOW))
    _sql(
        place,
        "INSERT INTO steps VALUES "
        "('r-1', 0, 'effect', 'switch', 't', 'k', 'running', null, '2026', null, 0, '')",
    )
    return place


def _sql(place: JournalPlace, statement: str) -> None:
    engine = writing_engine(place.database)
    with engine.connect() as connection, begin(connection):
        connection.execute(text(statement))
    engine.dispose()


def test_a_journal_of_an_ordinary_run_agrees_with_itself(
    journalled: JournalPlace, reader: JournalReader
) -> None:
    assert contradictions(reader.engine) == []


RELEASE = """
INSERT INTO releases
SELECT {n}, 'p', 'production', 'n{n}', '1', 'c', 's', 'a', null, null, 'r-1', '2026', 'a', 1
"""
APPROVAL = """
INSERT INTO approvals VALUES
('a-1', 'r-1', 'go-ahead', 'd', '{{}}', 2, '[]', '{state}', '2026', 'a', null, null, null, null)
"""
ENDED = "UPDATE runs SET state = 'succeeded', finished_at = '2026'"


@pytest.mark.parametrize(
    ("statements", "said"),
    [
        (
            [ENDED, "UPDATE steps SET state = 'succeeded'"],
            "run r-1 is succeeded, yet it holds production of p",
        ),
        ([ENDED, "DELETE FROM locks"], "run r-1 is succeeded, yet its step switch is running"),
        (["UPDATE locks SET environment = 'staging'"], "run r-1 holds staging of another environment"),
        (["UPDATE locks SET run = NULL"], "the lock of production of p has no run, yet an executor"),
        (["UPDATE steps SET started_at = NULL"], "step switch of run r-1 is running, yet it never began"),
        (
            ["UPDATE runs SET state = 'failed'", "DELETE FROM locks", "DELETE FROM steps"],
            "run r-1 is failed, yet it has no end",
        ),
        (["UPDATE runs SET finished_at = '2026'"], "run r-1 is running, yet it has an end"),
        ([APPROVAL.format(state="waiting")], "run r-1 is running, yet an approval of it waits"),
        (["UPDATE runs SET state = 'waiting'"], "run r-1 waits, yet no approval was asked for"),
        ([APPROVAL.format(state="approved")], "approval a-1 is approved, yet nobody is named who decided"),
        ([RELEASE.format(n=1), RELEASE.format(n=2)], "production of p has 2 current releases"),
        (
            [
                "INSERT INTO requests VALUES (1, 'q-1', 'retry', '{}', '2026', 'a', '2026', null, 'yes')",
            ],
            "request q-1 has an answer, yet no verdict",
        ),
        (["UPDATE runs SET verified_at = '2026'"], "run r-1 is verified, yet it is running"),
    ],
)
def test_rows_that_cannot_both_be_true_are_named(
    journalled: JournalPlace, reader: JournalReader, statements: list[str], said: str
) -> None:
    for statement in statements:
        _sql(journalled, statement)
    found = contradictions(reader.engine)
    assert len(found) == 1
    assert said in found[0]


def test_two_open_runs_of_one_task_contradict_each_other(
    journalled: JournalPlace, writer: JournalWriter, reader: JournalReader
) -> None:
    writer.commit_sync(ops.insert_run(make_run(id="r-2", attempt=2)))
    assert contradictions(reader.engine) == ["task T of p has 2 runs that are not over"]


def test_of_many_contradictions_some_are_shown_and_the_rest_counted(
    place: JournalPlace, writer: JournalWriter, reader: JournalReader
) -> None:
    rows = [make_run(id=f"r-{n}", task=f"T{n}", state=RunState.FAILED) for n in range(13)]
    writer.commit_sync(*(ops.insert_run(row) for row in rows))
    found = contradictions(reader.engine)
    assert len(found) == 11
    assert found[-1] == "… and 3 more of that kind"


def test_old_rows_go_and_the_newest_stays_so_that_no_number_is_given_twice(
    writer: JournalWriter, reader: JournalReader
) -> None:
    for _ in range(4):
        writer.commit_sync(ops.event(NOW, "x", "p"), ops.send("echo", "p", {"task": "T"}, NOW))
    for message in reader.open_outbox()[:3]:
        writer.commit_sync(ops.end_outbox(message.seq, NOW))
    later = NOW + timedelta(seconds=1)
    assert {(old.table, old.count) for old in old_rows(reader.engine, later)} == {
        ("events", 3),
        ("outbox", 3),
    }
    for old in old_rows(reader.engine, later):
        writer.commit_sync(delete_old(old.table, old.through, later))
    assert [event.seq for event in reader.events_after(0)] == [4]
    assert [message.seq for message in reader.open_outbox()] == [4]  # not delivered: it stays
    writer.commit_sync(ops.event(NOW, "y", "p"))
    assert reader.last_event() == 5
    assert old_rows(reader.engine, NOW) == []
