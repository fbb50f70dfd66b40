"""Recovery: saying that a run is interrupted when nobody can go on with it."""

from __future__ import annotations

from opconsole.answers import leave
from opconsole.attempt import AT_WORK
from opconsole.host import Host
from opconsole.journal import ops
from opconsole.journal.records import Run, StepState
from opconsole.journal.writer import AuditOp, Op
from opconsole.runs import steps_still_running
from queues.states import RunState

LEFT_BEHIND = AT_WORK
"""States of a run that was left behind when no process works on it."""


async def interrupt_left_behind(host: Host, run_id: str) -> None:
    """Call a run interrupted that nobody works on, because a person wants to decide about it now.

    Whoever hosts the engine next would go on with it; the caller holds the host lock, so nobody does.
    """
    run = await host.read(host.reader.run, run_id)
    if run is not None and run.state in LEFT_BEHIND:
        await host.journal.commit(*await interrupt(host, run, "the process that worked on it ended"))


async def interrupt(host: Host, run: Run, why: str) -> list[Op | AuditOp]:
    """Give the writes that call a run interrupted, which lets a person decide about it."""
    now = host.clock.now()
    steps = await host.read(host.reader.steps, run.id)
    begun = [step for step in steps if step.state is StepState.RUNNING]
    still = await host.read(steps_still_running, host, run)
    where = f"in step {begun[-1].name}" if begun else "between two steps"
    reason = f"{why} ({where}{f'; {still} still runs' if still else ''})"
    writes: list[Op | AuditOp] = [
        *leave(host, run, RunState.INTERRUPTED, reason, epoch=run.epoch + 1),
        ops.audit(now, host.operator, "run-interrupted", run.id, reason=reason),
        ops.skip_pending(run.id, now),
    ]
    ends = (ops.end_step(run.id, step.position, StepState.INTERRUPTED, now, detail=reason) for step in begun)
    return [*writes, *ends]
