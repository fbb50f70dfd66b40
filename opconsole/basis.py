"""The basis of a run: everything its plan rests on, read from sources, stores, target and database.

It is derived twice: to seal the plan, and again under the environment's lock before the first effect.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from guardrails.environments import GateKind
from guardrails.gates import Action
from opconsole.artifacts import StoreError
from opconsole.attempt import Attempt
from opconsole.git import GitError, GitMissingError
from opconsole.host import Host
from opconsole.migrating import MigrationFiles, MigrationPath, migrations_folder
from opconsole.plans import FORMAT, Plan, digest, entry_digest, seal
from opconsole.sandbox import kept_in
from opconsole.settings.model import Environment, MigrateWhen, Project
from opconsole.sources import SourceError, SourceKind, SourceVersion, StoredSource, resolve_source
from opconsole.step_runner import StepRunner
from opconsole.steps import Step, StepContext, StepFailed
from opconsole.surroundings import Scope, Site
from opconsole.targeting import target_for
from opconsole.targets.base import TargetState
from opconsole.trees import UnsafeTreeError
from queues.tasks import TaskKind


@dataclass(frozen=True, slots=True)
class Basis:
    """What a deployment or migration rests on."""

    source: SourceVersion
    stored: StoredSource
    artifact_digest: str | None
    target: TargetState
    migrations: MigrationPath | None


async def resolve(attempt: Attempt) -> SourceVersion:
    """Pin the run's version to a commit, by the rules of its environment."""
    run, project = attempt.run, attempt.project
    development = attempt.gate.kind is GateKind.DEVELOPMENT
    version = attempt.task.version  # the run's own would be the one that was found for it before
    if attempt.task.kind is TaskKind.MIGRATION and version is None:
        current = await attempt.host.read(attempt.host.reader.current_release, run.project, run.environment)
        version = current.version if current else None
    try:
        source = await resolve_source(
            attempt.host.workspace.project_path(run.project),
            kind=SourceKind(project.source.value),
            version=version,
            allow_head=development or (attempt.task.kind is TaskKind.MIGRATION and version is None),
        )
    except (SourceError, GitMissingError, GitError, UnsafeTreeError) as error:
        raise StepFailed(str(error)) from error
    await _refuse_other_commit(attempt, source)
    return source


async def _refuse_other_commit(attempt: Attempt, source: SourceVersion) -> None:
    """Hold staging and production to the commit that a version is on record with."""
    if attempt.gate.kind is GateKind.DEVELOPMENT:
        return
    known = await attempt.host.read(attempt.host.reader.artifacts, attempt.run.project, source.version)
    if known and all(artifact.commit_id != source.commit for artifact in known):
        raise StepFailed(
            f"version {source.version} is on record with commit {known[-1].commit_id[:19]}, "
            f"but now names {source.commit[:19]}; deploy the new commit under a new version"
        )


async def read_migrations(attempt: Attempt, context: StepContext, stored: StoredSource) -> MigrationPath:
    """Read which migrations lie between the database and the head of the sources."""
    site, task = site_of(attempt), attempt.task
    files = MigrationFiles(site, stored.path, migrations_folder(site, task.migrations_path))
    start = await files.revision_now(await for_database(context), migration_limit(attempt))
    if not goes_back(attempt):
        return await files.path(start, task.revision)
    return await (files.back_to(task.revision, start) if task.revision else files.newest(start))


def site_of(attempt: Attempt) -> Site:
    """Give the environment that the run works on."""
    return Site.of(attempt.host, attempt.run)


def goes_back(attempt: Attempt) -> bool:
    """Say whether the run takes migrations back: the newest, or all behind the named revision."""
    return attempt.run.action == Action.DOWNGRADE


async def for_database(context: StepContext) -> StepContext:
    """Give the context in which Alembic runs, whatever else the step is about. Raises StepFailed."""
    return await context.within(Scope.ENVIRONMENT) if isinstance(context, StepRunner) else context


async def derive(attempt: Attempt, context: StepContext) -> Basis:
    """Read everything the plan rests on, from its sources and from probing the target."""
    host, run = attempt.host, attempt.run
    source = await resolve(attempt)
    if run.source_digest is None:
        raise StepFailed("the run has no private copy of its sources; run it again")
    try:
        stored = await host.sources.verify(run.source_digest)
        if run.artifact_digest is not None:
            await host.artifacts.verify(run.artifact_digest)
    except StoreError as error:
        raise StepFailed(str(error)) from error
    target = TargetState(known=False)
    if attempt.task.kind is TaskKind.DEPLOYMENT:
        target = await (await target_for(attempt)).probe(context)
    migrations = await read_migrations(attempt, context, stored) if wants_migrations(attempt) else None
    return Basis(source, stored, run.artifact_digest, target, migrations)


def wants_migrations(attempt: Attempt) -> bool:
    """Say whether the run migrates a database."""
    return attempt.task.kind is TaskKind.MIGRATION or attempt.task.run_migrations


def migration_limit(attempt: Attempt) -> float:
    """Give the seconds that the run's migrations may take."""
    return attempt.environment.limits.migration or attempt.host.workspace.settings.policy.migration_limit


async def seal_plan(attempt: Attempt, basis: Basis, steps: Sequence[Step]) -> Plan:
    """Write the plan for a basis and give it its digest."""
    run, environment = attempt.run, attempt.environment
    checks = checks_of(attempt.project, environment)
    argvs = [step.argv or () for step in steps] + words_of(checks)
    programs = await asyncio.to_thread(programs_of, attempt.host.workspace.root, argvs)
    deploys = attempt.task.kind is TaskKind.DEPLOYMENT
    target = await target_for(attempt) if deploys else None
    return seal(
        {
            "format": FORMAT,
            "task": str(run.key),
            "entry": entry_digest(attempt.task),
            "run": run.id,
            "attempt": run.attempt,
            "project": run.project,
            "environment": run.environment,
            "action": run.action,
            "version": {"from": basis.target.version or run.previous_version, "to": run.version},
            "commit": basis.source.commit,
            "source": basis.stored.digest,
            "artifact": basis.artifact_digest,
            "target": _target(target.identity() if target else None, basis.target),
            "migrate": attempt.project.migrate.value if basis.migrations else None,
            "migrations": basis.migrations.to_json() if basis.migrations else None,
            "preflight": await asyncio.to_thread(_preflight, attempt.project) if deploys else None,
            "findings": _findings(run.report),
            "steps": [{"name": step.name, "kind": step.kind.value, "argv": _argv(step)} for step in steps],
            "checks": checks,
            "programs": programs,
            "policy": policy_of(
                attempt.host, run.project, run.environment, asks=attempt.task.requires_approval
            ),
            "approvers": list(attempt.host.workspace.approvers(run.project, run.environment)),
            "named_approvers": list(attempt.task.approvers),
        }
    )


def policy_of(host: Host, project: str, environment: str, *, asks: bool) -> dict[str, object]:
    """Give the policy in force that a plan is judged by; *asks*: its task asks for an approval itself."""
    workspace = host.workspace
    gate, who = workspace.gate(project, environment), workspace.deciders(project, environment)
    signers = host.in_force.signers
    policy = {
        "gate": gate.kind.value,
        "approval": gate.approval.value,
        "auto_rollback": gate.auto_rollback,
        "requires_approval": asks or workspace.environment(project, environment).requires_approval,
        "limits": asdict(workspace.limits(project, environment)),
        "expires_after": gate.expires_after,
        "quorum": who.quorum,
        "four_eyes": who.four_eyes,
        "seniors": list(who.seniors),
        "wait": who.wait,
        "break_glass_wait": who.break_glass_wait,
        "signers": digest([signers.allowed, signers.revoked]) if who.signed else None,
    }
    return {name: _figure(value) for name, value in policy.items()}


def _figure(value: object) -> object:
    """Write 1800.0 as 1800: a rule read from the settings and the same one from the record are one rule."""
    if isinstance(value, dict):
        return {name: _figure(one) for name, one in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _preflight(project: Project) -> dict[str, object]:
    """Give by which programs a release was tested and built, and what kept them from doing harm. Blocks."""
    return {
        "test": [list(argv) for argv in project.test],
        "build": [list(argv) for argv in project.build],
        "sandbox": {"setting": project.sandbox.value, "is": kept_in(project.sandbox)},
    }


def migrate_first(attempt: Attempt) -> bool:
    """Say whether migrations run before new code serves."""
    return attempt.project.migrate is MigrateWhen.BEFORE_SWITCH


def _target(identity: str | None, state: TargetState) -> dict[str, object] | None:
    if identity is None:
        return None
    if not state.known:
        return {"identity": identity, "probed": False, "note": "this target cannot be probed"}
    return {
        "identity": identity,
        "probed": True,
        "release": state.release,
        "version": state.version,
        "artifact": state.artifact_digest,
    }


def _findings(report: Mapping[str, object] | None) -> list[object]:
    files = (report or {}).get("files")
    if not isinstance(files, list):
        return []
    return [
        {"path": file["path"], **{name: finding[name] for name in ("rule", "verdict", "line", "reason")}}
        for file in files
        for finding in file["findings"]
    ]


def _argv(step: Step) -> list[str] | None:
    return list(step.argv) if step.argv is not None else None


def checks_of(project: Project, environment: Environment) -> dict[str, list[object]]:
    """Give what decides whether a release is good: its health checks and smoke programs; no durations."""
    durations = {"interval", "timeout", "within"}
    return {
        "health": [check.model_dump(mode="json", exclude=durations) for check in environment.health],
        "smoke": [list(argv) for argv in project.smoke],
    }


def words_of(checks: Mapping[str, Sequence[object]]) -> list[Sequence[str]]:
    """Give the programs among checks."""
    argvs = [
        check.get("argv", ()) if isinstance(check, Mapping) else check
        for group in checks.values()
        for check in group
    ]
    return [argv for argv in argvs if isinstance(argv, Sequence)]


def programs_of(workspace: Path, argvs: Sequence[Sequence[str]]) -> dict[str, str]:
    """Hash the project's own programs: the words of commands that name a file of the workspace or a path.

    What belongs to a release or to the sources is covered by the artifact's and the source's digest; what is
    found on PATH or in a virtual environment is not the project's own.
    """
    found: dict[str, str] = {}
    for argv in argvs:
        for word in argv:
            name = word.partition("=")[2] if word.startswith("-") else word  # --config=ops/deploy.toml
            if not name or "{" in name:
                continue
            path = workspace / name
            if path.is_file():
                found[name] = file_digest(path)
    return found


def file_digest(path: Path) -> str:
    """Give a file's SHA-256, read piece by piece."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
