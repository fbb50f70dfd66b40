"""Effects: the steps that change an environment — place, switch, migrate, health, smoke — as values.

What they do is the target's, Alembic's and the health check's business; here they are put in order.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from opconsole.artifacts import StoreError
from opconsole.attempt import Attempt
from opconsole.basis import Basis, goes_back, migrate_first, migration_limit
from opconsole.configured_checks import check_of
from opconsole.git import GitError
from opconsole.health import HealthCheck, wait_healthy
from opconsole.migrate_step import downgrade_step, upgrade_step
from opconsole.migrating import RevisionHeard
from opconsole.programs import ProgramResult
from opconsole.sources import SourceError, SourceVersion, create_tag
from opconsole.steps import Step, StepContext, StepFailed, StepKind, describe_result
from opconsole.surroundings import Scope
from opconsole.targets.base import Release, Target
from opconsole.trees import remove_tree

TAG_LIMIT = 60.0
"""Seconds for creating a tag."""

ScopedSteps = list[tuple[Scope, Step]]


def deployment_steps(
    attempt: Attempt,
    basis: Basis,
    target: Target,
    release: Release,
    revision_is: RevisionHeard,
) -> ScopedSteps:
    """Give a deployment's effects in their order; *revision_is* hears where the database stands."""
    place = _scoped(Scope.TARGET, target.place(release))
    switch = _scoped(Scope.TARGET, target.switch(release, previous_version=basis.target.version))
    migrate = migration_steps(attempt, basis, revision_is)
    story = [*place, *migrate, *switch] if migrate_first(attempt) else [*place, *switch, *migrate]
    story += health_steps(attempt, release.version)
    story += smoke_steps(attempt)
    if basis.source.creates_tag:
        story.append((Scope.PROJECT, _tag_step(attempt, basis.source)))
    return story


def migration_steps(attempt: Attempt, basis: Basis, revision_is: RevisionHeard) -> ScopedSteps:
    """Give the step that migrates, where there is something to migrate."""
    if basis.migrations is None or not basis.migrations.steps:
        return []
    step = downgrade_step if goes_back(attempt) else upgrade_step
    return [(Scope.ENVIRONMENT, step(basis.migrations, migration_limit(attempt), revision_is))]


def health_steps(attempt: Attempt, version: str) -> ScopedSteps:
    """Give the step that waits until all of the environment's checks pass."""
    checks = attempt.environment.health
    if not checks:
        return []

    async def act(context: StepContext) -> str:
        for check in checks:
            await _wait(context, check_of(check), version)
        return f"{len(checks)} checks passed" if len(checks) > 1 else "healthy"

    limit = sum(check.within + check.timeout for check in checks)
    return [(Scope.ENVIRONMENT, Step("health", StepKind.REPEATABLE, "Wait for health", None, limit, act))]


def smoke_steps(attempt: Attempt) -> ScopedSteps:
    """Give the step that runs the project's smoke programs against the environment."""
    commands = attempt.project.smoke
    if not commands:
        return []

    async def act(context: StepContext) -> str:
        # A copy of what was approved: the checkout may have moved on since.
        copy = await working_copy(attempt, "smoke")
        try:
            for argv in commands:
                result = await context.program(argv, cwd=copy)
                if not result.ok:
                    raise StepFailed(f"smoke failed: {' '.join(argv)}: {describe_result(result)}")
        finally:
            await asyncio.to_thread(remove_tree, copy)
        return "smoke tests passed"

    limit = attempt.host.workspace.settings.policy.smoke_limit
    step = Step("smoke", StepKind.REPEATABLE, "Run the smoke tests", commands[0], limit, act)
    return [(Scope.ENVIRONMENT, step)]


async def working_copy(attempt: Attempt, name: str) -> Path:
    """Make a fresh copy of the run's export, for programs that may write into it. Raises StepFailed."""
    folder = attempt.folder / "work" / name
    await asyncio.to_thread(remove_tree, folder)
    await asyncio.to_thread(folder.parent.mkdir, parents=True, exist_ok=True)
    try:
        return await attempt.host.sources.working_copy(attempt.run.source_digest or "", folder)
    except StoreError as error:
        raise StepFailed(str(error)) from error


def _scoped(scope: Scope, steps: list[Step]) -> ScopedSteps:
    return [(scope, step) for step in steps]


def _tag_step(attempt: Attempt, source: SourceVersion) -> Step:
    async def act(context: StepContext) -> str:
        del context
        try:
            tag = await create_tag(attempt.host.workspace.project_path(attempt.run.project), source)
        except (SourceError, GitError) as error:
            raise StepFailed(str(error)) from error
        return f"{tag} names {source.commit[:12]}"

    title = f"Tag {source.commit[:12]} as v{source.version}"
    return Step("tag", StepKind.REPEATABLE, title, None, TAG_LIMIT, act)


async def _wait(context: StepContext, check: HealthCheck, version: str) -> None:
    async def command(argv: tuple[str, ...], seconds: float) -> ProgramResult:
        return await context.program(argv, cwd=Path("/"), limit=seconds)

    result = await wait_healthy(
        check,
        version=version,
        run_command=command,
        clock=time.monotonic,
        sleep=asyncio.sleep,
        note=context.note,
    )
    if not result.healthy:
        raise StepFailed(f"health check failed: {result.reason}")
