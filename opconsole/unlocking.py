"""Unlocking: a person vouches that nothing works any more on the run that holds an environment.

The run becomes interrupted and keeps the environment; revert, override or abort then leads on. Nobody is
believed about what can be seen: while anything of the run provably lives, it is refused.
"""

from __future__ import annotations

import asyncio

from opconsole.answers import FollowUp, Grant, RefusedError, Then, check_approver, reason_of, text_of
from opconsole.clock import iso
from opconsole.foreign_holds import break_foreign_hold
from opconsole.host import Host
from opconsole.journal import ops
from opconsole.journal.records import LockRow, RequestRow, Run
from opconsole.locking import executor_words, within_sight
from opconsole.recovery import interrupt
from opconsole.runs import steps_still_running
from queues.states import RunState


async def unlock(host: Host, request: RequestRow) -> Grant:
    """Answer a request to take an environment from an executor that is gone."""
    if text_of(request, "foreign"):
        return await break_foreign_hold(host, request)
    project, environment = text_of(request, "project"), text_of(request, "environment")
    reason, by = reason_of(request), request.created_by
    lock = await host.read(host.reader.lock, project, environment)
    if lock is None or lock.run is None:
        raise RefusedError(f"nothing holds {environment} of {project}")
    run = await host.read(host.reader.run, lock.run)
    if run is None:
        raise RefusedError(f"{environment} of {project} is held by run {lock.run}, which the journal lost")
    check_approver(host, run, by)
    await _refuse_alive(host, run, lock)
    why = f"{by} vouched that {executor_words(lock.executor or run.executor)} is gone: {reason}"
    writes = (
        ops.audit(
            host.clock.now(),
            by,
            "lock-broken",
            run.id,
            project=project,
            environment=environment,
            reason=reason,
            executor=dict(lock.executor or run.executor),
            acquired_at=iso(lock.acquired_at),
            lease_until=iso(lock.lease_until),
        ),
        *await interrupt(host, run, why),
    )
    text = f"{run.task} is interrupted and keeps {environment}; now decide it: revert, override or abort"
    return Grant(text, writes, (FollowUp(Then.SETTLE, run.key),))


async def _refuse_alive(host: Host, run: Run, lock: LockRow) -> None:
    """Refuse where the holder lives, or where something else than unlocking is to be done."""
    if run.state.undecided:
        raise RefusedError(
            f"{run.task} holds {run.environment} and is {run.state.value}: nobody works on it; "
            f"decide it (opconsole decide {run.task} revert|override|abort)"
        )
    if run.state is RunState.WAITING:
        raise RefusedError(
            f"the rollback of {run.task} holds {run.environment} and waits for its approval: "
            "approve or reject it"
        )
    if run.id in host.at_work:
        raise RefusedError(f"{run.task} is being worked on here; cancel it: opconsole cancel {run.task}")
    still = await asyncio.to_thread(steps_still_running, host, run)
    if still:
        raise RefusedError(f"{still} of {run.task} still runs; wait for it to end, or cancel {run.task}")
    executor = lock.executor or run.executor
    if not within_sight(executor, host.executor) and not lock.expired:
        raise RefusedError(
            f"{executor_words(executor)} may be alive: its lease lasts until {iso(lock.lease_until)}; "
            "look there, and ask again after that"
        )
