"""Reads many runs at once, each as a line: what it was, how long it worked and waited, and who decided.

What makes a run heavy (its plan, its report) stays in the journal. Times are summed by the database.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Engine,
    Float,
    Row,
    ScalarSelect,
    Select,
    String,
    func,
    literal,
    select,
    text,
)

from opconsole.journal.records import ApprovalState, Purpose, Run, StepState
from opconsole.journal.schema import approvals, events, runs, steps, votes
from queues.states import RunState

AT_ONCE = 5_000
"""Runs in one question: others may write between two."""
_HEAVY = frozenset({"plan", "report", "preflight", "known", "executor"})
_LIGHT = [column for column in runs.columns if column.name not in _HEAVY]
_OPEN = [state.value for state in RunState if not state.final]
_MIGRATE = "migrate"


@dataclass(frozen=True, slots=True)
class Decided:
    """One person's answer to an approval of a run."""

    by: str
    at: datetime
    verdict: str
    """``approve`` or ``reject``."""
    purpose: str
    """What the approval was for."""
    verified: bool
    """Its signature proves who gave it; else the name is only a label."""


@dataclass(frozen=True, slots=True)
class RunLine:
    """One run, without its plan, report, pre-flight and what was known of it."""

    run: Run
    worked: float | None
    """Seconds that its steps took together; None: none has ended yet."""
    waited: float
    """Seconds that it waited for a person's approval. An approval that still waits counts once it is over."""
    decisions: tuple[Decided, ...] = ()
    """Who answered its approvals, the earliest first. What was void when the plan changed is none of them."""
    reverted: bool = False
    """A person decided to take back what it had changed."""
    migrations: int = 0
    """Migrations that it ran."""

    @property
    def deciders(self) -> tuple[str, ...]:
        """Give the names of those who answered its approvals, each once."""
        return tuple(dict.fromkeys(one.by for one in self.decisions))

    @property
    def when(self) -> datetime:
        """When it began; until then when it was made."""
        return self.run.started_at or self.run.created_at


@dataclass(frozen=True, slots=True)
class BlockingRule:
    """How often a rule of the guardrails stopped a run."""

    run: str
    rule: str
    times: int


@dataclass(frozen=True, slots=True)
class Span:
    """Which runs are wanted; None: any. The moments are of a run's end."""

    project: str | None = None
    environment: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class RunLines:
    """Answers questions about many runs. Every answer is as of the moment it was asked."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def newest(self, limit: int, *, span: Span | None = None) -> Iterator[list[RunLine]]:
        """Give the newest runs in pages, newest first."""
        before: int | None = None
        while limit > 0:
            where = _within(span)
            if before is not None:
                where.append(runs.c.seq < before)
            page = self._page(where, min(limit, AT_ONCE))
            if page:
                yield page
            if len(page) < min(limit, AT_ONCE):
                return
            before = page[-1].run.seq
            limit -= len(page)

    def changed(self, after_run: int, after_event: int) -> list[RunLine]:
        """Give every open run and, of the others, those that may have changed since, newest first.

        Since: when the newest run and event were *after_run* and *after_event*. A run that is final changes
        no more without an event that names it, and none becomes final without one.
        """
        told = select(events.c.run).where(events.c.seq > after_event).scalar_subquery()
        changed = (runs.c.seq > after_run) | runs.c.state.in_(_OPEN) | runs.c.id.in_(told)
        return self._page([changed], None)

    def blocking_rules(self, limit: int, *, span: Span | None = None) -> list[BlockingRule]:
        """Count the findings that stopped runs, by run and rule: of the newest *limit* blocked runs."""
        where = [runs.c.state == RunState.BLOCKED.value, *_within(span)]
        page = select(runs.c.seq).where(*where).order_by(runs.c.seq.desc()).limit(limit).scalar_subquery()
        file = func.json_each(runs.c.report, _path("$.files")).table_valued("value", name="file")
        finding = func.json_each(file.c.value, _path("$.findings")).table_valued("value", name="finding")
        rule = func.json_extract(finding.c.value, _path("$.rule"))
        question = (
            select(runs.c.id, rule, func.count())
            .select_from(runs.join(file, text("1")).join(finding, text("1")))
            .where(runs.c.seq.in_(page) & (func.json_extract(finding.c.value, _path("$.verdict")) == "block"))
            .group_by(runs.c.id, rule)
        )
        rows = self._all(question)
        return [BlockingRule(run, str(name), times) for run, name, times in map(tuple, rows)]

    def _page(self, where: Sequence[ColumnElement[bool]], limit: int | None) -> list[RunLine]:
        page = select(runs.c.id).where(*where).order_by(runs.c.seq.desc()).limit(limit)
        ids = page.scalar_subquery()
        rows = self._all(select(*_LIGHT, _migrations()).where(runs.c.id.in_(ids)).order_by(runs.c.seq.desc()))
        worked, ran = self._worked(ids)
        waits = self._waits(ids)
        return [_line(row, worked, ran, waits.get(row.id, _Waits())) for row in rows]

    def _worked(self, ids: ScalarSelect[Any]) -> tuple[dict[str, float], set[str]]:
        """Give the seconds at work by run, and the runs whose migrations were run."""
        ran = (steps.c.name == _MIGRATE) & (steps.c.state == StepState.SUCCEEDED.value)
        question = (
            select(steps.c.run, func.sum(_seconds(steps.c.started_at, steps.c.finished_at)), func.max(ran))
            .where(steps.c.run.in_(ids) & steps.c.started_at.is_not(None) & steps.c.finished_at.is_not(None))
            .group_by(steps.c.run)
        )
        rows = [tuple(row) for row in self._all(question)]
        return {run: round(seconds, 3) for run, seconds, _ in rows}, {run for run, _, did in rows if did}

    def _waits(self, ids: ScalarSelect[Any]) -> dict[str, _Waits]:
        over = func.coalesce(approvals.c.decided_at, runs.c.finished_at)
        question = (
            select(
                approvals.c.run,
                approvals.c.id,
                approvals.c.purpose,
                approvals.c.state,
                approvals.c.decided_by,
                approvals.c.decided_at,
                _seconds(approvals.c.requested_at, over),
            )
            .join(runs, runs.c.id == approvals.c.run)
            .where(approvals.c.run.in_(ids))
            .order_by(approvals.c.requested_at)
        )
        found: defaultdict[str, _Waits] = defaultdict(_Waits)
        votes_on = self._votes(ids)
        for run, approval, purpose, state, by, at, seconds in map(tuple, self._all(question)):
            waits = found[run]
            waits.seconds += max(0.0, seconds or 0.0)
            if state in _COUNTS:
                waits.decisions += votes_on.get(approval, ())
            if by and state in _ANSWERED and approval not in votes_on:  # from before votes were rows
                waits.decisions.append(Decided(by, at, _ANSWERED[state], purpose, verified=False))
            waits.reverted |= purpose == Purpose.REVERT.value and state == ApprovalState.APPROVED.value
        return found

    def _votes(self, ids: ScalarSelect[Any]) -> dict[str, list[Decided]]:
        """Give the votes on the runs' approvals, by approval."""
        question = (
            select(
                approvals.c.id,
                votes.c.by,
                votes.c.at,
                votes.c.verdict,
                approvals.c.purpose,
                votes.c.verified,
            )
            .join(approvals, approvals.c.id == votes.c.approval)
            .where(approvals.c.run.in_(ids))
            .order_by(votes.c.seq)
        )
        found: defaultdict[str, list[Decided]] = defaultdict(list)
        for approval, *facts in map(tuple, self._all(question)):
            found[approval].append(Decided(*facts))
        return dict(found)

    def _all(self, question: Select[Any]) -> Sequence[Row[Any]]:
        with self._engine.connect() as connection:
            return connection.execute(question).all()


class _Waits:
    """What the approvals of one run come to."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.decisions: list[Decided] = []
        self.reverted = False


def _within(span: Span | None) -> list[ColumnElement[bool]]:
    span, ended = span or Span(), runs.c.finished_at
    where: list[ColumnElement[bool]] = []
    if span.project is not None:
        where.append(runs.c.project == span.project)
    if span.environment is not None:
        where.append(runs.c.environment == span.environment)
    if span.since is not None:  # what has not ended compares with nothing
        where.append(ended >= span.since)
    if span.until is not None:
        where.append(ended < span.until)
    return where


def _seconds(start: Any, end: Any) -> ColumnElement[float]:
    """Give the seconds between two moments, by SQLite, which counts in thousandths."""
    days: ColumnElement[float] = func.julianday(end, type_=Float) - func.julianday(start, type_=Float)
    return days * 86400.0


def _path(text: str) -> ColumnElement[str]:
    """Give a path into JSON as a plain text; beside a column of JSON it would be written as JSON itself."""
    return literal(text, String)


def _migrations() -> ColumnElement[int]:
    files: ColumnElement[int] = func.json_array_length(runs.c.plan, _path("$.migrations.files"))
    return func.coalesce(files, 0).label("migrations")


def _line(row: Row[Any], worked: dict[str, float], ran: set[str], waits: _Waits) -> RunLine:
    values = row._mapping
    fields = {column.name: values[column.name] for column in _LIGHT}
    fields["state"] = RunState(fields["state"])
    run = Run(**fields)
    return RunLine(
        run=run,
        worked=worked.get(run.id),
        waited=round(waits.seconds, 3),
        decisions=tuple(waits.decisions),
        reverted=waits.reverted,
        migrations=values["migrations"] if run.id in ran else 0,
    )


_ANSWERED = {ApprovalState.APPROVED.value: "approve", ApprovalState.REJECTED.value: "reject"}
_COUNTS = frozenset({*_ANSWERED, ApprovalState.WAITING.value})
