"""Writes the queue entries of orders: ids, descriptions and fields as the guide's examples have them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from guardrails.environments import GateKind
from queues.sentences.known import KnownProject
from queues.sentences.outcome import PlannedTask

MAX_ITERATIONS = 10
"""Attempts at one task, as the guide's examples have it."""

SHORT = {"development": "dev", "staging": "staging", "production": "prod"}


@dataclass(frozen=True, slots=True)
class Migrating:
    """Whether a deployment runs migrations, and from where."""

    run: bool = False
    path: str | None = None


def deployments(
    project: KnownProject, version: str, environments: Sequence[str], migrating: Mapping[str, Migrating]
) -> list[PlannedTask]:
    """Give one deployment for each environment, each waiting for the one before."""
    ids = new_ids("DEPLOY", project, environments)
    tasks: list[PlannedTask] = []
    for place, (task_id, environment) in enumerate(zip(ids, environments, strict=True)):
        how = migrating.get(environment, Migrating())
        after = f" (after {_short(environments[place - 1])} succeeds)" if place else ""
        entry: dict[str, object] = {
            "id": task_id,
            "description": f"Deploy v{version} to {environment}{' with migrations' * how.run}{after}",
            "status": "pending",
            "agent_type": "deployment",
            "environment": environment,
            "version": version,
            "run_migrations": how.run,
        }
        if how.run and how.path is not None:
            entry["migrations_path"] = how.path
        entry |= {"completion_promise": "DEPLOYMENT_COMPLETE", "max_iterations": MAX_ITERATIONS}
        tasks.append(_task(project, environment, entry, ids[place - 1] if place else None))
    return tasks


def migrations(
    project: KnownProject, environments: Sequence[str], version: str | None, path: str | None
) -> list[PlannedTask]:
    """Give one migration for each environment, each waiting for the one before."""
    ids = new_ids("MIGRATE", project, environments)
    tasks: list[PlannedTask] = []
    for place, (task_id, environment) in enumerate(zip(ids, environments, strict=True)):
        entry = _migration(task_id, f"Run database migrations for {project.name} {environment}", environment)
        entry |= _given(version=version, migrations_path=path)
        entry |= {"completion_promise": "MIGRATIONS_COMPLETE", "max_iterations": MAX_ITERATIONS}
        tasks.append(_task(project, environment, entry, ids[place - 1] if place else None))
    return tasks


def validations(
    project: KnownProject, environments: Sequence[str], version: str | None, path: str | None
) -> list[PlannedTask]:
    """Give one validation of the migrations for each environment; none waits for another."""
    tasks = []
    for task_id, environment in zip(new_ids("VALIDATE", project, environments), environments, strict=True):
        text = f"Validate all migrations of {project.name} for {environment}"
        entry = _migration(task_id, text, environment, "validate") | _given(
            version=version, migrations_path=path
        )
        tasks.append(PlannedTask(project.name, entry, project.environments[environment]))
    return tasks


def downgrade(project: KnownProject, environment: str, path: str | None) -> PlannedTask:
    """Give the task that takes the newest migration back."""
    (task_id,) = new_ids("DOWNGRADE", project, [environment])
    text = f"Take the newest migration of {project.name} in {environment} back"
    entry = _migration(task_id, text, environment, "downgrade") | _given(migrations_path=path)
    return _task(project, environment, entry, None)


def rollback(project: KnownProject, environment: str, version: str | None) -> PlannedTask:
    """Give the rollback to a version, or to the release before."""
    (task_id,) = new_ids("ROLLBACK", project, [environment])
    entry: dict[str, object] = {
        "id": task_id,
        "description": f"Roll {environment} back to {f'v{version}' if version else 'the previous release'}",
        "status": "pending",
        "agent_type": "rollback",
        "environment": environment,
    }
    return _task(project, environment, entry | _given(version=version), None)


def provisioning(
    project: KnownProject,
    environment: str | None,
    resource: object,
    text: str,
    case: Mapping[str, object],
) -> PlannedTask:
    """Give the request for an AWS resource."""
    entry: dict[str, object] = {
        "id": _free("PROVISION-{:03}", project.taken),
        "description": f"Provision {text}",
        "status": "pending",
        "agent_type": "provisioning",
        **_given(environment=environment),
        "resource": resource,
        "business_case": dict(case),
        "requires_approval": True,
    }
    return PlannedTask(project.name, entry, project.environments[environment] if environment else None)


def new_ids(verb: str, project: KnownProject, environments: Sequence[str]) -> list[str]:
    """Give ids of one number, the first for which all are free: DEPLOY-DEV-001, DEPLOY-STAGING-001."""
    stems = [f"{verb}-{re.sub(r'[^A-Z0-9]+', '-', _short(name).upper())}" for name in environments]
    number = 1
    while any(f"{stem}-{number:03}" in project.taken for stem in stems):
        number += 1
    return [f"{stem}-{number:03}" for stem in stems]


def _free(pattern: str, taken: frozenset[str]) -> str:
    number = 1
    while pattern.format(number) in taken:
        number += 1
    return pattern.format(number)


def _short(environment: str) -> str:
    return SHORT.get(environment, environment)


def _migration(task_id: str, text: str, environment: str, action: str = "run") -> dict[str, object]:
    return {
        "id": task_id,
        "description": text,
        "status": "pending",
        "agent_type": "migration",
        "action": action,
        "environment": environment,
    }


def _given(**fields: str | None) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None}


def _task(
    project: KnownProject, environment: str, entry: dict[str, object], after: str | None
) -> PlannedTask:
    gate = project.environments[environment]
    if after is not None:
        entry["depends_on"] = [after]
    if gate is GateKind.PRODUCTION:
        entry["requires_approval"] = True
    return PlannedTask(project.name, entry, gate)
