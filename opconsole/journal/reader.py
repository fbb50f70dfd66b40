"""Reading the journal: short questions with plain answers, each in a transaction of its own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, Row, Select, Table, func, select

from opconsole.journal.records import (
    Approval,
    ApprovalState,
    ArtifactRow,
    AuditRow,
    EventRow,
    LockRow,
    OutboxRow,
    Phase,
    PolicyRow,
    PolicyState,
    Purpose,
    QueueRow,
    ReleaseRow,
    RequestKind,
    RequestRow,
    Run,
    StepRow,
    StepState,
    SwitchRow,
    VoteRow,
)
from opconsole.journal.schema import (
    approvals,
    artifacts,
    audit,
    database_time,
    events,
    locks,
    outbox,
    policies,
    queues,
    releases,
    requests,
    runs,
    steps,
    switches,
    votes,
)
from queues.states import RunState

_OPEN = [state.value for state in RunState if not state.final]
_KINDS = {kind.value: kind for kind in RequestKind}
_AT_ONCE = 10_000  # ids in one question
_LOCKS = select(locks, (locks.c.lease_until < database_time()).label("expired"))


class JournalReader:
    """Answers questions about the journal. Every answer is as of the moment it was asked."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def engine(self) -> Engine:
        """What the questions are asked through, for those that stand elsewhere."""
        return self._engine

    # -- runs

    def run(self, run_id: str) -> Run | None:
        """Give a run by its id."""
        found = self._runs(select(runs).where(runs.c.id == run_id))
        return found[0] if found else None

    def latest_run(self, project: str, task: str) -> Run | None:
        """Give the latest attempt at a task."""
        question = select(runs).where((runs.c.project == project) & (runs.c.task == task))
        found = self._runs(question.order_by(runs.c.seq.desc()).limit(1))
        return found[0] if found else None

    def latest_runs(self) -> dict[tuple[str, str], Run]:
        """Give the latest attempt at every task that has one, by (project, task)."""
        newest = select(func.max(runs.c.seq)).group_by(runs.c.project, runs.c.task)
        return {
            (run.project, run.task): run for run in self._runs(select(runs).where(runs.c.seq.in_(newest)))
        }

    def runs_changed(self, after_run: int, after_event: int, known_open: Sequence[str]) -> list[Run]:
        """Give every open run and, of the others, those that may have changed since, oldest first.

        Since: when the newest run and event were *after_run* and *after_event*, and the runs with the ids
        *known_open* were open. A run that is final changes no more without an event that names it.
        """
        told = select(events.c.run).where(events.c.seq > after_event).scalar_subquery()
        found = self._runs(
            select(runs).where((runs.c.seq > after_run) | runs.c.state.in_(_OPEN) | runs.c.id.in_(told))
        )
        missed = sorted(set(known_open).difference(run.id for run in found))
        for first in range(0, len(missed), _AT_ONCE):
            found += self._runs(select(runs).where(runs.c.id.in_(missed[first : first + _AT_ONCE])))
        return sorted(found, key=lambda run: run.seq)

    def runs_of(self, task: str, project: str | None = None) -> list[Run]:
        """Give all attempts at tasks of that id, newest first."""
        question = select(runs).where(runs.c.task == task)
        if project is not None:
            question = question.where(runs.c.project == project)
        return self._runs(question.order_by(runs.c.seq.desc()))

    def open_runs(self) -> list[Run]:
        """Give the runs that are not final, oldest first."""
        return self._runs(select(runs).where(runs.c.state.in_(_OPEN)).order_by(runs.c.seq))

    def history(
        self, project: str | None = None, environment: str | None = None, limit: int = 1000
    ) -> list[Run]:
        """Give runs, newest first."""
        question = select(runs)
        if project is not None:
            question = question.where(runs.c.project == project)
        if environment is not None:
            question = question.where(runs.c.environment == environment)
        return self._runs(question.order_by(runs.c.seq.desc()).limit(limit))

    def attempts(self, project: str, task: str) -> int:
        """Count the attempts ever made at a task."""
        question = select(func.max(runs.c.attempt)).where((runs.c.project == project) & (runs.c.task == task))
        return self._one(question) or 0

    def succeeded_before(self, project: str, environment: str, kind: str) -> bool:
        """Say whether a successful run of that kind is on record for the environment."""
        question = select(func.count()).where(
            (runs.c.project == project)
            & (runs.c.environment == environment)
            & (runs.c.kind == kind)
            & (runs.c.action != "validate")
            & (runs.c.state == RunState.SUCCEEDED.value)
            & (runs.c.overridden.is_(False))
        )
        return bool(self._one(question))

    def last_success(self, project: str, environment: str, kind: str) -> Run | None:
        """Give the newest successful run of that kind in the environment."""
        question = select(runs).where(
            (runs.c.project == project)
            & (runs.c.environment == environment)
            & (runs.c.kind == kind)
            & (runs.c.state == RunState.SUCCEEDED.value)
        )
        found = self._runs(question.order_by(runs.c.seq.desc()).limit(1))
        return found[0] if found else None

    def steps(self, run_id: str) -> list[StepRow]:
        """Give the steps of a run, in order."""
        rows = self._all(select(steps).where(steps.c.run == run_id).order_by(steps.c.position))
        return [_step(row) for row in rows]

    # -- approvals, requests

    def approval(self, approval_id: str) -> Approval | None:
        """Give an approval by its id."""
        rows = self._all(select(approvals).where(approvals.c.id == approval_id))
        return _approval(rows[0]) if rows else None

    def approvals_of(self, run_id: str) -> list[Approval]:
        """Give the approvals of a run, oldest first."""
        question = select(approvals).where(approvals.c.run == run_id)
        return [
            _approval(row) for row in self._all(question.order_by(approvals.c.requested_at, approvals.c.id))
        ]

    def waiting_approvals(self) -> list[Approval]:
        """Give what waits for a person, oldest first."""
        question = select(approvals).where(approvals.c.state == ApprovalState.WAITING.value)
        return [
            _approval(row) for row in self._all(question.order_by(approvals.c.requested_at, approvals.c.id))
        ]

    def request(self, request_id: str) -> RequestRow | None:
        """Give a request by its id."""
        rows = self._all(select(requests).where(requests.c.id == request_id))
        return _request(rows[0]) if rows else None

    def open_requests(self) -> list[RequestRow]:
        """Give the requests that nobody answered yet, oldest first."""
        question = select(requests).where(requests.c.answered_at.is_(None)).order_by(requests.c.seq)
        return [_request(row) for row in self._all(question)]

    # -- releases, artifacts, locks

    def current_release(self, project: str, environment: str) -> ReleaseRow | None:
        """Give the release that serves in an environment, by the journal's word."""
        found = self._releases(
            (releases.c.project == project) & (releases.c.environment == environment) & releases.c.current
        )
        return found[0] if found else None

    def releases(self, project: str, environment: str) -> list[ReleaseRow]:
        """Give all releases that ever served in an environment, newest first."""
        return self._releases((releases.c.project == project) & (releases.c.environment == environment))

    def artifacts(self, project: str, version: str) -> list[ArtifactRow]:
        """Give what was built for a version; more than one only where commits differ."""
        rows = self._all(
            select(artifacts)
            .where((artifacts.c.project == project) & (artifacts.c.version == version))
            .order_by(artifacts.c.built_at)
        )
        return [ArtifactRow(**_fields(row, artifacts)) for row in rows]

    def lock(self, project: str, environment: str) -> LockRow | None:
        """Give the environment's lock; its *run* is None while it is free."""
        where = (locks.c.project == project) & (locks.c.environment == environment)
        rows = self._all(_LOCKS.where(where))
        return _lock(rows[0]) if rows else None

    def held_locks(self) -> list[LockRow]:
        """Give the locks that a run holds."""
        return [_lock(row) for row in self._all(_LOCKS.where(locks.c.run.is_not(None)))]

    # -- queues, events, outbox, audit

    def queues(self) -> dict[str, QueueRow]:
        """Give what is known of every queue that was ever started, by project."""
        return {row.project: QueueRow(**_fields(row, queues)) for row in self._all(select(queues))}

    def events_after(self, seq: int, limit: int = 10_000) -> list[EventRow]:
        """Give what happened after event *seq*, oldest first."""
        rows = self._all(select(events).where(events.c.seq > seq).order_by(events.c.seq).limit(limit))
        return [EventRow(**_fields(row, events)) for row in rows]

    def last_event(self) -> int:
        """Give the number of the newest event, 0 when there is none."""
        return self._one(select(func.max(events.c.seq))) or 0

    def open_outbox(
        self, limit: int = 1000, *, after: int = 0, kinds: Sequence[str] | None = None
    ) -> list[OutboxRow]:
        """Give what has not left the outbox yet, oldest first: behind number *after*, of these *kinds*."""
        question = select(outbox).where(outbox.c.done_at.is_(None) & (outbox.c.seq > after))
        if kinds is not None:
            question = question.where(outbox.c.kind.in_(kinds))
        rows = self._all(question.order_by(outbox.c.seq).limit(limit))
        return [OutboxRow(**_fields(row, outbox)) for row in rows]

    def stuck_outbox(self, limit: int = 100) -> list[OutboxRow]:
        """Give what could not leave the outbox when it was last tried, oldest first."""
        stuck = outbox.c.done_at.is_(None) & outbox.c.error.is_not(None)
        rows = self._all(select(outbox).where(stuck).order_by(outbox.c.seq).limit(limit))
        return [OutboxRow(**_fields(row, outbox)) for row in rows]

    def audit(self) -> list[AuditRow]:
        """Give the audit chain."""
        return [AuditRow(**_fields(row, audit)) for row in self._all(select(audit).order_by(audit.c.seq))]

    def last_audit(self) -> AuditRow | None:
        """Give the newest entry of the audit chain."""
        rows = self._all(select(audit).order_by(audit.c.seq.desc()).limit(1))
        return AuditRow(**_fields(rows[0], audit)) if rows else None

    # -- deciding

    def votes_of(self, approval: str) -> list[VoteRow]:
        """Give the answers to a request for approval, oldest first."""
        question = select(votes).where(votes.c.approval == approval).order_by(votes.c.seq)
        return [VoteRow(**_fields(row, votes)) for row in self._all(question)]

    def policy(self) -> PolicyRow | None:
        """Give the policy that was seen last; None before the first host."""
        rows = self._all(select(policies).order_by(policies.c.seq.desc()).limit(1))
        return _policy(rows[0]) if rows else None

    def policy_of(self, policy_id: str) -> PolicyRow | None:
        """Give a policy by its id."""
        rows = self._all(select(policies).where(policies.c.id == policy_id))
        return _policy(rows[0]) if rows else None

    def switch(self, name: str) -> SwitchRow | None:
        """Give a switch where it is on."""
        rows = self._all(select(switches).where((switches.c.name == name) & switches.c.on))
        return SwitchRow(**_fields(rows[0], switches)) if rows else None

    def latest_moment(self) -> datetime | None:
        """Give the latest time that stands in an event or an answer, whatever the clock said after it."""
        told = [
            self._one(select(func.max(column))) for column in (events.c.at, votes.c.at, policies.c.seen_at)
        ]
        return max((moment for moment in told if moment is not None), default=None)

    # -- helpers

    def _all(self, question: Select[Any]) -> Sequence[Row[Any]]:
        with self._engine.connect() as connection:
            return connection.execute(question).all()

    def _one(self, question: Select[Any]) -> Any:
        with self._engine.connect() as connection:
            return connection.execute(question).scalar()

    def _runs(self, question: Select[Any]) -> list[Run]:
        return [_run(row) for row in self._all(question)]

    def _releases(self, where: Any) -> list[ReleaseRow]:
        rows = self._all(select(releases).where(where).order_by(releases.c.seq.desc()))
        return [ReleaseRow(**_fields(row, releases)) for row in rows]


def _fields(row: Row[Any], table: Table) -> dict[str, Any]:
    values = row._mapping
    return {column.name: values[column.name] for column in table.columns}


def _run(row: Row[Any]) -> Run:
    fields = _fields(row, runs)
    fields["state"] = RunState(fields["state"])
    fields["preflight"] = tuple((bool(ok), str(text)) for ok, text in fields["preflight"] or ())
    return Run(**fields)


def _step(row: Row[Any]) -> StepRow:
    fields = _fields(row, steps)
    fields["phase"] = Phase(fields["phase"])
    fields["state"] = StepState(fields["state"])
    fields["argv"] = tuple(fields["argv"]) if fields["argv"] is not None else None
    return StepRow(**fields)


def _approval(row: Row[Any]) -> Approval:
    fields = _fields(row, approvals)
    fields["purpose"] = Purpose(fields["purpose"])
    fields["state"] = ApprovalState(fields["state"])
    fields["why"] = tuple(fields["why"])
    return Approval(**fields)


def _lock(row: Row[Any]) -> LockRow:
    return LockRow(**_fields(row, locks), expired=bool(row._mapping["expired"]))


def _request(row: Row[Any]) -> RequestRow:
    fields = _fields(row, requests)
    fields["kind"] = _KINDS.get(fields["kind"], RequestKind.UNKNOWN)
    return RequestRow(**fields)


def _policy(row: Row[Any]) -> PolicyRow:
    fields = _fields(row, policies)
    fields["state"] = PolicyState(fields["state"])
    fields["changes"] = tuple(fields["changes"])
    fields["loosens"] = tuple(fields["loosens"])
    return PolicyRow(**fields)
