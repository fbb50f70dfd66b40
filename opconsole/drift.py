"""Drift: what of a plan that waits has changed since it was sealed, as far as that is seen without a program.

The whole plan is derived again under the lock. This earlier look spares a person the approval of a plan that
cannot be carried out any more.
"""

from __future__ import annotations

import asyncio

from opconsole.answers import FollowUp, RefusedError, Then, leave
from opconsole.basis import policy_of, programs_of
from opconsole.host import Host
from opconsole.journal import ops
from opconsole.journal.records import Approval, ApprovalState, Run
from opconsole.plans import differences, entry_digest
from queues.queue_file import read_queue
from queues.states import RunState
from queues.tasks import Task


async def drift_of(host: Host, run: Run, approval: Approval) -> list[str]:
    """Say in sentences what changed of the queue entry, the policy and the programs of a plan that waits."""
    old = approval.plan
    new: dict[str, object] = {}
    task = await _entry(host, run)
    if "entry" in old:
        new["entry"] = entry_digest(task) if task else None
    if "policy" in old:
        new["policy"] = policy_of(
            host, run.project, run.environment, asks=bool(task and task.requires_approval)
        )
    programs = old.get("programs")
    if isinstance(programs, dict):
        words = [[str(word) for word in programs]]
        new["programs"] = await asyncio.to_thread(programs_of, host.workspace.root, words)
    return differences({name: old[name] for name in new}, new)


def drifted(host: Host, run: Run, approval: Approval, changed: list[str], by: str) -> RefusedError:
    """Refuse to decide about a plan that changed: its request is void, and the run asks anew."""
    now, what = host.clock.now(), "; ".join(changed)
    reason = f"the plan changed: {what}"
    writes = (
        ops.decide_approval(approval, ApprovalState.VOID, now, by, reason),
        ops.audit(now, by, "plan-changed", run.id, changes=changed),
        ops.event(
            now,
            "plan-changed",
            run.project,
            task=run.task,
            run=run.id,
            detail={"environment": run.environment, "changes": changed},
        ),
        ops.skip_pending(run.id, now),
        *leave(host, run, RunState.PENDING, reason),
    )
    text = f"{reason}; nothing was decided: look at the plan that is asked for next"
    return RefusedError(text, writes, (FollowUp(Then.RESUME, run.key),))


async def _entry(host: Host, run: Run) -> Task | None:
    workspace = host.workspace
    path, environments = workspace.queue_path(run.project), workspace.environments(run.project)
    file = await asyncio.to_thread(read_queue, path, project=run.project, environments=environments)
    if file.unusable:  # an editor may be about to save it: the plan and the votes on it stay
        raise RefusedError(
            f"the queue file {path.name} cannot be used now, so nobody can tell whether the entry is still "
            f"what was planned; nothing was decided: mend it, then approve again ({file.errors[0].message})"
        )
    return next((task for task in file.tasks if task.id == run.task), None)
