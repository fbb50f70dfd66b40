"""Endings: what a run that came to rest leaves in the journal and tells other programs."""

from __future__ import annotations

import traceback
from collections.abc import Collection, Mapping
from datetime import datetime

from guardrails.gates import Action
from opconsole.attempt import Attempt
from opconsole.basis import Basis
from opconsole.clock import iso
from opconsole.host import Host
from opconsole.journal import ops
from opconsole.journal.errors import JournalError
from opconsole.journal.records import ReleaseRow, Run
from opconsole.journal.writer import AuditOp, Op
from opconsole.looking import look_again
from opconsole.steps import StepFailed
from opconsole.targeting import target_for, target_of
from queues.states import RunState
from queues.tasks import TaskKind

LOG_STATUS: Mapping[RunState, str] = {
    RunState.SUCCEEDED: "success",
    RunState.ROLLED_BACK: "rolled_back",
}
"""Words of deployments.json for the states of a run; every other state is "failed" there."""


class Ending:
    """How a run comes to rest: what is recorded, told and let go of, however it went."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt

    async def enter(self, state: RunState, reason: str, *more: Op | AuditOp) -> None:
        """Bring the run into its last state, with the record for other programs and the promise."""
        attempt = self._attempt
        if attempt.run.action in (Action.DEPLOY.value, Action.ROLLBACK.value):
            rollback = attempt.run.action == Action.ROLLBACK.value and state is RunState.SUCCEEDED
            rolled_back = rollback or state is RunState.ROLLED_BACK
            more = (*more, self._log_entry(state, reason, rolled_back=rolled_back))
        promise = attempt.task.completion_promise
        if state is RunState.SUCCEEDED and promise:
            attempt.tell("promise", text=promise)
        await attempt.enter(state, reason, *more)
        if state is RunState.SUCCEEDED and promise:
            attempt.note(promise)
        fault = await let_go(attempt.host, attempt.run)
        if fault:
            attempt.note(fault)

    def _log_entry(self, state: RunState, reason: str, *, rolled_back: bool) -> Op:
        attempt = self._attempt
        now = attempt.host.clock.now()
        entry = deployment_entry(attempt.run, state, reason, now, rolled_back=rolled_back)
        return ops.send("deployments", attempt.run.project, entry, now)

    async def halt(self, reason: str) -> None:
        """Stop where only a person may go on."""
        await self._stuck(
            RunState.HALTED, reason, self._log_entry(RunState.HALTED, reason, rolled_back=False)
        )

    async def _stuck(self, state: RunState, reason: str, *more: Op | AuditOp) -> None:
        """Bring the run where a person decides, and lay out what can be known."""
        await self._attempt.enter(state, reason, *more)
        await look_again(self._attempt.host, self._attempt.run)

    async def tidy(self) -> None:
        """Remove old releases. A failure here is noted; the deployment has succeeded all the same."""
        attempt = self._attempt
        if attempt.task.kind is not TaskKind.DEPLOYMENT:
            return
        run = attempt.run
        protect = {name for name in (run.release, run.previous_release) if name}
        try:
            gone = await (await target_for(attempt)).prune(protect)
        except (StepFailed, OSError) as fault:
            attempt.note(f"old releases stay: {fault}")
        else:
            if gone:
                attempt.note(f"removed old releases: {', '.join(gone)}")

    async def interrupted(self, reason: str) -> None:
        """Stop where nobody can tell what a step did, and only a person may go on."""
        attempt = self._attempt
        attempt.carry(ops.skip_pending(attempt.run.id, attempt.host.clock.now()))
        attempt.tell("alert", priority="P0", text=f"{attempt.run.task} is interrupted: {reason}")
        await self._stuck(RunState.INTERRUPTED, reason)

    async def cancelled(self, touched: Collection[str]) -> None:
        """Say what a cancelled run came to: nothing is left running when this is said."""
        attempt = self._attempt
        now = attempt.host.clock.now()
        attempt.carry(ops.skip_pending(attempt.run.id, now))
        if attempt.run.state is RunState.RUNNING and touched:
            what = ", ".join(sorted(touched))
            await self._stuck(RunState.INTERRUPTED, f"cancelled after {what} had begun")
            return
        if attempt.run.state in (RunState.PENDING, RunState.PREFLIGHT, RunState.RUNNING):
            await self.enter(RunState.CANCELLED, "cancelled; nothing was changed")
        return

    async def unrecorded(self, error: JournalError, touched: Collection[str]) -> None:
        """End a run whose next intent could not be recorded: without a record there is no effect."""
        self._attempt.carry(ops.skip_pending(self._attempt.run.id, self._attempt.host.clock.now()))
        if touched:
            await self._stuck(RunState.INTERRUPTED, f"the journal could not be written: {error}")
        else:
            await self.enter(RunState.FAILED, f"the journal could not be written: {error}")

    async def unforeseen(self, fault: Exception, touched: Collection[str]) -> None:
        """End a run that met a fault of ours: interrupted where effects had begun, else failed."""
        attempt = self._attempt
        attempt.carry(ops.skip_pending(attempt.run.id, attempt.host.clock.now()))
        for line in traceback.format_exception(fault):
            attempt.note(line.rstrip())
        reason = f"an unforeseen fault: {type(fault).__name__}: {fault}; the log has all of it"
        if touched or attempt.run.state.undecided:
            await self._stuck(RunState.INTERRUPTED, reason)
        else:
            await attempt.enter(RunState.FAILED, reason)


async def let_go(host: Host, run: Run) -> str | None:
    """Take a final run's name off its target; say why that could not be done.

    It changes nothing about how the run ended: this workspace takes the target again by its next fence, and
    whoever hosts the engine next tries once more.
    """
    if run.kind not in (TaskKind.DEPLOYMENT, TaskKind.ROLLBACK):
        return None
    try:
        await (await target_of(host, run)).clear_holder()
    except KeyError:
        return None  # the settings know the environment no more
    except (StepFailed, OSError) as fault:
        return f"the target of {run.environment} stays held by run {run.id}: {fault}"
    return None


async def success_ops(attempt: Attempt, basis: Basis) -> list[Op | AuditOp]:
    """Give what a success leaves in the journal: the release that serves, and the database's revision."""
    run = attempt.run
    revision = run.revision_after
    if attempt.task.kind is not TaskKind.DEPLOYMENT or run.release is None:
        return [ops.set_revision(run.project, run.environment, revision)]
    folder = basis.migrations.folder if basis.migrations else None
    if basis.migrations is None:
        # This deployment left the database alone: it stands where it stood, by the same folder's files.
        before = await attempt.host.read(attempt.host.reader.current_release, run.project, run.environment)
        if before is not None:
            revision, folder = before.revision, before.migrations_path
    release = ReleaseRow(
        project=run.project,
        environment=run.environment,
        name=run.release,
        version=run.version or basis.source.version,
        commit_id=basis.source.commit,
        source_digest=basis.stored.digest,
        artifact_digest=run.artifact_digest or "",
        migrations_path=folder,
        revision=revision,
        run=run.id,
        placed_at=attempt.host.clock.now(),
        placed_by=run.requested_by,
        current=True,
    )
    return [ops.retire_releases(run.project, run.environment), ops.insert_release(release)]


def deployment_entry(
    run: Run, state: RunState, reason: str, now: datetime, *, rolled_back: bool
) -> dict[str, object]:
    """Give the entry of deployments.json for a run, in the fields that other programs read."""
    status = LOG_STATUS.get(state, "failed")
    return {
        "environment": run.environment,
        "version": run.version,
        "status": status,
        "started_at": iso(run.started_at or run.created_at),
        "completed_at": iso(now),
        "errors": [] if status == "success" else [reason or state.value],
        "warnings": _warnings(run),
        "rollback_executed": rolled_back,
        "project": run.project,
        "task": run.task,
        "run": run.id,
        "release": run.release,
    }


def _warnings(run: Run) -> list[str]:
    files = (run.report or {}).get("files")
    if not isinstance(files, list):
        return []
    return [
        f"{file['path']}:{finding['line']}: {finding['rule']}: {finding['message']}"
        for file in files
        for finding in file["findings"]
        if finding["verdict"] == "warn"
    ]
