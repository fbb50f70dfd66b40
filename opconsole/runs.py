"""Runs: how one is made, what it leaves on an environment, and whether anything of it still runs."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from guardrails.gates import Action
from opconsole.host import Host
from opconsole.ids import new_run_id
from opconsole.journal import ops
from opconsole.journal.records import Phase, ReleaseRow, Run, StepState
from opconsole.journal.writer import AuditOp, Op
from opconsole.plans import planned_migrations
from opconsole.programs import TraceState, trace
from opconsole.steps import NoPrograms, StepFailed
from opconsole.targeting import target_of
from opconsole.workspace import AWS
from queues.states import RunState
from queues.tasks import MigrationAction, Task, TaskKind


def action_of(task: Task) -> Action:
    """Say what a run of the task is about to do to its environment."""
    if task.kind is TaskKind.MIGRATION:
        return {
            MigrationAction.RUN: Action.MIGRATE,
            MigrationAction.VALIDATE: Action.VALIDATE,
            MigrationAction.DOWNGRADE: Action.DOWNGRADE,
        }[task.action]
    return {
        TaskKind.DEPLOYMENT: Action.DEPLOY,
        TaskKind.ROLLBACK: Action.ROLLBACK,
        TaskKind.PROVISIONING: Action.PROVISION,
    }[task.kind]


def first_run(host: Host, task: Task, *, attempt: int) -> Run:
    """Make the record of a fresh attempt at a task."""
    asked = asked_of(task)
    return _made(host, task.project, task.id, asked, attempt=attempt, by=host.operator)


def asked_of(task: Task) -> dict[str, Any]:
    """Give the fields of a run that say what its task asks for."""
    return {
        "kind": task.kind.value,
        "action": action_of(task).value,
        "environment": environment_of(task),
        "version": task.version,
    }


def environment_of(task: Task) -> str:
    """Give the environment that a run of the task changes; of a resource that names none, all of AWS."""
    return task.environment or (AWS if task.kind is TaskKind.PROVISIONING else "")


def new_run(host: Host, before: Run, *, attempt: int, by: str) -> Run:
    """Make the record of another attempt at the task of an earlier run."""
    asked = {name: getattr(before, name) for name in ("kind", "action", "environment", "version")}
    return _made(host, before.project, before.task, asked, attempt=attempt, by=by)


def _made(host: Host, project: str, task: str, asked: dict[str, Any], *, attempt: int, by: str) -> Run:
    return Run(
        id=new_run_id(),
        project=project,
        task=task,
        attempt=attempt,
        state=RunState.PENDING,
        epoch=1,
        requested_by=by,
        created_at=host.clock.now(),
        executor=host.executor,
        **asked,
    )


async def served_release_ops(host: Host, run: Run, now: datetime, by: str) -> list[Op | AuditOp]:
    """Give what records which release serves, and where the database stands, after a run that a person ended.

    "Leave things as they are" must not leave the journal with another release than the target, so the
    target is asked where it can be; else the steps tell.
    """
    revision = run.revision_after or run.revision_before
    stands = [] if revision is None else [ops.set_revision(run.project, run.environment, revision)]
    if run.release is None or not await _switched(host, run, run.release):
        return [*stands] if run.revision_after is not None else []
    known = await host.read(host.reader.releases, run.project, run.environment)
    retired = ops.retire_releases(run.project, run.environment)
    if any(release.name == run.release for release in known):  # a rollback went to it
        return [retired, ops.restore_release(run.project, run.environment, run.release), *stands]
    if run.version is None or run.commit_id is None:
        return []
    if run.source_digest is None or run.artifact_digest is None:
        return []
    release = ReleaseRow(
        project=run.project,
        environment=run.environment,
        name=run.release,
        version=run.version,
        commit_id=run.commit_id,
        source_digest=run.source_digest,
        artifact_digest=run.artifact_digest,
        migrations_path=_migrations_path(run),
        revision=revision,
        run=run.id,
        placed_at=now,
        placed_by=by,
        current=True,
    )
    return [retired, ops.insert_release(release)]


async def _switched(host: Host, run: Run, name: str) -> bool:
    """Say whether the target serves release *name* after what the run did to it."""
    steps = await host.read(host.reader.steps, run.id)
    begun = {
        step.phase
        for step in steps
        if step.name in SWITCHES and step.state not in (StepState.PENDING, StepState.SKIPPED)
    }
    if not begun:
        return False
    try:
        state = await (await target_of(host, run)).probe(NoPrograms("is not run while a person decides"))
    except (StepFailed, OSError, KeyError):
        state = None
    if state is not None and state.known and state.release is not None:
        return state.release == name
    return Phase.EFFECT in begun and Phase.ROLLBACK not in begun


SWITCHES = frozenset({"switch", "deploy"})
"""Names of the steps after which another release may serve."""


def steps_still_running(host: Host, run: Run) -> str | None:
    """Name a step of the run whose program still runs, by its flock; None when nothing does."""
    return step_still_running(host.run_folder(run.id))


def step_still_running(run_folder: Path) -> str | None:
    """Say the same of the run that a folder belongs to, of whatever journal."""
    steps = run_folder / "steps"
    if not steps.is_dir():
        return None
    for folder in sorted(steps.iterdir()):
        if trace(folder).state is TraceState.RUNNING:
            return f"step {_step_name(folder)}"
    return None


def _step_name(folder: Path) -> str:
    parts = folder.name.split("-")
    return "-".join(parts[1:-1]) or folder.name


def _migrations_path(run: Run) -> str | None:
    planned = planned_migrations(run.plan)
    return planned.folder if planned else None
