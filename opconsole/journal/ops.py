"""What can be written into the journal, as values: each function gives one operation for a submission.

Statements are built once, for the writer groups equal ones into one batch. An update of a run names the
epoch that its writer believes in; when the run has been taken over meanwhile, no row matches and the
whole submission fails.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache

from sqlalchemy import Update, bindparam, insert, null, or_, update
from sqlalchemy.dialects.sqlite import insert as upsert

from opconsole.clock import iso
from opconsole.journal.records import (
    Approval,
    ApprovalState,
    ArtifactRow,
    ReleaseRow,
    RequestRow,
    Run,
    StepRow,
    StepState,
)
from opconsole.journal.schema import (
    approvals,
    artifacts,
    database_time,
    events,
    locks,
    outbox,
    queues,
    releases,
    requests,
    runs,
    steps,
)
from opconsole.journal.writer import AuditOp, Op
from queues.states import RunState

LEASE_SECONDS = 30
"""How long an executor may be silent before it is suspect."""

# -- runs ---------------------------------------------------------------------------------------------

_INSERT_RUN = insert(runs)


def insert_run(run: Run) -> Op:
    """Record a new run."""
    return Op(
        _INSERT_RUN,
        {
            "id": run.id,
            "project": run.project,
            "task": run.task,
            "kind": run.kind,
            "action": run.action,
            "environment": run.environment,
            "version": run.version,
            "attempt": run.attempt,
            "state": run.state.value,
            "reason": run.reason,
            "epoch": run.epoch,
            "executor": dict(run.executor),
            "requested_by": run.requested_by,
            "created_at": run.created_at,
            "started_at": run.started_at,
            "preflight": [list(tick) for tick in run.preflight],
        },
    )


@lru_cache(maxsize=256)
def _update_run(names: tuple[str, ...]) -> Update:
    values = {runs.c[name]: bindparam(f"new_{name}", type_=runs.c[name].type) for name in names}
    where = (runs.c.id == bindparam("of_run")) & (runs.c.epoch == bindparam("of_epoch"))
    return update(runs).where(where).values(values)


def update_run(run: str, known_epoch: int, /, **fields: object) -> Op:
    """Change fields of a run that is still ours, by the epoch that we know it to have."""
    state = fields.get("state")
    if isinstance(state, RunState):
        fields["state"] = state.value
    if "preflight" in fields and isinstance(fields["preflight"], Sequence):
        fields["preflight"] = [list(tick) for tick in fields["preflight"]]
    names = tuple(sorted(fields))
    params = {f"new_{name}": fields[name] for name in names}
    return Op(_update_run(names), {**params, "of_run": run, "of_epoch": known_epoch}, expect=1)


# -- steps --------------------------------------------------------------------------------------------

_INSERT_STEP = insert(steps)
_START_STEP = (
    update(steps)
    .where(
        (steps.c.run == bindparam("of_run"))
        & (steps.c.position == bindparam("of_position"))
        & (steps.c.state == StepState.PENDING.value)
    )
    .values(
        state=StepState.RUNNING.value,
        started_at=bindparam("new_started_at", type_=steps.c.started_at.type),
    )
)
_END_STEP = (
    update(steps)
    .where((steps.c.run == bindparam("of_run")) & (steps.c.position == bindparam("of_position")))
    .values(
        state=bindparam("new_state"),
        finished_at=bindparam("new_finished_at", type_=steps.c.finished_at.type),
        status=bindparam("new_status"),
        detail=bindparam("new_detail"),
    )
)


def plan_step(step: StepRow) -> Op:
    """Record that a step is to come."""
    return Op(
        _INSERT_STEP,
        {
            "run": step.run,
            "position": step.position,
            "phase": step.phase.value,
            "name": step.name,
            "title": step.title,
            "kind": step.kind,
            "state": step.state.value,
            "argv": list(step.argv) if step.argv is not None else None,
            "detail": step.detail,
        },
    )


def start_step(run: str, position: int, at: datetime) -> Op:
    """Record the intent: the step's effect may begin once this is committed."""
    return Op(_START_STEP, {"of_run": run, "of_position": position, "new_started_at": at}, expect=1)


def end_step(
    run: str, position: int, state: StepState, at: datetime, *, status: int | None = None, detail: str = ""
) -> Op:
    """Record how a step ended."""
    return Op(
        _END_STEP,
        {
            "of_run": run,
            "of_position": position,
            "new_state": state.value,
            "new_finished_at": at,
            "new_status": status,
            "new_detail": detail,
        },
        expect=1,
    )


_TELL_STEP = (
    update(steps)
    .where(
        (steps.c.run == bindparam("of_run"))
        & (steps.c.position == bindparam("of_position"))
        & (steps.c.state == StepState.RUNNING.value)
    )
    .values(detail=bindparam("new_detail"))
)


def tell_step(run: str, position: int, detail: str) -> Op:
    """Record how far a step that runs has come; nothing where it has ended meanwhile."""
    return Op(_TELL_STEP, {"of_run": run, "of_position": position, "new_detail": detail})


_SKIP_PENDING = (
    update(steps)
    .where((steps.c.run == bindparam("of_run")) & (steps.c.state == StepState.PENDING.value))
    .values(
        state=StepState.SKIPPED.value,
        finished_at=bindparam("new_finished_at", type_=steps.c.finished_at.type),
    )
)


def skip_pending(run: str, at: datetime) -> Op:
    """Say of all steps of a run that were still to come that they will not take place."""
    return Op(_SKIP_PENDING, {"of_run": run, "new_finished_at": at})


# -- approvals ----------------------------------------------------------------------------------------

_INSERT_APPROVAL = insert(approvals)
_DECIDE_APPROVAL = (
    update(approvals)
    .where((approvals.c.id == bindparam("of_id")) & (approvals.c.state == bindparam("of_state")))
    .values(
        state=bindparam("new_state"),
        decided_at=bindparam("new_decided_at", type_=approvals.c.decided_at.type),
        decided_by=bindparam("new_decided_by"),
        reason=bindparam("new_reason"),
    )
)


def insert_approval(approval: Approval) -> Op:
    """Record that a person is asked."""
    return Op(
        _INSERT_APPROVAL,
        {
            "id": approval.id,
            "run": approval.run,
            "purpose": approval.purpose.value,
            "digest": approval.digest,
            "plan": dict(approval.plan),
            "tier": approval.tier,
            "why": list(approval.why),
            "state": approval.state.value,
            "requested_at": approval.requested_at,
            "requested_by": approval.requested_by,
            "expires_at": approval.expires_at,
        },
    )


def decide_approval(
    approval: Approval, state: ApprovalState, at: datetime, by: str, reason: str | None
) -> Op:
    """Record the answer; fails when somebody else answered first."""
    return Op(
        _DECIDE_APPROVAL,
        {
            "of_id": approval.id,
            "of_state": approval.state.value,
            "new_state": state.value,
            "new_decided_at": at,
            "new_decided_by": by,
            "new_reason": reason,
        },
        expect=1,
    )


# -- requests -----------------------------------------------------------------------------------------

_INSERT_REQUEST = upsert(requests).on_conflict_do_nothing(index_elements=["id"])
_ANSWER_REQUEST = (
    update(requests)
    .where((requests.c.id == bindparam("of_id")) & requests.c.answered_at.is_(None))
    .values(
        answered_at=bindparam("new_answered_at", type_=requests.c.answered_at.type),
        granted=bindparam("new_granted"),
        answer=bindparam("new_answer"),
    )
)


def insert_request(request: RequestRow) -> Op:
    """Ask something; asking again under the same id changes nothing."""
    return Op(
        _INSERT_REQUEST,
        {
            "id": request.id,
            "kind": request.kind.value,
            "payload": dict(request.payload),
            "created_at": request.created_at,
            "created_by": request.created_by,
        },
    )


def answer_request(request: str, at: datetime, *, granted: bool, answer: str) -> Op:
    """Record the answer to a request."""
    return Op(
        _ANSWER_REQUEST,
        {"of_id": request, "new_answered_at": at, "new_granted": granted, "new_answer": answer},
        expect=1,
    )


# -- releases, artifacts ------------------------------------------------------------------------------

_RETIRE_RELEASES = (
    update(releases)
    .where(
        (releases.c.project == bindparam("of_project"))
        & (releases.c.environment == bindparam("of_environment"))
        & releases.c.current
    )
    .values(current=False)
)
_INSERT_RELEASE = insert(releases)
_RESTORE_RELEASE = (
    update(releases)
    .where(
        (releases.c.project == bindparam("of_project"))
        & (releases.c.environment == bindparam("of_environment"))
        & (releases.c.name == bindparam("of_name"))
    )
    .values(current=True)
)
_SET_REVISION = (
    update(releases)
    .where(
        (releases.c.project == bindparam("of_project"))
        & (releases.c.environment == bindparam("of_environment"))
        & releases.c.current
    )
    .values(revision=bindparam("new_revision"))
)
_RECORD_ARTIFACT = upsert(artifacts)
_RECORD_ARTIFACT = _RECORD_ARTIFACT.on_conflict_do_update(
    index_elements=["project", "version", "commit_id"],
    set_={
        name: getattr(_RECORD_ARTIFACT.excluded, name)
        for name in ("source_digest", "artifact_digest", "built_at", "run")
    },
)


def retire_releases(project: str, environment: str) -> Op:
    """Say that no release of the environment is the current one any more."""
    return Op(_RETIRE_RELEASES, {"of_project": project, "of_environment": environment})


def insert_release(release: ReleaseRow) -> Op:
    """Record a release that now serves, or was placed."""
    return Op(
        _INSERT_RELEASE,
        {
            "project": release.project,
            "environment": release.environment,
            "name": release.name,
            "version": release.version,
            "commit_id": release.commit_id,
            "source_digest": release.source_digest,
            "artifact_digest": release.artifact_digest,
            "migrations_path": release.migrations_path,
            "revision": release.revision,
            "run": release.run,
            "placed_at": release.placed_at,
            "placed_by": release.placed_by,
            "current": release.current,
        },
    )


def restore_release(project: str, environment: str, name: str) -> Op:
    """Say that a release on record is the current one again."""
    return Op(
        _RESTORE_RELEASE,
        {"of_project": project, "of_environment": environment, "of_name": name},
        expect=1,
    )


def set_revision(project: str, environment: str, revision: str | None) -> Op:
    """Record the database revision that the current release serves with."""
    return Op(
        _SET_REVISION,
        {"of_project": project, "of_environment": environment, "new_revision": revision},
    )


def record_artifact(artifact: ArtifactRow) -> Op:
    """Record what was built for a version of a commit, in place of what is no longer whole."""
    return Op(
        _RECORD_ARTIFACT,
        {
            "project": artifact.project,
            "version": artifact.version,
            "commit_id": artifact.commit_id,
            "source_digest": artifact.source_digest,
            "artifact_digest": artifact.artifact_digest,
            "built_at": artifact.built_at,
            "run": artifact.run,
        },
    )


# -- locks --------------------------------------------------------------------------------------------

_SEED_LOCK = upsert(locks).on_conflict_do_nothing()
_TAKE_LOCK = (
    update(locks)
    .where(
        (locks.c.project == bindparam("of_project"))
        & (locks.c.environment == bindparam("of_environment"))
        & or_(locks.c.run.is_(None), locks.c.run == bindparam("of_run"))
    )
    .values(
        run=bindparam("new_run"),
        epoch=bindparam("new_epoch"),
        executor=bindparam("new_executor", type_=locks.c.executor.type),
        acquired_at=bindparam("new_acquired_at", type_=locks.c.acquired_at.type),
        fence=locks.c.fence + 1,
        lease_until=database_time(f"+{LEASE_SECONDS} seconds"),
    )
)
_OF_RUN = locks.c.run == bindparam("of_run")
_TAKE_OVER_LOCK = (
    update(locks)
    .where(_OF_RUN)
    .values(
        epoch=bindparam("new_epoch"),
        executor=bindparam("new_executor", type_=locks.c.executor.type),
        fence=locks.c.fence + 1,
        lease_until=database_time(f"+{LEASE_SECONDS} seconds"),
    )
)
_RENEW_LEASE = (
    update(locks)
    .where(_OF_RUN & locks.c.lease_until.is_not(None))
    .values(lease_until=database_time(f"+{LEASE_SECONDS} seconds"))
)
_REST_LOCK = update(locks).where(_OF_RUN).values(executor=null(), lease_until=None)
_FREE_LOCK = (
    update(locks)
    .where(
        (locks.c.project == bindparam("of_project"))
        & (locks.c.environment == bindparam("of_environment"))
        & (locks.c.run == bindparam("of_run"))
    )
    .values(run=None, epoch=None, executor=null(), acquired_at=None, lease_until=None)
)


def take_lock(run: Run, executor: Mapping[str, object], at: datetime) -> tuple[Op, Op]:
    """Take the environment for a run; fails when another run holds it. The fence grows each time."""
    place = {"project": run.project, "environment": run.environment}
    return (
        Op(_SEED_LOCK, {**place, "fence": 0}),
        Op(
            _TAKE_LOCK,
            {
                "of_project": run.project,
                "of_environment": run.environment,
                "of_run": run.id,
                "new_run": run.id,
                "new_epoch": run.epoch,
                "new_executor": dict(executor),
                "new_acquired_at": at,
            },
            expect=1,
        ),
    )


def take_over_lock(run: Run, executor: Mapping[str, object]) -> Op:
    """Take a run over where it holds its environment; the new fence shuts its former executor out."""
    return Op(_TAKE_OVER_LOCK, {"of_run": run.id, "new_epoch": run.epoch, "new_executor": dict(executor)})


def renew_lease(run: str) -> Op:
    """Say that the executor still works on a run; nothing where it holds no environment."""
    return Op(_RENEW_LEASE, {"of_run": run})


def rest_lock(run: Run) -> Op:
    """Say that nobody works on a run any more that keeps its environment, for a person decides about it."""
    return Op(_REST_LOCK, {"of_run": run.id})


def free_lock(run: Run) -> Op:
    """Let go of the environment where the run holds it."""
    return Op(_FREE_LOCK, {"of_project": run.project, "of_environment": run.environment, "of_run": run.id})


# -- queues, events, outbox, audit ----------------------------------------------------------------------

_SET_QUEUE = upsert(queues)
_SET_QUEUE = _SET_QUEUE.on_conflict_do_update(
    index_elements=["project"],
    set_={
        name: getattr(_SET_QUEUE.excluded, name)
        for name in ("started", "max_attempts", "changed_at", "changed_by")
    },
)
_INSERT_EVENT = insert(events)
_INSERT_OUTBOX = insert(outbox)
_END_OUTBOX = (
    update(outbox)
    .where(outbox.c.seq == bindparam("of_seq"))
    .values(
        done_at=bindparam("new_done_at", type_=outbox.c.done_at.type),
        attempts=outbox.c.attempts + 1,
        error=bindparam("new_error"),
    )
)


def set_queue(project: str, *, started: bool, max_attempts: int | None, at: datetime, by: str) -> Op:
    """Start or pause a project's queue."""
    values = {
        "project": project,
        "started": started,
        "max_attempts": max_attempts,
        "changed_at": at,
        "changed_by": by,
    }
    return Op(_SET_QUEUE, values)


def event(
    at: datetime,
    name: str,
    project: str,
    *,
    task: str | None = None,
    run: str | None = None,
    step: str | None = None,
    state: str | None = None,
    detail: Mapping[str, object] | None = None,
) -> Op:
    """Tell whoever follows along what happened."""
    return Op(
        _INSERT_EVENT,
        {
            "at": at,
            "event": name,
            "project": project,
            "task": task,
            "run": run,
            "step": step,
            "state": state,
            "detail": dict(detail or {}),
        },
    )


def send(kind: str, project: str, payload: Mapping[str, object], at: datetime) -> Op:
    """Put something into the outbox."""
    return Op(_INSERT_OUTBOX, {"kind": kind, "project": project, "payload": dict(payload), "created_at": at})


def end_outbox(seq: int, at: datetime | None, error: str | None = None) -> Op:
    """Record that something left (*at* given), or why it could not."""
    return Op(_END_OUTBOX, {"of_seq": seq, "new_done_at": at, "new_error": error}, expect=1)


def audit(at: datetime, actor: str, action: str, subject: str, **detail: object) -> AuditOp:
    """Add a link to the audit chain."""
    text = json.dumps(detail, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return AuditOp(at=iso(at) or "", actor=actor, action=action, subject=subject, detail=text)
