"""What upkeep asks of the journal: contradictions among its rows, what old runs hold, and what may go.

Deciding what is old is `opconsole.retention`'s; here are only questions and the deletes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from sqlalchemy import Delete, Engine, Table, bindparam, delete, func, select, text

from opconsole.journal.records import ApprovalState
from opconsole.journal.schema import approvals, events, outbox, releases, requests, runs
from opconsole.journal.transaction import Op
from queues.states import RunState

AT_ONCE = 5_000
"""Rows that one transaction deletes, so that nobody waits long behind it."""


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What retention needs to know of a run."""

    id: str
    seq: int
    project: str
    environment: str
    state: RunState
    finished_at: datetime | None
    source_digest: str | None
    artifact_digest: str | None
    release: str | None
    previous_release: str | None


@dataclass(frozen=True, slots=True)
class ReleaseFacts:
    """What retention needs to know of a release, newest first in every list."""

    project: str
    environment: str
    name: str
    run: str
    source_digest: str
    artifact_digest: str
    placed_at: datetime
    current: bool


@dataclass(frozen=True, slots=True)
class OldRows:
    """How many old rows of a table may go: those up to number *through*."""

    table: str
    through: int
    count: int


def run_facts(engine: Engine) -> list[RunFacts]:
    """Give every run, oldest first."""
    wanted = [runs.c[name] for name in RunFacts.__dataclass_fields__]
    with engine.connect() as connection:
        rows = connection.execute(select(*wanted).order_by(runs.c.seq)).all()
    return [RunFacts(**{**row._mapping, "state": RunState(row.state)}) for row in rows]


def release_facts(engine: Engine) -> list[ReleaseFacts]:
    """Give every release, newest first."""
    wanted = [releases.c[name] for name in ReleaseFacts.__dataclass_fields__]
    with engine.connect() as connection:
        rows = connection.execute(select(*wanted).order_by(releases.c.seq.desc())).all()
    return [ReleaseFacts(**row._mapping) for row in rows]


def asked_about(engine: Engine) -> frozenset[str]:
    """Give the runs with an approval that nobody has answered."""
    question = select(approvals.c.run).where(approvals.c.state == ApprovalState.WAITING.value)
    with engine.connect() as connection:
        return frozenset(connection.execute(question).scalars())


def old_rows(engine: Engine, before: datetime) -> list[OldRows]:
    """Count the events, answered requests and delivered messages from before a moment.

    The newest row of a table always stays: SQLite would give its number to the next one, and whoever reads
    "all after number N" would miss that.
    """
    found = []
    with engine.connect() as connection:
        for table, dated in _DATED.items():
            newest = select(func.max(table.c.seq)).scalar_subquery()
            old = (dated < before) & (table.c.seq < newest)
            count, through = connection.execute(select(func.count(), func.max(table.c.seq)).where(old)).one()
            if count:
                found.append(OldRows(table.name, int(through), int(count)))
    return found


def delete_old(table: str, through: int, before: datetime) -> Op:
    """Delete what `old_rows` counted, the rows up to number *through*."""
    return Op(_delete(table), {"up_to": through, "older_than": before})


_DATED = {
    events: events.c.at,
    requests: requests.c.answered_at,
    outbox: outbox.c.done_at,
}


@lru_cache
def _delete(name: str) -> Delete:
    table: Table = next(one for one in _DATED if one.name == name)
    dated = _DATED[table]
    return delete(table).where(
        (table.c.seq <= bindparam("up_to")) & (dated < bindparam("older_than", type_=dated.type))
    )


# -- contradictions -----------------------------------------------------------------------------------


def contradictions(engine: Engine) -> list[str]:
    """Name rows that cannot both be true; nothing when all agree."""
    found: list[str] = []
    final = ", ".join(f"'{state.value}'" for state in RunState if state.final)
    with engine.connect() as connection:
        for sentence, sql in _CONTRADICTIONS.items():
            rows = connection.execute(text(sql.format(final=final))).all()
            found += [sentence.format(*row) for row in rows[:_SHOWN]]
            if len(rows) > _SHOWN:
                found.append(f"… and {len(rows) - _SHOWN} more of that kind")
    return found


_SHOWN = 10
_CONTRADICTIONS = {
    "run {0} is {1}, yet it holds {2} of {3}": (
        "SELECT r.id, r.state, l.environment, l.project FROM locks l JOIN runs r ON r.id = l.run "
        "WHERE r.state IN ({final})"
    ),
    "run {0} holds {1} of another environment or project than its own": (
        "SELECT r.id, l.environment FROM locks l JOIN runs r ON r.id = l.run "
        "WHERE r.environment <> l.environment OR r.project <> l.project"
    ),
    "the lock of {1} of {0} has no run, yet an executor": (
        "SELECT project, environment FROM locks WHERE run IS NULL "
        "AND (epoch IS NOT NULL OR acquired_at IS NOT NULL)"
    ),
    "run {0} is {1}, yet its step {2} is running": (
        "SELECT r.id, r.state, s.name FROM steps s JOIN runs r ON r.id = s.run "
        "WHERE s.state = 'running' AND r.state IN ({final})"
    ),
    "step {1} of run {0} is {2}, yet it never began": (
        "SELECT run, name, state FROM steps WHERE state IN ('running', 'succeeded') AND started_at IS NULL"
    ),
    "run {0} is {1}, yet it has no end": (
        "SELECT id, state FROM runs WHERE state IN ({final}) AND finished_at IS NULL"
    ),
    "run {0} is {1}, yet it has an end": (
        "SELECT id, state FROM runs WHERE state NOT IN ({final}) AND finished_at IS NOT NULL"
    ),
    "run {0} is {1}, yet an approval of it waits": (
        "SELECT r.id, r.state FROM approvals a JOIN runs r ON r.id = a.run "
        "WHERE a.state = 'waiting' AND r.state <> 'waiting'"
    ),
    "run {0} waits, yet no approval was asked for": (
        # One that needs none waits while everything is frozen, and until somebody goes on with it after that.
        "SELECT id FROM runs WHERE state = 'waiting' AND reason NOT LIKE '% froze everything at %' "
        "AND NOT EXISTS (SELECT 1 FROM approvals a WHERE a.run = runs.id)"
    ),
    "approval {0} is {1}, yet nobody is named who decided": (
        "SELECT id, state FROM approvals WHERE state IN ('approved', 'rejected') AND decided_by IS NULL"
    ),
    "{1} of {0} has {2} current releases": (
        "SELECT project, environment, count(*) FROM releases WHERE current GROUP BY project, environment "
        "HAVING count(*) > 1"
    ),
    "task {1} of {0} has {2} runs that are not over": (
        "SELECT project, task, count(*) FROM runs WHERE state NOT IN ({final}) "
        "GROUP BY project, task HAVING count(*) > 1"
    ),
    "request {0} has an answer, yet no verdict": (
        "SELECT id FROM requests WHERE answered_at IS NOT NULL AND granted IS NULL"
    ),
    "run {0} is verified, yet it is {1}": (
        "SELECT id, state FROM runs WHERE verified_at IS NOT NULL AND state <> 'succeeded'"
    ),
}
"""What must never be found, as a sentence and the question whose answers fill it in."""
