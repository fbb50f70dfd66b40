"""Freezes: what keeps a run from beginning its effects for now, by a person's switch or by the calendar."""

from __future__ import annotations

from opconsole.answers import FollowUp, Grant, RefusedError, Then, reason_of
from opconsole.clock import iso
from opconsole.host import Host
from opconsole.ids import new_approval_id
from opconsole.journal import ops
from opconsole.journal.deciding_ops import EVERYTHING, set_switch
from opconsole.journal.records import Approval, ApprovalState, Purpose, RequestRow, Run
from opconsole.journal.writer import AuditOp, Op
from queues.states import RunState


async def paused(host: Host) -> str | None:
    """Say who froze everything, since when and why; None while nobody did."""
    switch = await host.read(host.reader.switch, EVERYTHING)
    if switch is None:
        return None
    return f"{switch.changed_by} froze everything at {iso(switch.changed_at)}: {switch.reason}"


async def frozen_by_calendar(host: Host, run: Run) -> str | None:
    """Say which window of the calendar freezes the run's environment now; None outside of all.

    By the machine's clock and by the time that decides: setting the clock ends no window, and skips none.
    """
    moments = (host.clock.now(), host.clock.decides())
    found = (host.workspace.freeze(run.project, run.environment, moment) for moment in moments)
    freeze = next((one for one in found if one is not None), None)
    return None if freeze is None else f"{run.environment} is {freeze}"


def override_of(host: Host, run: Run, why: str, tier: int) -> Approval:
    """Make the request not to wait for the end of a freeze, for exactly this plan."""
    return Approval(
        id=new_approval_id(),
        run=run.id,
        purpose=Purpose.FREEZE,
        digest=run.plan_digest or "",
        plan=run.plan or {},
        tier=tier,
        why=(why,),
        state=ApprovalState.WAITING,
        requested_at=host.clock.decides(),
        requested_by=run.requested_by,
    )


async def freeze(host: Host, request: RequestRow) -> Grant:
    """Let no effect begin anywhere. Anybody may: to stop is never harder than to go on."""
    return await _turn(host, request, on=True)


async def unfreeze(host: Host, request: RequestRow) -> Grant:
    """Let effects begin again, and let those go on that waited for it."""
    names = {
        name
        for project in host.workspace.settings.projects
        for place in host.workspace.environments(project)
        for name in host.workspace.approvers(project, place)
    }
    if names and request.created_by not in names:
        raise RefusedError(f"{request.created_by} may not unfreeze; allowed: {', '.join(sorted(names))}")
    return await _turn(host, request, on=False)


async def _turn(host: Host, request: RequestRow, *, on: bool) -> Grant:
    now, by, reason = host.clock.now(), request.created_by, reason_of(request)
    stands = await paused(host)
    if on == (stands is not None):
        raise RefusedError(f"it is frozen already: {stands}" if on else "nothing is frozen by a person")
    word = "frozen" if on else "unfrozen"
    writes: list[Op | AuditOp] = [
        set_switch(EVERYTHING, on=on, at=now, by=by, reason=reason),
        ops.audit(now, by, word, "everything", reason=reason),
        *(ops.event(now, word, project, detail={"by": by, "reason": reason}) for project in _projects(host)),
    ]
    if on:
        return Grant("everything is frozen: no effect begins until somebody unfreezes it", tuple(writes))
    held = [FollowUp(Then.RESUME, run.key) for run in await held_runs(host)]
    runs = f"{len(held)} run{'s go' if len(held) > 1 else ' goes'} on" if held else "nothing waited for it"
    return Grant(f"unfrozen; {runs}", tuple(writes), tuple(held))


async def held_runs(host: Host) -> list[Run]:
    """Give the runs that wait for nobody's approval, and so for the end of a freeze."""
    found = []
    for run in await host.read(host.reader.open_runs):
        if run.state is RunState.WAITING:
            approvals = await host.read(host.reader.approvals_of, run.id)
            if not any(one.state is ApprovalState.WAITING for one in approvals):
                found.append(run)
    return found


async def thaw(host: Host) -> list[FollowUp]:
    """Let the runs go on whose window of the calendar is over."""
    follow_ups = []
    for approval in await host.read(host.reader.waiting_approvals):
        if approval.purpose is not Purpose.FREEZE:
            continue
        run = await host.read(host.reader.run, approval.run)
        if run is None or await frozen_by_calendar(host, run) is not None:
            continue
        now = host.clock.now()
        await host.journal.commit(
            ops.decide_approval(approval, ApprovalState.VOID, now, "the calendar", "the freeze is over"),
            ops.audit(now, host.operator, "freeze-over", run.id, digest=approval.digest),
        )
        follow_ups.append(FollowUp(Then.RESUME, run.key))
    return follow_ups


def _projects(host: Host) -> list[str]:
    return list(host.workspace.settings.projects)
