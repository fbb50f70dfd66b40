"""Requests: what a person asks of a run, judged by the rules and answered into the journal.

Each answer is one submission: the request's own answer, the change it makes, its audit entry and its
event. What the engine must do afterwards (go on with a run, stop one) comes back as follow-ups; whoever
answers without an engine starts no effect and drops them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from guardrails.environments import GateKind
from guardrails.gates import Tier
from opconsole.answers import (
    FollowUp,
    Grant,
    RefusedError,
    Reply,
    Then,
    approvers_of,
    check_approver,
    event_of,
    leave,
    reason_of,
    run_of,
    stamp,
    text_of,
)
from opconsole.attempt import echo_payload
from opconsole.deciding import cascade_writes, decide_stuck, verb_of
from opconsole.host import Host
from opconsole.journal import ops
from opconsole.journal.errors import StaleEpochError
from opconsole.journal.records import Approval, ApprovalState, Purpose, RequestKind, RequestRow, Run
from opconsole.journal.writer import AuditOp, Op
from opconsole.outcomes import has_effects
from opconsole.runs import new_run
from opconsole.unlocking import unlock
from queues.queue_file import read_queue
from queues.states import RunState
from queues.tasks import FileStatus, Task

JUDGED_AGAIN = 5
"""How often a request is judged whose ground moves while it is being answered."""


class Answerer:
    """Answers requests. Whoever holds the host lock has one."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._answers: dict[RequestKind, Callable[[RequestRow], Awaitable[Grant]]] = {
            RequestKind.APPROVE: self._approve,
            RequestKind.REJECT: self._reject,
            RequestKind.DECIDE: self._decide,
            RequestKind.VERIFY: self._verify,
            RequestKind.CANCEL: self._cancel,
            RequestKind.RETRY: self._retry,
            RequestKind.START: self._start,
            RequestKind.PAUSE: self._pause,
            RequestKind.RELOAD: self._reload,
            RequestKind.PRUNE: self._prune,
            RequestKind.UNLOCK: partial(unlock, host),
            RequestKind.UNKNOWN: self._unknown,
        }

    async def answer(self, request: RequestRow) -> Reply:
        """Judge a request and write the answer, with all it changes, into the journal."""
        for _ in range(JUDGED_AGAIN):
            known = await self._host.read(self._host.reader.request, request.id)
            if known is not None and known.answered_at is not None:  # asked twice under one id
                return Reply(granted=bool(known.granted), text=known.answer or "")
            with contextlib.suppress(StaleEpochError):  # what it rests on has moved on: judge it again
                return await self._judge(request)
        return await self._refuse(request, "what this is about changes all the time; look, and ask again")

    async def _judge(self, request: RequestRow) -> Reply:
        try:
            grant = await self._answers[request.kind](request)
        except RefusedError as refusal:
            return await self._refuse(request, str(refusal))
        now = self._host.clock.now()
        await self._host.journal.commit(
            ops.answer_request(request.id, now, granted=True, answer=grant.text), *grant.writes
        )
        return Reply(granted=True, text=grant.text, follow_ups=grant.follow_ups)

    async def _refuse(self, request: RequestRow, why: str) -> Reply:
        now = self._host.clock.now()
        await self._host.journal.commit(
            ops.answer_request(request.id, now, granted=False, answer=why),
            ops.audit(now, request.created_by, f"{request.kind}-refused", request.id, reason=why),
        )
        return Reply(granted=False, text=why)

    async def _unknown(self, request: RequestRow) -> Grant:
        raise RefusedError(
            f"whoever hosts the engine runs an opconsole that does not know what {request.id} asks; end it "
            "(opconsole worker --stop) and ask again"
        )

    async def expire(self) -> list[FollowUp]:
        """Reject what has waited longer than its gate allows."""
        now = self._host.clock.now()
        follow_ups: list[FollowUp] = []
        for approval in await self._host.read(self._host.reader.waiting_approvals):
            run = await self._host.read(self._host.reader.run, approval.run)
            if run is not None and approval.expires_at is not None and approval.expires_at <= now:
                answer = _No(ApprovalState.EXPIRED, "nobody", "no answer came in time")
                await self._host.journal.commit(*self._no(approval, run, answer, now))
                follow_ups.append(FollowUp(Then.SETTLE, run.key))
        return follow_ups

    # -- approving and rejecting

    async def _approve(self, request: RequestRow) -> Grant:
        approval, run = await self._waiting(request)
        now, by = self._host.clock.now(), request.created_by
        if approval.digest != text_of(request, "plan"):
            raise RefusedError(
                f"the plan is not the one you name: it is {approval.digest}; look at it again, then decide"
            )
        check_approver(self._host, run, by, named=_named(approval))
        self._check_tier(approval, run, request, now)
        reason = text_of(request, "reason")
        writes = (
            ops.decide_approval(approval, ApprovalState.APPROVED, now, by, reason or None),
            ops.audit(
                now, by, "approved", run.id, digest=approval.digest, purpose=approval.purpose, reason=reason
            ),
            event_of(self._host, run, "approved", by=by, reason=reason, digest=approval.digest),
        )
        text = f"approved {run.task} for {run.environment}"
        return Grant(text, writes, (FollowUp(Then.RESUME, run.key),))

    def _check_tier(self, approval: Approval, run: Run, request: RequestRow, now: datetime) -> None:
        """Hold an approval to what its tier asks of a person."""
        if approval.tier >= Tier.REASONED:
            typed = text_of(request, "environment")
            if not text_of(request, "reason"):
                raise RefusedError("this approval needs a reason; give one with --reason")
            if typed != run.environment:
                raise RefusedError(
                    f"this approval needs the environment's name typed out; found {typed!a}, "
                    f"expected {run.environment!a} (--environment {run.environment})"
                )
        if approval.tier < Tier.SECOND_PERSON:
            return
        if len(approvers_of(self._host, run)) > 1:
            if request.created_by == approval.requested_by:
                raise RefusedError(
                    f"this needs a second person: {approval.requested_by} asked for it, another must approve"
                )
            return
        wait = timedelta(seconds=self._host.workspace.settings.approvals.break_glass_wait)
        left = (approval.requested_at + wait - now).total_seconds()
        if left > 0:
            raise RefusedError(
                f"there is no second person here, so this can be approved in {left:.0f} s, with a reason; "
                "it will be announced"
            )

    async def _reject(self, request: RequestRow) -> Grant:
        approval, run = await self._waiting(request)
        check_approver(self._host, run, request.created_by)
        answer = _No(ApprovalState.REJECTED, request.created_by, reason_of(request))
        writes = self._no(approval, run, answer, self._host.clock.now())
        return Grant(f"rejected {run.task}: {answer.reason}", writes, (FollowUp(Then.SETTLE, run.key),))

    def _no(self, approval: Approval, run: Run, answer: _No, now: datetime) -> tuple[Op | AuditOp, ...]:
        """Give the writes of a rejection: of the run, or only of taking its effects back."""
        if approval.purpose is Purpose.REVERT:
            after, text = RunState.HALTED, f"{run.reason}; {answer.by} rejected that: {answer.reason}"
        else:
            after, text = RunState.REJECTED, f"{answer.state.value} by {answer.by}: {answer.reason}"
        return (
            ops.decide_approval(approval, answer.state, now, answer.by, answer.reason),
            ops.audit(
                now, answer.by, answer.state.value, run.id, digest=approval.digest, reason=answer.reason
            ),
            *leave(self._host, run, after, text),
        )

    async def _decide(self, request: RequestRow) -> Grant:
        """Answer revert, override or abort; at a gate these are to reject, to approve and to reject."""
        run, verb = await run_of(self._host, request), verb_of(request)
        if run.state is not RunState.WAITING:
            return await decide_stuck(self._host, request)
        if verb == "override":
            raise RefusedError(
                "at a gate, override is to approve: approve the plan by its digest "
                f"(opconsole approve {run.task} --plan …)"
            )
        rejected = await self._reject(request)
        if verb == "abort":
            return rejected
        writes, places = await cascade_writes(self._host, run, request.created_by)
        more = f"; rollbacks added for {', '.join(places)}" if places else "; there is nothing to go back to"
        return Grant(
            rejected.text + more,
            (*rejected.writes, *writes),
            (*rejected.follow_ups, FollowUp(Then.RELOAD, run.project)),
        )

    # -- the rest

    async def _verify(self, request: RequestRow) -> Grant:
        run, reason = await run_of(self._host, request), reason_of(request)
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
            event_of(self._host, run, "verified", by=by, reason=reason),
        )
        return Grant(f"{run.task} is verified", writes)

    async def _cancel(self, request: RequestRow) -> Grant:
        run = await run_of(self._host, request)
        now, by = self._host.clock.now(), request.created_by
        if run.state.final:
            raise RefusedError(f"{run.task} is {run.state.value} already")
        if run.state.undecided:
            raise RefusedError(f"{run.task} is {run.state.value}: decide it (revert, override or abort)")
        if has_effects(run):
            raise RefusedError(f"{run.task} has effects: reject its rollback, then decide")
        asked = ops.audit(now, by, "cancel-asked", run.id)
        if run.state in (RunState.PREFLIGHT, RunState.RUNNING):
            # In the journal, so that the next process goes on with the cancel and not with the run.
            under_way = ops.update_run(run.id, run.epoch, cancel_at=now, cancel_by=by)
            told = event_of(self._host, run, "cancelling", by=by)
            return Grant(
                f"cancelling {run.task}", (asked, under_way, told), (FollowUp(Then.CANCEL, run.key),)
            )
        voids = [
            ops.decide_approval(approval, ApprovalState.VOID, now, by, "cancelled")
            for approval in await self._host.read(self._host.reader.approvals_of, run.id)
            if approval.state is ApprovalState.WAITING
        ]
        writes = (asked, *voids, *leave(self._host, run, RunState.CANCELLED, f"cancelled by {by}"))
        return Grant(f"cancelled {run.task}", writes, (FollowUp(Then.SETTLE, run.key),))

    async def _retry(self, request: RequestRow) -> Grant:
        run = await run_of(self._host, request)
        latest = await self._host.read(self._host.reader.latest_run, run.project, run.task)
        if latest is None or not latest.state.final:
            state = latest.state.value if latest else "unknown"
            raise RefusedError(f"{run.task} is {state}: only a finished task can run again")
        if latest.state is RunState.SUCCEEDED and not await self._set_back(latest):
            raise RefusedError(
                f"{run.task} succeeded: running it again could bring an older version back; add a new task, "
                "or set its status in the queue file to pending first"
            )
        if latest.attempt >= await self._cap(latest):
            raise RefusedError(
                f"{run.task} was attempted {latest.attempt} times, which is its max_iterations; "
                "raise max_iterations in its queue entry to try again"
            )
        now, by = self._host.clock.now(), request.created_by
        again = new_run(self._host, latest, attempt=latest.attempt + 1, by=by)
        writes = (
            ops.insert_run(again),
            ops.audit(now, by, "retry", again.id, after=latest.id),
            event_of(self._host, again, "run"),
            ops.send("echo", again.project, echo_payload(again, again.state, "", stamp(now)), now),
        )
        return Grant(f"{run.task} runs again as {again.id}", writes, (FollowUp(Then.RETRY, run.key),))

    async def _cap(self, run: Run) -> int:
        """Give how often a task may be attempted: its entry's max_iterations, else the policy's."""
        task = await self._entry(run)
        own = task.max_iterations if task else None
        return own or self._host.workspace.settings.policy.max_iterations

    async def _set_back(self, run: Run) -> bool:
        """Say whether somebody set the task back to pending in its queue file, over a success."""
        task = await self._entry(run)
        return task is not None and task.status is FileStatus.PENDING

    async def _entry(self, run: Run) -> Task | None:
        workspace = self._host.workspace
        path, environments = workspace.queue_path(run.project), workspace.environments(run.project)
        if not await asyncio.to_thread(path.exists):
            return None
        file = await asyncio.to_thread(read_queue, path, project=run.project, environments=environments)
        return next((task for task in file.tasks if task.id == run.task), None)

    async def _start(self, request: RequestRow) -> Grant:
        return self._queue(request, started=True)

    async def _pause(self, request: RequestRow) -> Grant:
        return self._queue(request, started=False)

    def _queue(self, request: RequestRow, *, started: bool) -> Grant:
        project = text_of(request, "project")
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
            ops.event(now, "queue", project, state=verb, detail={"by": by}),
        )
        then = Then.START if started else Then.PAUSE
        return Grant(f"{verb} the queue of {project}", writes, (FollowUp(then, project, cap),))

    async def _reload(self, request: RequestRow) -> Grant:
        project = text_of(request, "project")
        asked = ops.audit(self._host.clock.now(), request.created_by, "queue-reloaded", project[:64])
        return Grant("the queue files are read again", (asked,), (FollowUp(Then.RELOAD, project),))

    async def _prune(self, request: RequestRow) -> Grant:
        follow_up = FollowUp(Then.PRUNE, request.created_by)
        return Grant(
            "what nothing needs any more is removed; `opconsole audit show` says what", (), (follow_up,)
        )

    async def _waiting(self, request: RequestRow) -> tuple[Approval, Run]:
        run = await run_of(self._host, request)
        now = self._host.clock.now()
        for approval in await self._host.read(self._host.reader.approvals_of, run.id):
            if approval.state is ApprovalState.WAITING:
                if approval.expires_at is not None and approval.expires_at <= now:
                    raise RefusedError(f"the request for {run.task} has expired, which is a rejection")
                return approval, run
        raise RefusedError(f"{run.task} is {run.state.value}: it waits for nobody's approval")


def _named(approval: Approval) -> tuple[str, ...]:
    """Give the approvers that the task names, as its plan has them."""
    names = approval.plan.get("named_approvers")
    return tuple(str(name) for name in names) if isinstance(names, list) else ()


@dataclass(frozen=True, slots=True)
class _No:
    state: ApprovalState
    by: str
    reason: str
