"""Deciding: a person's revert, override or abort of a run that waits at a gate, halted or was interrupted."""

from __future__ import annotations

import asyncio
import secrets

from guardrails.gates import Action, GateFacts, decide
from opconsole.answers import (
    FollowUp,
    Grant,
    RefusedError,
    Then,
    check_approver,
    leave,
    reason_of,
    run_of,
    text_of,
)
from opconsole.host import Host
from opconsole.ids import new_approval_id
from opconsole.journal import ops
from opconsole.journal.records import Approval, ApprovalState, Phase, Purpose, RequestRow, Run, StepState
from opconsole.journal.writer import AuditOp, Op
from opconsole.rollback import revert_plan, way_to
from opconsole.runs import served_release_ops, steps_still_running
from opconsole.telling import told_of_entering
from queues.graph import Graph
from queues.queue_file import read_queue
from queues.states import RunState
from queues.tasks import TaskKind

VERBS = ("revert", "override", "abort")


async def decide_stuck(host: Host, request: RequestRow) -> Grant:
    """Answer a decision about a run that is halted or interrupted."""
    run, verb = await run_of(host, request), verb_of(request)
    check_approver(host, run, request.created_by)
    if not run.state.undecided:
        raise RefusedError(f"{run.task} is {run.state.value}: there is nothing to decide")
    still = await asyncio.to_thread(steps_still_running, host, run)
    if still:
        raise RefusedError(f"{still} of {run.task} still runs; wait for it to end, then decide")
    reason = reason_of(request)
    if verb == "revert":
        return await _revert(host, request, run, reason)
    return await _close(host, request, run, reason)


def verb_of(request: RequestRow) -> str:
    """Give the decision's verb, which must be one of the three."""
    verb = text_of(request, "verb")
    if verb not in VERBS:
        raise RefusedError(f"{verb!a} is no decision; allowed: {', '.join(VERBS)}")
    return verb


async def cascade_writes(host: Host, run: Run, by: str) -> tuple[tuple[Op | AuditOp, ...], list[str]]:
    """Give the rollback tasks for what the cascade before *run* changed and still serves, and where.

    They are ordinary tasks of the queue: each goes through its own environment's gate.
    """
    changed = await _changed_before(host, run)
    if not changed:
        return (), []
    now = host.clock.now()
    entries = [
        {
            "id": f"ROLLBACK-{one.environment.upper()}-{secrets.token_hex(3).upper()}",
            "description": f"Take {one.version} back from {one.environment}, as {by} decided at {run.task}",
            "status": "pending",
            "agent_type": TaskKind.ROLLBACK.value,
            "environment": one.environment,
        }
        for one in changed
    ]
    places = [one.environment for one in changed]
    writes = (
        ops.send("append", run.project, {"entries": entries}, now),
        ops.audit(now, by, "cascade-revert", run.id, environments=places),
    )
    return writes, places


async def _changed_before(host: Host, run: Run) -> list[Run]:
    """Find the deployments that *run* depended on and whose releases still serve."""
    workspace = host.workspace
    path = workspace.queue_path(run.project)
    environments = workspace.environments(run.project)
    file = await asyncio.to_thread(read_queue, path, project=run.project, environments=environments)
    graph = Graph(file.tasks)
    if run.key not in graph:
        return []
    changed = []
    for key in graph.ancestors(run.key):
        project, _, task = key.partition(":")
        before = await host.read(host.reader.latest_run, project, task)
        if before is None or before.kind != TaskKind.DEPLOYMENT or before.state is not RunState.SUCCEEDED:
            continue
        serving = await host.read(host.reader.current_release, project, before.environment)
        if project == run.project and serving is not None and serving.run == before.id:
            way = await way_to(host, before, None)
            if not way.problem:  # a first release has nothing to go back to
                changed.append(before)
    return sorted(changed, key=lambda one: one.seq, reverse=True)


async def _revert(host: Host, request: RequestRow, run: Run, reason: str) -> Grant:
    if not await _effects_begun(host, run):
        raise RefusedError(f"{run.task} has changed nothing that could be taken back; abort it")
    plan = await revert_plan(host, run)
    if plan.problem:
        raise RefusedError(f"there is no way back: {plan.problem}; override or abort")
    now, by = host.clock.now(), request.created_by
    gate = host.workspace.gate(run.project, run.environment)
    facts = GateFacts(succeeded_before=True, irreversible=plan.losses.data)
    decision = decide(gate, Action.ROLLBACK, facts)
    approval = Approval(
        id=new_approval_id(),
        run=run.id,
        purpose=Purpose.REVERT,
        digest=plan.plan.digest,
        plan=plan.plan.document,
        tier=int(decision.tier),
        why=(*decision.reasons, *plan.losses.said),
        state=ApprovalState.WAITING,
        requested_at=host.clock.decides(),
        requested_by=by,
    )
    asked = f"{run.reason}; {by} asked to revert it: {reason}"
    writes: list[Op | AuditOp] = [
        ops.insert_approval(approval),
        ops.audit(now, by, "decided-revert", run.id, reason=reason, digest=approval.digest),
        *leave(host, run, RunState.WAITING, asked),
    ]
    if decision.approval:
        text = f"the rollback of {run.task} waits for approval of plan {plan.plan.short}"
        writes += told_of_entering(host, run, RunState.WAITING, asked)
        return Grant(text, tuple(writes))
    writes.append(ops.decide_approval(approval, ApprovalState.APPROVED, now, by, reason))
    return Grant(f"rolling {run.task} back", tuple(writes), (FollowUp(Then.RESUME, run.key),))


async def _close(host: Host, request: RequestRow, run: Run, reason: str) -> Grant:
    """Override or abort: nothing more is run."""
    now, by, verb = host.clock.now(), request.created_by, verb_of(request)
    override = verb == "override"
    if override and not await _effects_begun(host, run):
        raise RefusedError(f"{run.task} had not begun its effects: abort it, then retry")
    after = RunState.SUCCEEDED if override else RunState.FAILED
    text = f"{'overridden' if override else 'aborted'} by {by}: {reason}"
    writes = (
        ops.audit(now, by, f"decided-{verb}", run.id, reason=reason, was=run.state.value),
        *await served_release_ops(host, run, now, by),
        *leave(host, run, after, f"{text} (it was {run.state.value}: {run.reason})", overridden=override),
    )
    return Grant(f"{run.task} is {after.value}: {text}", writes, (FollowUp(Then.SETTLE, run.key),))


async def _effects_begun(host: Host, run: Run) -> bool:
    return any(
        step.phase is not Phase.PREFLIGHT
        and step.name != "compare"
        and step.state not in (StepState.PENDING, StepState.SKIPPED)
        for step in await host.read(host.reader.steps, run.id)
    )
