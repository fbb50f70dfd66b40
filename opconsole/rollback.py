"""Rollback: whether there is a way back from what a run changed, and the steps that go it.

The order is the policy's: stop the new release, take the migrations back by the failed release's own files,
restore the previous release, wait for health. Without a predecessor, or with a migration on the way that
cannot be taken back, nothing is switched and a person decides.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from guardrails.gates import Action
from opconsole.artifacts import StoreError
from opconsole.attempt import Attempt
from opconsole.basis import checks_of, for_database, migration_limit, policy_of, programs_of, words_of
from opconsole.effects import ScopedSteps, health_steps
from opconsole.host import Host
from opconsole.journal.records import ReleaseRow, Run
from opconsole.losing import NOTHING, Losses, losses_of
from opconsole.migrate_step import downgrade_step
from opconsole.migrating import UNKNOWN, MigrationFiles, MigrationPath, RevisionHeard
from opconsole.plans import Plan, entry_digest, planned_migrations, seal
from opconsole.steps import StepContext, StepFailed
from opconsole.surroundings import Scope, Site
from opconsole.targeting import target_for, target_of
from opconsole.targets.base import Release
from queues.tasks import Task, TaskKind


@dataclass(frozen=True, slots=True)
class WayBack:
    """How to get back to an earlier release; *problem* says why there is no way."""

    to: ReleaseRow | None
    migrations: MigrationPath | None = None
    problem: str = ""

    @property
    def place(self) -> str:
        """Where the way leads, for people."""
        if self.to is not None:
            return self.to.version
        return f"revision {self.migrations.start}" if self.migrations else "where it was"


@dataclass(frozen=True, slots=True)
class RevertPlan:
    """The plan of taking a run's effects back, or why that cannot be done."""

    plan: Plan
    way: WayBack
    losses: Losses = NOTHING

    @property
    def problem(self) -> str:
        """Why there is no way back; empty where there is one."""
        return self.way.problem


async def way_back_from(host: Host, run: Run, folder: str | None) -> WayBack:
    """Find the way back from what a failed run changed: to the release that served, or only the revision."""
    if run.kind == TaskKind.ROLLBACK:
        return WayBack(
            None, problem="a rollback is not itself rolled back; deploy the version that is wanted"
        )
    if run.action == Action.DOWNGRADE:
        return WayBack(None, problem="a downgrade is taken back by a migration task that goes forward")
    if run.kind == TaskKind.PROVISIONING:
        return WayBack(None, problem="opconsole deletes no AWS resource; mend it in AWS")
    before = await host.read(host.reader.current_release, run.project, run.environment)
    now = _Serving(run.source_digest, folder, run.revision_after)
    if run.kind == TaskKind.MIGRATION:
        return await _way(host, run, before, now, run.revision_before)
    if before is None:
        return WayBack(None, problem="there is no previous release on record")
    known = before.revision if before.revision != UNKNOWN else None
    return await _way(host, run, before, now, known or run.revision_before)


async def way_to(host: Host, run: Run, version: str | None) -> WayBack:
    """Find the way from the release that serves now to an earlier one: *version*'s, or what served before.

    What served before is the word of the run that placed it: the release with the number before may be one
    that was gone back from.
    """
    releases = await host.read(host.reader.releases, run.project, run.environment)
    current = next((release for release in releases if release.current), None)
    if current is None:
        return WayBack(None, problem=f"no release of {run.project} is on record in {run.environment}")
    earlier = [release for release in releases if release.seq < current.seq]
    if version is not None:
        earlier = [
            release for release in releases if release.version == version and release.name != current.name
        ]
    if not earlier:
        wanted = f"version {version}" if version else "an earlier release"
        known = ", ".join(dict.fromkeys(release.version for release in releases if not release.current))
        return WayBack(
            None, problem=f"{wanted} is not on record in {run.environment}; known: {known or 'none'}"
        )
    placed = await host.read(host.reader.run, current.run) if version is None else None
    served = (one for one in earlier if placed is not None and one.name == placed.previous_release)
    to = next(served, earlier[0])
    now = _Serving(current.source_digest, current.migrations_path, current.revision)
    return await _way(host, run, to, now, to.revision)


async def revert_plan(host: Host, run: Run) -> RevertPlan:
    """Give the plan of taking back what a halted or interrupted run has changed."""
    planned = planned_migrations(run.plan)
    way = await way_back_from(host, run, planned.folder if planned else None)
    if run.kind == TaskKind.PROVISIONING:  # it has no target that a plan could name
        return RevertPlan(seal({"task": str(run.key), "run": run.id}), way)
    losses = await losses_on(host, run, way)
    return RevertPlan(await rollback_plan(host, run, way, losses), way, losses)


async def losses_on(host: Host, run: Run, way: WayBack) -> Losses:
    """Say what going a way back loses: rows, columns, and the deployments in between."""
    losses = await losses_of(way.migrations)
    if way.to is None:
        return losses
    releases = await host.read(host.reader.releases, run.project, run.environment)
    current = next((one.seq for one in releases if one.current), way.to.seq)
    between = [one.version for one in releases if way.to.seq < one.seq <= current]
    return losses.behind(between)


async def rollback_plan(host: Host, run: Run, way: WayBack, losses: Losses, task: Task | None = None) -> Plan:
    """Seal the plan of a rollback; *task* is the rollback task, where it is not a run's way back."""
    project = host.workspace.settings.projects[run.project]
    environment = project.environments[run.environment]
    target = environment.target.model_dump(mode="json", exclude={"variables", "venv", "keep"})
    checks = {"health": checks_of(project, environment)["health"]}
    argvs = [value for value in target.values() if isinstance(value, list)] + words_of(checks)
    own = run.kind == TaskKind.ROLLBACK  # such a run has the release that it goes to as its own
    version, release = (run.previous_version, run.previous_release) if own else (run.version, run.release)
    return seal(
        {
            "task": str(run.key),
            "run": run.id,
            "attempt": run.attempt,
            "project": run.project,
            "environment": run.environment,
            "action": "rollback",
            "entry": entry_digest(task) if task else None,
            "version": {"from": version, "to": way.to.version if way.to else None},
            "release": {"from": release, "to": way.to.name if way.to else None},
            "artifact": way.to.artifact_digest if way.to else None,
            "migrations": way.migrations.to_json() if way.migrations else None,
            "loses": losses.to_json(),
            "target": {**target, "identity": (await target_of(host, run)).identity()},
            "checks": checks,
            "programs": await asyncio.to_thread(programs_of, host.workspace.root, argvs),
            "policy": policy_of(
                host, run.project, run.environment, asks=bool(task and task.requires_approval)
            ),
            "approvers": list(host.workspace.approvers(run.project, run.environment)),
            "named_approvers": list(task.approvers) if task else [],
        }
    )


async def check_as_recorded(attempt: Attempt, way: WayBack, context: StepContext) -> None:
    """Hold target and database to the journal before a rollback. Raises StepFailed where they differ."""
    host, run = attempt.host, attempt.run
    current = await host.read(host.reader.current_release, run.project, run.environment)
    state = await (await target_for(attempt, rollback=True)).probe(context)
    if state.known and current is not None:
        serves, recorded = (
            (state.release, current.name) if state.release else (state.version, current.version)
        )
        if serves != recorded:
            raise StepFailed(
                f"{run.environment} serves {serves or 'nothing'}, but {recorded} is on record; "
                "somebody switched by hand: switch back, or deploy again"
            )
    if way.migrations is not None:
        files = MigrationFiles(Site.of(host, run), way.migrations.root, way.migrations.folder)
        stands_at = await files.revision_now(await for_database(context), migration_limit(attempt))
        if stands_at != way.migrations.end:
            raise StepFailed(
                f"the database stands at {stands_at}, but {way.migrations.end} is on record; "
                "somebody migrated by hand: migrate it there, then try again"
            )


async def rollback_steps(attempt: Attempt, way: WayBack, revision_is: RevisionHeard) -> ScopedSteps:
    """Give the steps of going back, in the policy's order; a migration task takes back only migrations."""
    limit = attempt.host.workspace.limits(attempt.run.project, attempt.run.environment).rollback
    back: ScopedSteps = []
    if way.migrations is not None and way.migrations.steps:
        back = [(Scope.ENVIRONMENT, downgrade_step(way.migrations, limit, revision_is))]
    if attempt.task.kind is TaskKind.MIGRATION:
        return back + (health_steps(attempt, way.to.version) if way.to else [])
    if way.to is None:
        raise StepFailed(way.problem)
    target = await target_for(attempt, rollback=True)
    try:
        artifact = await attempt.host.artifacts.verify(way.to.artifact_digest)
    except StoreError as error:
        raise StepFailed(f"release {way.to.name} cannot be restored: {error}") from error
    release = Release(way.to.name, way.to.version, way.to.commit_id, artifact.path, artifact.digest)
    story: ScopedSteps = [*((Scope.TARGET, step) for step in target.stop()), *back]
    story += [(Scope.TARGET, step) for step in target.place(release)]
    story += [
        (Scope.TARGET, step)
        for step in target.switch(release, previous_version=attempt.run.version, restoring=True)
    ]
    return story + health_steps(attempt, way.to.version)


@dataclass(frozen=True, slots=True)
class _Serving:
    """What serves now, as far as going back from it is concerned."""

    source_digest: str | None
    migrations: str | None
    """The folder of its migration files; None: it has none."""
    revision: str | None


async def _way(host: Host, run: Run, to: ReleaseRow | None, now: _Serving, end: str | None) -> WayBack:
    """Find the way to a release at revision *end*; what goes back is read from the files that serve now."""
    if now.revision == UNKNOWN:
        return WayBack(to, problem="nobody can tell where the database stands after the failed migration")
    if now.revision is None or now.migrations is None or now.revision == end:
        return WayBack(to)
    if end is None or now.source_digest is None:
        missing = "revision to go back to" if end is None else "file to go back by"
        return WayBack(to, problem=f"no {missing} is on record{f' for release {to.name}' if to else ''}")
    try:
        stored = await host.sources.verify(now.source_digest)
        path = await MigrationFiles(Site.of(host, run), stored.path, now.migrations).path(end, now.revision)
    except (StoreError, StepFailed) as error:
        return WayBack(to, problem=str(error))
    stuck = [step.revision for step in path.steps if not step.reversible]
    if stuck:
        return WayBack(to, path, f"migration {', '.join(stuck)} on the way back cannot be taken back")
    return WayBack(to, path)
