"""Endings: what a run that came to rest leaves in the journal and tells other programs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from opconsole.attempt import Attempt
from opconsole.basis import Basis
from opconsole.clock import iso
from opconsole.journal import ops
from opconsole.journal.records import ReleaseRow, Run
from opconsole.journal.writer import AuditOp, Op
from queues.states import RunState
from queues.tasks import TaskKind

LOG_STATUS: Mapping[RunState, str] = {
    RunState.SUCCEEDED: "success",
    RunState.ROLLED_BACK: "rolled_back",
}
"""Words of deployments.json for the states of a run; every other state is "failed" there."""


def success_ops(attempt: Attempt, basis: Basis) -> list[Op | AuditOp]:
    """Give what a success leaves in the journal: the release that serves, and the database's revision."""
    run = attempt.run
    revision = run.revision_after
    if attempt.task.kind is not TaskKind.DEPLOYMENT or run.release is None:
        return [ops.set_revision(run.project, run.environment, revision)]
    release = ReleaseRow(
        project=run.project,
        environment=run.environment,
        name=run.release,
        version=run.version or basis.source.version,
        commit_id=basis.source.commit,
        source_digest=basis.stored.digest,
        artifact_digest=run.artifact_digest or "",
        migrations_path=basis.migrations.folder if basis.migrations else None,
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
