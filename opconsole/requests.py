"""Requests: what a person asks of a run, judged by the rules and answered into the journal.

Each answer is one submission: the request's own answer, the change it makes, its audit entry and its
event. What the engine must do afterwards (go on with a run, stop one) comes back as follow-ups; whoever
answers without an engine starts no effect and drops them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from guardrails.environments import GateKind
from opconsole.answers import (
    FollowUp,
    Grant,
    RefusedError,
    Reply,
    Then,
    event_of,
    leave,
    reason_of,
    run_of,
    stamp,
    text_of,
)
from opconsole.approving import approve, expire, reject
from opconsole.attempt import echo_payload
from opconsole.deciding import cascade_writes, decide_stuck, verb_of
from opconsole.freezing import freeze, thaw, unfreeze
from opconsole.host import Host
from opconsole.journal import ops
from opconsole.journal.errors import StaleEpochError
from opconsole.journal.records import ApprovalState, RequestKind, RequestRow, Run
from opconsole.journal.writer import AuditOp, Op
from opconsole.outcomes import has_effects
from opconsole.policy_deciding import approve_policy, reject_policy
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
            RequestKind.FREEZE: self._freeze,
            RequestKind.UNFREEZE: self._unfreeze,
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
            return await self._refuse(request, str(refusal), refusal.writes, refusal.follow_ups)
        now = self._host.clock.now()
        await self._host.journal.commit(
            ops.answer_request(request.id, now, granted=True, answer=grant.text), *grant.writes
        )
        if grant.policy is not None:
            self._host.in_force = self._host.in_force.after(grant.policy)
        return Reply(granted=True, text=grant.text, follow_ups=grant.follow_ups)

    async def _refuse(
        self,
        request: RequestRow,
        why: str,
        writes: Sequence[Op | AuditOp] = (),
        follow_ups: Sequence[FollowUp] = (),
    ) -> Reply:
        now = self._host.clock.now()
        about = text_of(request, "run") or text_of(request, "policy")
        await self._host.journal.commit(
            ops.answer_request(request.id, now, granted=False, answer=why),
            ops.audit(
                now, request.created_by, f"{request.kind}-refused", request.id, reason=why, about=about
            ),
            *writes,
        )
        return Reply(granted=False, text=why, follow_ups=tuple(follow_ups))

    async def _unknown(self, request: RequestRow) -> Grant:
        raise RefusedError(
            f"whoever hosts the engine runs an opconsole that does not know what {request.id} asks; end it "
            "(opconsole worker --stop) and ask again"
        )

    async def expire(self) -> list[FollowUp]:
        """Reject what has waited longer than its gate allows, and end freezes that are over."""
        return [*await expire(self._host), *await thaw(self._host)]

    # -- approving and rejecting

    async def _approve(self, request: RequestRow) -> Grant:
        if text_of(request, "policy"):
            return await approve_policy(self._host, request)
        return await approve(self._host, request)

    async def _reject(self, request: RequestRow) -> Grant:
        if text_of(request, "policy"):
            return await reject_policy(self._host, request)
        return await reject(self._host, request)

    async def _freeze(self, request: RequestRow) -> Grant:
        return await freeze(self._host, request)

    async def _unfreeze(self, request: RequestRow) -> Grant:
        return await unfreeze(self._host, request)

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
