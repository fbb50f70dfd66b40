"""From the settings of an environment to the target and the health checks that a run uses."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from opconsole.attempt import Attempt
from opconsole.host import Host
from opconsole.journal.records import Run
from opconsole.settings.targets import CommandTarget, ExtensionTarget, ReleasesTarget
from opconsole.step_runner import Planned
from opconsole.steps import StepContext, StepFailed, StepInterrupted
from opconsole.surroundings import Site
from opconsole.targets.base import Holder, Target, TargetUse
from opconsole.targets.record import LOST, RecordFile
from opconsole.targets.registry import make_target
from opconsole.workspace import Workspace
from queues.tasks import TaskKind


async def target_for(attempt: Attempt, *, rollback: bool = False) -> Target:
    """Make the target of the attempt's environment, used on behalf of its run.

    The programs of a target get their variables from their surroundings; here it learns only for whom it
    works. While the run does not hold the environment, its fence is 0, which no target lets change anything.
    """
    return await target_of(attempt.host, attempt.run, rollback=rollback)


async def target_of(host: Host, run: Run, *, rollback: bool = False) -> Target:
    """Do the same for a run that nobody works on; its environment must be in the settings (KeyError)."""
    environment = host.workspace.settings.projects[run.project].environments[run.environment]
    lock = await host.read(host.reader.lock, run.project, run.environment)
    fence = lock.fence if lock is not None and lock.run == run.id else 0
    limits = host.workspace.limits(run.project, run.environment)
    use = TargetUse(
        project=run.project,
        environment=run.environment,
        holder=Holder(journal_id=host.place.id, run=run.id, fence=fence),
        limit=limits.rollback if rollback else limits.deployment,
    )
    known = await host.read(host.reader.releases, run.project, run.environment)
    options = _options(environment.target, host.workspace.root, [release.name for release in known])
    return make_target(environment.target.type, options, use)


def record_of(workspace: Workspace, project: str, environment: str) -> RecordFile | None:
    """Give the record that a target keeps about itself; None where it keeps none. KeyError as above."""
    target = workspace.settings.projects[project].environments[environment].target
    if not isinstance(target, ReleasesTarget):
        return None
    return RecordFile(workspace.path(target.path), place=f"{project} {environment}")


def while_held(attempt: Attempt, planned: Planned) -> Planned:
    """Give a step that first makes sure that nobody in another workspace broke the run's hold."""
    act = planned.step.act

    async def guarded(context: StepContext) -> str | None:
        await check_hold(attempt.host, attempt.run)
        return await act(context)

    return replace(planned, step=replace(planned.step, act=guarded))


async def check_hold(host: Host, run: Run) -> None:
    """Raise StepInterrupted where somebody in another workspace broke the run's hold on its target.

    Of a record that is damaged or cannot be read the target's own steps tell.
    """
    if run.kind not in (TaskKind.DEPLOYMENT, TaskKind.ROLLBACK):
        return
    with suppress(KeyError, StepFailed, OSError):
        record = record_of(host.workspace, run.project, run.environment)
        if record is not None and (await asyncio.to_thread(record.read)).lost(host.place.id, run.id):
            raise StepInterrupted(f"the target of {run.environment} is no longer held by this run: {LOST}")


def target_to_look_at(site: Site, journal: str, known: Sequence[str]) -> Target:
    """Make a target for somebody who only looks; *known* are its releases on record. Nothing can change it.

    Raises TargetSettingsError; makes no connection and reads nothing but the settings.
    """
    environment = site.settings.environments[site.environment]
    use = TargetUse(
        project=site.project,
        environment=site.environment,
        holder=Holder(journal_id=journal, run=site.run, fence=0),
        limit=site.workspace.limits(site.project, site.environment).deployment,
    )
    options = _options(environment.target, site.workspace.root, known)
    return make_target(environment.target.type, options, use)


def _options(
    target: ReleasesTarget | CommandTarget | ExtensionTarget, workspace: Path, known: Sequence[str]
) -> Mapping[str, object]:
    """Give a target's own part of the settings; what surrounds its programs is not the target's business."""
    if isinstance(target, ExtensionTarget):
        return target.options
    options = target.model_dump(exclude={"type", "venv", "variables"}, exclude_none=True)
    if isinstance(target, ReleasesTarget):
        return {**options, "path": workspace / target.path}
    return {**options, "path": workspace, "known_releases": known}
