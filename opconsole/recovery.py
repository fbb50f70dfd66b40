"""Recovery: what a process left behind when it died, and runs that nobody can go on with."""

from __future__ import annotations

import asyncio

from opconsole.answers import leave
from opconsole.attempt import AT_WORK
from opconsole.handing import forget, left_behind, tidy
from opconsole.host import Host
from opconsole.journal import ops
from opconsole.journal.records import Run, StepState
from opconsole.journal.writer import AuditOp, Op
from opconsole.programs import TraceState, trace
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


async def forget_files(host: Host) -> None:
    """Remove the files with secrets of programs that are over: whoever should have was killed as well.

    The caller holds the host lock and has started nothing yet. What still runs keeps its own.
    """

    def clear() -> None:
        for files in left_behind(host.place):
            own = host.run_folder(files.parent.name)
            traces = [trace(own / kind / files.name) for kind in ("steps", "looks")]
            if all(one.state is not TraceState.RUNNING for one in traces):
                forget(files)
        tidy(host.place)

    await asyncio.to_thread(clear)


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
