"""Recovery: what is said of runs that the process that worked on them left behind.

Nothing is guessed: such a run is interrupted, and a person decides. (Adopting steps that still run comes
with the worker.)
"""

from __future__ import annotations

from opconsole.attempt import echo_payload
from opconsole.host import Host
from opconsole.journal import ops
from opconsole.journal.records import Run, StepState
from opconsole.journal.writer import AuditOp, Op
from opconsole.runs import steps_still_running
from queues.states import RunState

LEFT_BEHIND = frozenset({RunState.PREFLIGHT, RunState.RUNNING})


async def recover(host: Host) -> list[Run]:
    """Mark the runs that were being worked on as interrupted, and give them as they were."""
    left = [run for run in await host.read(host.reader.open_runs) if run.state in LEFT_BEHIND]
    for run in left:
        await host.journal.commit(*await _interrupt(host, run))
    return left


async def _interrupt(host: Host, run: Run) -> list[Op | AuditOp]:
    now = host.clock.now()
    steps = await host.read(host.reader.steps, run.id)
    begun = [step for step in steps if step.state is StepState.RUNNING]
    still = await host.read(steps_still_running, host, run)
    where = f"in step {begun[-1].name}" if begun else "between two steps"
    reason = f"the process that worked on it ended {where}"
    if still:
        reason += f"; {still} still runs"
    writes: list[Op | AuditOp] = [
        ops.update_run(run.id, run.epoch, state=RunState.INTERRUPTED, reason=reason, epoch=run.epoch + 1),
        ops.audit(now, host.operator, "run-interrupted", run.id, reason=reason),
        ops.event(
            now,
            "run",
            run.project,
            task=run.task,
            run=run.id,
            state=RunState.INTERRUPTED.value,
            detail={"reason": reason, "environment": run.environment},
        ),
        ops.send(
            "echo",
            run.project,
            echo_payload(run, RunState.INTERRUPTED, reason, now.isoformat(timespec="seconds")),
            now,
        ),
    ]
    writes += [
        ops.end_step(run.id, step.position, StepState.INTERRUPTED, now, detail=reason) for step in begun
    ]
    return writes
