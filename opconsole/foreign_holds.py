"""Breaking a foreign hold: a person vouches that another workspace's run, which a target names, is gone.

Two clones of a workspace exclude each other by the holder that the target itself names. When the other clone
is gone, only a person can know. The record keeps whose hold was broken: should it come back, it is refused.
"""

from __future__ import annotations

import asyncio
import re

from opconsole.answers import Grant, RefusedError, check_may_decide, reason_of, text_of
from opconsole.host import Host
from opconsole.journal import ops
from opconsole.journal.hosting import holder as host_of
from opconsole.journal.hosting import host_alive
from opconsole.journal.location import known_here
from opconsole.journal.records import RequestRow
from opconsole.runs import step_still_running
from opconsole.steps import StepFailed
from opconsole.targeting import record_of
from opconsole.targets.base import Holder
from opconsole.targets.record import Record, RecordFile
from opconsole.threads import to_the_end

_RUN = re.compile(r"[A-Za-z0-9-]{1,64}")


async def break_foreign_hold(host: Host, request: RequestRow) -> Grant:
    """Answer a request to take a target from the run of another workspace, which the request names."""
    project, environment = text_of(request, "project"), text_of(request, "environment")
    named, reason, by = text_of(request, "foreign"), reason_of(request), request.created_by
    record = _record_file(host, project, environment)
    check_may_decide(host, project, environment, by)
    found = await asyncio.to_thread(_read, record)
    if found.holder is None or found.holder.run != named:
        if any(one.run == named and one.journal_id != host.place.id for one in found.broken):
            return Grant(_broken_words(named, environment))
        raise RefusedError(_not_held_words(found.holder, named, environment))
    if found.holder.journal_id == host.place.id:
        raise RefusedError(
            f"run {named} is of this workspace; opconsole unlock {project} {environment} is about it "
            "without --foreign"
        )
    await asyncio.to_thread(_refuse_alive, found.holder)
    # Before the hold is broken: nothing is done that no record tells of.
    await host.journal.commit(
        ops.audit(
            host.clock.now(),
            by,
            "foreign-hold-broken",
            named,
            project=project,
            environment=environment,
            reason=reason,
            journal=found.holder.journal_id,
            fence=found.holder.fence,
        )
    )
    if not await to_the_end(_break, record, found.holder):
        raise RefusedError(
            f"another run took {environment} meanwhile, nothing was broken; look, and ask again"
        )
    return Grant(_broken_words(named, environment))


def _record_file(host: Host, project: str, environment: str) -> RecordFile:
    try:
        record = record_of(host.workspace, project, environment)
    except KeyError as unknown:
        raise RefusedError(f"there is no {environment!a} of {project!a} in the settings") from unknown
    if record is None:
        raise RefusedError(
            f"the target of {environment} keeps no record of who holds it; there is nothing to break"
        )
    return record


def _read(record: RecordFile) -> Record:
    try:
        return record.read()
    except (StepFailed, OSError) as fault:
        raise RefusedError(str(fault)) from fault


def _break(record: RecordFile, holder: Holder) -> bool:
    try:
        with record.locked():
            return record.break_hold(holder)
    except (StepFailed, OSError) as fault:
        raise RefusedError(f"nothing was broken: {fault}") from fault


def _refuse_alive(holder: Holder) -> None:
    """Refuse where the other journal is on this machine, and a host of it or a step of the run lives."""
    here = known_here(holder.journal_id)
    if here is None:
        return
    place, workspace = here
    where = str(workspace) if workspace is not None else f"the journal {place.root}"
    if host_alive(place):
        who = host_of(place)
        process = f" (process {who.pid})" if who is not None else ""
        raise RefusedError(
            f"a worker of {where} is alive{process}: let run {holder.run} end there, or decide it there; "
            "if it must go, stop that worker first"
        )
    still = step_still_running(place.runs / holder.run) if _RUN.fullmatch(holder.run) else None
    if still:
        raise RefusedError(f"{still} of run {holder.run} of {where} still runs; wait for it to end")


def _broken_words(run: str, environment: str) -> str:
    return (
        f"run {run} of another workspace does not hold {environment} any more, and is refused there from now "
        "on; look at what runs there, then retry the task that was refused"
    )


def _not_held_words(holder: Holder | None, named: str, environment: str) -> str:
    if holder is None:
        return f"no run holds the target of {environment}"
    return f"--foreign: found {named!a}; the target of {environment} is held by run {holder.run!a}"
