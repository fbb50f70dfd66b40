"""The journal's rows as values: what a run, a step, an approval, a release and a request are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from queues.states import RunState
from queues.tasks import TaskKey, task_key

JsonMap = Mapping[str, object]


class StepState(StrEnum):
    """Where one step of a run stands."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    INTERRUPTED = "interrupted"
    CANCELLED = "cancelled"


class Phase(StrEnum):
    """The part of a run that a step belongs to."""

    PREFLIGHT = "preflight"
    EFFECT = "effect"
    ROLLBACK = "rollback"


class Purpose(StrEnum):
    """What an approval is for: going on, taking effects back, or not waiting for the end of a freeze."""

    GO_AHEAD = "go-ahead"
    REVERT = "revert"
    FREEZE = "freeze"  # beginning although the calendar freezes the environment


class ApprovalState(StrEnum):
    """Where an approval stands."""

    WAITING = "waiting"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    VOID = "void"  # the plan it was for has changed, or there is nothing to decide any more


class RequestKind(StrEnum):
    """What a console or the command line can ask of whoever hosts the engine."""

    APPROVE = "approve"
    REJECT = "reject"
    DECIDE = "decide"
    VERIFY = "verify"
    CANCEL = "cancel"
    RETRY = "retry"
    START = "start"
    PAUSE = "pause"
    RELOAD = "reload"
    PRUNE = "prune"
    UNLOCK = "unlock"
    UNKNOWN = "unknown"  # asked by an opconsole that knows more than this one
    FREEZE = "freeze"
    UNFREEZE = "unfreeze"


class PolicyState(StrEnum):
    """Where a policy that was seen stands."""

    IN_FORCE = "in-force"  # all of it
    WAITING = "waiting"  # what it loosens waits for approval; the rest is in force
    REJECTED = "rejected"
    PAST = "past"  # another one was seen since


@dataclass(frozen=True, slots=True)
class Run:
    """One attempt at a task."""

    id: str
    project: str
    task: str
    kind: str
    action: str
    environment: str
    version: str | None
    attempt: int
    state: RunState
    epoch: int
    requested_by: str
    created_at: datetime
    seq: int = 0
    reason: str = ""
    executor: JsonMap = field(default_factory=dict)
    started_at: datetime | None = None
    finished_at: datetime | None = None
    commit_id: str | None = None
    source_digest: str | None = None
    artifact_digest: str | None = None
    release: str | None = None
    previous_release: str | None = None
    previous_version: str | None = None
    revision_before: str | None = None
    revision_after: str | None = None
    preflight: tuple[tuple[bool, str], ...] = ()
    report: JsonMap | None = None
    plan: JsonMap | None = None
    plan_digest: str | None = None
    overridden: bool = False
    cancel_at: datetime | None = None
    cancel_by: str | None = None
    known: JsonMap | None = None
    verified_at: datetime | None = None
    verified_by: str | None = None
    verified_reason: str | None = None

    @property
    def key(self) -> TaskKey:
        """The task's name across the workspace."""
        return task_key(self.project, self.task)

    @property
    def cancelling(self) -> bool:
        """True while a person's cancel is under way: nothing is over before it is verified to be."""
        return self.cancel_at is not None and self.state in (RunState.PREFLIGHT, RunState.RUNNING)


@dataclass(frozen=True, slots=True)
class StepRow:
    """One step of a run, as far as it has come."""

    run: str
    position: int
    phase: Phase
    name: str
    title: str
    kind: str
    state: StepState
    argv: tuple[str, ...] | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    status: int | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Approval:
    """A person's answer, asked for or given, to one plan."""

    id: str
    run: str
    purpose: Purpose
    digest: str
    plan: JsonMap
    tier: int
    why: tuple[str, ...]
    state: ApprovalState
    requested_at: datetime
    requested_by: str
    expires_at: datetime | None = None
    decided_at: datetime | None = None
    decided_by: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class VoteRow:
    """One person's answer to a request for approval."""

    approval: str
    by: str
    asked_by: str
    """The name of the session that handed it in; *by* is the signature's, where there is one."""
    at: datetime
    verdict: str
    reason: str = ""
    signature: str | None = None
    key: str | None = None
    verified: bool = False
    seq: int = 0


@dataclass(frozen=True, slots=True)
class PolicyRow:
    """A policy as it was seen when a host began."""

    id: str
    digest: str
    document: JsonMap
    in_force: JsonMap
    changes: tuple[str, ...]
    loosens: tuple[str, ...]
    state: PolicyState
    seen_at: datetime
    seen_by: str
    decided_at: datetime | None = None
    decided_by: str | None = None
    reason: str | None = None
    seq: int = 0


@dataclass(frozen=True, slots=True)
class SwitchRow:
    """A switch that a person turned."""

    name: str
    on: bool
    changed_at: datetime
    changed_by: str
    reason: str


@dataclass(frozen=True, slots=True)
class ReleaseRow:
    """A version that was placed on an environment's target."""

    project: str
    environment: str
    name: str
    version: str
    commit_id: str
    source_digest: str
    artifact_digest: str
    migrations_path: str | None
    revision: str | None
    run: str
    placed_at: datetime
    placed_by: str
    current: bool
    seq: int = 0


@dataclass(frozen=True, slots=True)
class ArtifactRow:
    """What was built for a version of a commit."""

    project: str
    version: str
    commit_id: str
    source_digest: str
    artifact_digest: str
    built_at: datetime
    run: str


@dataclass(frozen=True, slots=True)
class LockRow:
    """Who holds an environment; nobody when *run* is None."""

    project: str
    environment: str
    run: str | None
    epoch: int | None
    fence: int
    executor: JsonMap | None
    """Who works on the run; None while a person decides about it."""
    acquired_at: datetime | None
    lease_until: datetime | None = None
    """Until when the executor has promised to be heard of again, by the database's clock."""
    expired: bool = False
    """The lease has passed: its executor is suspect. The environment is not free for that."""


@dataclass(frozen=True, slots=True)
class RequestRow:
    """Something that a console or the command line asked, and the answer once there is one."""

    id: str
    kind: RequestKind
    payload: JsonMap
    created_at: datetime
    created_by: str
    seq: int = 0
    answered_at: datetime | None = None
    granted: bool | None = None
    answer: str | None = None


@dataclass(frozen=True, slots=True)
class EventRow:
    """Something that happened, for whoever follows along."""

    seq: int
    at: datetime
    event: str
    project: str
    task: str | None
    run: str | None
    step: str | None
    state: str | None
    detail: JsonMap


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """Something that must leave the journal for a file or a channel."""

    seq: int
    kind: str
    project: str
    payload: JsonMap
    created_at: datetime
    done_at: datetime | None
    attempts: int
    error: str | None


@dataclass(frozen=True, slots=True)
class QueueRow:
    """Whether somebody started a project's queue."""

    project: str
    started: bool
    max_attempts: int | None
    changed_at: datetime
    changed_by: str


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One link of the audit chain."""

    seq: int
    at: str
    actor: str
    action: str
    subject: str
    detail: str
    prev_hash: str
    hash: str
