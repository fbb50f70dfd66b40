"""Requests: what a person asks of a run, judged by the rules and answered into the journal.

Each answer is one submission: the request's own answer, the change it makes, its audit entry and its
event. What the engine must do afterwards (go on with a run, stop one) comes back as follow-ups; whoever
answers without an engine starts no effect and drops them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from guardrails.environments import GateKind
from guardrails.gates import Action, GateFacts, Tier, decide
from opconsole.attempt import echo_payload
from opconsole.host import Host
from opconsole.ids import new_approval_id
from opconsole.journal import ops
from opconsole.journal.records import (
    Approval,
    ApprovalState,
    Purpose,
    RequestKind,
    RequestRow,
    Run,
)
from opconsole.journal.writer import AuditOp, Op
from opconsole.rollback import revert_plan
from opconsole.runs import new_run, served_release_ops, steps_still_running
from queues.states import RunState
from queues.tasks import TaskKey


class RefusedError(Exception):
    """The rules do not allow it; the message says why and what to do."""


class Then(StrEnum):
    """What the engine does once an answer is in the journal."""

    RESUME = "resume"
    SETTLE = "settle"
    CANCEL = "cancel"
    RETRY = "retry"
    START = "start"
    PAUSE = "pause"
    RELOAD = "reload"


@dataclass(frozen=True, slots=True)
class FollowUp:
    """A follow-up, and the task or project it is about."""

    then: Then
    subject: str
    max_attempts: int | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a request."""

    granted: bool
    text: str
    follow_ups: tuple[FollowUp, ...] = ()


@dataclass(frozen=True, slots=True)
class _Grant:
    text: str
    writes: tuple[Op | AuditOp, ...]
    follow_ups: tuple[FollowUp, ...] = ()


class Answerer:
    """Answers requests. Whoever holds the host lock has one."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._answers = {
            RequestKind.APPROVE: self._approve,
            RequestKind.REJECT: self._reject,
            RequestKind.DECIDE: self._decide,
            RequestKind.VERIFY: self._verify,
            RequestKind.CANCEL: self._cancel,
            RequestKind.RETRY: self._retry,
            RequestKind.START: self._start,
            RequestKind.PAUSE: self._pause,
            RequestKind.RELOAD: self._reload,
        }

    async def answer(self, request: RequestRow) -> Reply:
        """Judge a request and write the answer, with all it changes, into the journal."""
        now = self._host.clock.now()
        try:
            grant = await self._answers[request.kind](request)
        except RefusedError as refusal:
            await self._host.journal.commit(
                ops.answer_request(request.id, now, granted=False, answer=str(refusal)),
                ops.audit(
                    now, request.created_by, f"{request.kind}-refused", request.id, reason=str(refusal)
                ),
            )
            return Reply(granted=False, text=str(refusal))
        await self._host.journal.commit(
            ops.answer_request(request.id, now, granted=True, answer=grant.text), *grant.writes
        )
        return Reply(granted=True, text=grant.text, follow_ups=grant.follow_ups)

    async def expire(self) -> list[FollowUp]:
        """Reject what has waited longer than its gate allows."""
        now = self._host.clock.now()
        follow_ups: list[FollowUp] = []
        for approval in await self._host.read(self._host.reader.waiting_approvals):
            if approval.expires_at is not None and approval.expires_at <= now:
                run = await self._run(approval.run)
                reason = "nobody answered in time"
                writes = self._refuse(approval, run, ApprovalState.EXPIRED, "nobody", reason, now)
                await self._host.journal.commit(*writes)
                follow_ups.append(FollowUp(Then.SETTLE, run.key))
        return follow_ups

    # -- approving and rejecting

    async def _approve(self, request: RequestRow) -> _Grant:
        approval, run = await self._waiting(request)
        now, by = self._host.clock.now(), request.created_by
        reason, typed = _text(request, "reason"), _text(request, "environment")
        if approval.digest != _text(request, "plan"):
            raise RefusedError(
                f"the plan is not the one you name: it is {approval.digest}; look at it again, then decide"
            )
        self._check_approver(run, by)
        if approval.tier >= Tier.REASONED:
            if not reason:
                raise RefusedError("this approval needs a reason; give one with --reason")
            if typed != run.environment:
                raise RefusedError(
                    f"this approval needs the environment's name typed out; found {typed!a}, "
                    f"expected {run.environment!a} (--environment {run.environment})"
                )
        if approval.tier >= Tier.SECOND_PERSON:
            self._check_second_person(approval, run, by, now)
        writes = (
            ops.decide_approval(approval, ApprovalState.APPROVED, now, by, reason or None),
            ops.audit(
                now, by, "approved", run.id, digest=approval.digest, purpose=approval.purpose, reason=reason
            ),
            self._event(run, "approved", by=by, reason=reason, digest=approval.digest),
        )
        text = f"approved {run.task} for {run.environment}"
        return _Grant(text, writes, (FollowUp(Then.RESUME, run.key),))

    async def _reject(self, request: RequestRow) -> _Grant:
        approval, run = await self._waiting(request)
        reason = _required_reason(request)
        now, by = self._host.clock.now(), request.created_by
        self._check_approver(run, by)
        writes = self._refuse(approval, run, ApprovalState.REJECTED, by, reason, now)
        return _Grant(f"rejected {run.task}: {reason}", writes, (FollowUp(Then.SETTLE, run.key),))

    def _refuse(
        self,
        approval: Approval,
        run: Run,
        state: ApprovalState,
        by: str,
        reason: str,
        now: datetime,
    ) -> tuple[Op | AuditOp, ...]:
        """Give the writes of a rejection: of the run, or only of taking its effects back."""
        back = approval.purpose is Purpose.REVERT
        after = RunState.HALTED if back else RunState.REJECTED
        text = f"{run.reason}; {by} rejected that: {reason}" if back else f"rejected by {by}: {reason}"
        return (
            ops.decide_approval(approval, state, now, by, reason),
            ops.audit(now, by, state.value, run.id, digest=approval.digest, reason=reason),
            *self._leave(run, after, text, now),
        )

    def _check_approver(self, run: Run, by: str) -> None:
        allowed = self._approvers(run)
        if allowed and by not in allowed:
            raise RefusedError(
                f"{by} may not decide for {run.project} in {run.environment}; allowed: {', '.join(allowed)}"
            )

    def _check_second_person(self, approval: Approval, run: Run, by: str, now: datetime) -> None:
        if len(self._approvers(run)) > 1:
            if by == approval.requested_by:
                raise RefusedError(f"this needs a second person: {by} asked for it, so another must approve")
            return
        wait = timedelta(seconds=self._host.workspace.settings.approvals.break_glass_wait)
        if now < approval.requested_at + wait:
            left = (approval.requested_at + wait - now).total_seconds()
            raise RefusedError(
                f"there is no second person here, so this can be approved in {left:.0f} s, with a reason; "
                "it will be announced"
            )

    def _approvers(self, run: Run) -> tuple[str, ...]:
        settings = self._host.workspace.settings
        environment = settings.projects[run.project].environments[run.environment]
        return environment.approvers or settings.approvals.approvers

    # -- revert, override, abort

    async def _decide(self, request: RequestRow) -> _Grant:
        run = await self._run(_text(request, "run"))
        verb = _text(request, "verb")
        if verb not in {"revert", "override", "abort"}:
            raise RefusedError(f"{verb!a} is no decision; allowed: revert, override, abort")
        self._check_approver(run, request.created_by)
        if run.state is RunState.WAITING:
            return await self._decide_at_gate(request, run, verb)
        if not run.state.undecided:
            raise RefusedError(f"{run.task} is {run.state.value}: there is nothing to decide")
        still = steps_still_running(self._host, run)
        if still:
            raise RefusedError(f"{still} of {run.task} still runs; wait for it, or cancel {run.id} first")
        reason = _required_reason(request)
        if verb == "revert":
            return await self._revert(request, run, reason)
        return await self._close(request, run, verb, reason)

    async def _decide_at_gate(self, request: RequestRow, run: Run, verb: str) -> _Grant:
        if verb == "override":
            raise RefusedError(
                "at a gate, override is to approve: approve the plan by its digest "
                f"(opconsole approve {run.id} --plan …)"
            )
        grant = await self._reject(
            replace(request, payload={**request.payload, "run": run.id})  # by all the rules of rejecting
        )
        return grant

    async def _revert(self, request: RequestRow, run: Run, reason: str) -> _Grant:
        if run.release is None and run.revision_before == run.revision_after:
            raise RefusedError(f"{run.task} has changed nothing that could be taken back; abort it")
        plan = await revert_plan(self._host, run)
        if plan.problem:
            raise RefusedError(f"there is no way back: {plan.problem}; override or abort")
        now, by = self._host.clock.now(), request.created_by
        gate = self._host.workspace.gate(run.project, run.environment)
        decision = decide(gate, Action.ROLLBACK, GateFacts(succeeded_before=True))
        approval = Approval(
            id=new_approval_id(),
            run=run.id,
            purpose=Purpose.REVERT,
            digest=plan.plan.digest,
            plan=plan.plan.document,
            tier=int(decision.tier),
            why=decision.reasons,
            state=ApprovalState.WAITING,
            requested_at=now,
            requested_by=by,
        )
        writes: list[Op | AuditOp] = [
            ops.insert_approval(approval),
            ops.audit(now, by, "decided-revert", run.id, reason=reason, digest=approval.digest),
            *self._leave(
                run, RunState.WAITING, f"{run.reason}; {by} asked to revert it: {reason}", now, keep_lock=True
            ),
        ]
        if decision.approval:
            text = f"the rollback of {run.task} waits for approval of plan {plan.plan.short}"
            return _Grant(text, tuple(writes))
        writes.append(ops.decide_approval(approval, ApprovalState.APPROVED, now, by, reason))
        return _Grant(f"rolling {run.task} back", tuple(writes), (FollowUp(Then.RESUME, run.key),))

    async def _close(self, request: RequestRow, run: Run, verb: str, reason: str) -> _Grant:
        now, by = self._host.clock.now(), request.created_by
        if verb == "override" and run.source_digest is None:
            raise RefusedError(f"{run.task} had not begun its effects: abort it, then retry")
        served = await served_release_ops(self._host, run, now, by)
        if verb == "override":
            after, text = RunState.SUCCEEDED, f"overridden by {by}: {reason}"
        else:
            after, text = RunState.FAILED, f"aborted by {by}: {reason}"
        writes = (
            ops.audit(now, by, f"decided-{verb}", run.id, reason=reason, was=run.state.value),
            *served,
            *self._leave(run, after, text, now, overridden=verb == "override"),
        )
        return _Grant(f"{run.task} is {after.value}: {text}", writes, (FollowUp(Then.SETTLE, run.key),))

    # -- the rest

    async def _verify(self, request: RequestRow) -> _Grant:
        run = await self._run(_text(request, "run"))
        reason = _required_reason(request)
        gate = self._host.workspace.gate(run.project, run.environment)
        if run.state is not RunState.SUCCEEDED or gate.kind is not GateKind.PRODUCTION:
            raise RefusedError(
                f"{run.task} is {run.state.value} in {run.environment}; "
                "only a production run that succeeded is verified"
            )
        if run.verified_at is not None:
            raise RefusedError(f"{run.task} was verified by {run.verified_by} already")
        now, by = self._host.clock.now(), request.created_by
        writes = (
            ops.update_run(run.id, run.epoch, verified_at=now, verified_by=by, verified_reason=reason),
            ops.audit(now, by, "verified", run.id, reason=reason),
            self._event(run, "verified", by=by, reason=reason),
        )
        return _Grant(f"{run.task} is verified", writes)

    async def _cancel(self, request: RequestRow) -> _Grant:
        run = await self._run(_text(request, "run"))
        now, by = self._host.clock.now(), request.created_by
        if run.state.final:
            raise RefusedError(f"{run.task} is {run.state.value} already")
        if run.state.undecided:
            raise RefusedError(f"{run.task} is {run.state.value}: decide it (revert, override or abort)")
        asked = ops.audit(now, by, "cancel-asked", run.id)
        if run.state in (RunState.PREFLIGHT, RunState.RUNNING):
            return _Grant(f"cancelling {run.task}", (asked,), (FollowUp(Then.CANCEL, run.key),))
        waiting = [
            ops.decide_approval(approval, ApprovalState.VOID, now, by, "cancelled")
            for approval in await self._host.read(self._host.reader.approvals_of, run.id)
            if approval.state is ApprovalState.WAITING
        ]
        if any(True for _ in waiting) and run.release is not None:
            raise RefusedError(f"{run.task} has effects: reject its rollback, then decide")
        writes = (asked, *waiting, *self._leave(run, RunState.CANCELLED, f"cancelled by {by}", now))
        return _Grant(f"cancelled {run.task}", writes, (FollowUp(Then.SETTLE, run.key),))

    async def _retry(self, request: RequestRow) -> _Grant:
        run = await self._run(_text(request, "run"))
        latest = await self._host.read(self._host.reader.latest_run, run.project, run.task)
        if latest is None or not latest.state.final:
            state = latest.state.value if latest else "unknown"
            raise RefusedError(f"{run.task} is {state}: only a finished task can run again")
        cap = request.payload.get("max_iterations") or self._host.workspace.settings.policy.max_iterations
        if isinstance(cap, int) and latest.attempt >= cap:
            raise RefusedError(
                f"{run.task} was attempted {latest.attempt} times, which is its max_iterations; "
                "raise max_iterations in its queue entry to try again"
            )
        now, by = self._host.clock.now(), request.created_by
        again = new_run(self._host, latest, attempt=latest.attempt + 1, by=by)
        writes = (
            ops.insert_run(again),
            ops.audit(now, by, "retry", again.id, after=latest.id),
            self._event(again, "run"),
            ops.send("echo", again.project, echo_payload(again, again.state, "", _iso(now)), now),
        )
        return _Grant(f"{run.task} runs again as {again.id}", writes, (FollowUp(Then.RETRY, run.key),))

    async def _start(self, request: RequestRow) -> _Grant:
        return self._queue(request, started=True)

    async def _pause(self, request: RequestRow) -> _Grant:
        return self._queue(request, started=False)

    def _queue(self, request: RequestRow, *, started: bool) -> _Grant:
        project = _text(request, "project")
        if project not in self._host.workspace.settings.projects:
            allowed = ", ".join(self._host.workspace.settings.projects) or "none is configured"
            raise RefusedError(f"there is no project {project!a}; allowed: {allowed}")
        number = request.payload.get("max_attempts")
        cap = number if isinstance(number, int) and started else None
        now, by = self._host.clock.now(), request.created_by
        verb = "started" if started else "paused"
        writes = (
            ops.set_queue(project, started=started, max_attempts=cap, at=now, by=by),
            ops.audit(now, by, f"queue-{verb}", project, max_attempts=cap),
            ops.event(now, "queue", project, state=verb, by=by),
        )
        then = Then.START if started else Then.PAUSE
        return _Grant(f"{verb} the queue of {project}", writes, (FollowUp(then, project, cap),))

    async def _reload(self, request: RequestRow) -> _Grant:
        project = _text(request, "project")
        return _Grant("read the queue files again", (), (FollowUp(Then.RELOAD, project),))

    # -- helpers

    async def _run(self, run_id: str) -> Run:
        run = await self._host.read(self._host.reader.run, run_id)
        if run is None:
            raise RefusedError(f"there is no run {run_id!a}; opconsole history lists them")
        return run

    async def _waiting(self, request: RequestRow) -> tuple[Approval, Run]:
        run = await self._run(_text(request, "run"))
        now = self._host.clock.now()
        for approval in await self._host.read(self._host.reader.approvals_of, run.id):
            if approval.state is ApprovalState.WAITING:
                if approval.expires_at is not None and approval.expires_at <= now:
                    raise RefusedError(f"the request for {run.task} has expired, which is a rejection")
                return approval, run
        raise RefusedError(f"{run.task} is {run.state.value}: it waits for nobody's approval")

    def _leave(
        self,
        run: Run,
        state: RunState,
        reason: str,
        now: datetime,
        *,
        keep_lock: bool = False,
        overridden: bool = False,
    ) -> tuple[Op | AuditOp, ...]:
        fields: dict[str, object] = {"state": state, "reason": reason}
        if state.final:
            fields["finished_at"] = now
        if overridden:
            fields["overridden"] = True
        writes: list[Op | AuditOp] = [
            ops.update_run(run.id, run.epoch, **fields),
            self._event(run, "run", state=state.value, reason=reason),
            ops.send("echo", run.project, echo_payload(run, state, reason, _iso(now)), now),
        ]
        if state.final and not keep_lock:
            writes.append(ops.free_lock(run))
        return tuple(writes)

    def _event(self, run: Run, name: str, *, state: str | None = None, **detail: object) -> Op:
        return ops.event(
            self._host.clock.now(),
            name,
            run.project,
            task=run.task,
            run=run.id,
            state=state or run.state.value,
            **{"environment": run.environment, **detail},
        )


def _text(request: RequestRow, name: str) -> str:
    payload: Mapping[str, object] = request.payload
    value = payload.get(name, "")
    return value.strip() if isinstance(value, str) else ""


def _required_reason(request: RequestRow) -> str:
    reason = _text(request, "reason")
    if not reason:
        raise RefusedError("a reason is needed; give one with --reason")
    return reason


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


def key_of(run: Run) -> TaskKey:
    """Name the run's task across the workspace."""
    return run.key
