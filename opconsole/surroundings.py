"""Surroundings: the complete environment of a step's programs, made from the settings and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from opconsole.host import Host
from opconsole.journal.records import Run
from opconsole.programs import DEFAULT_PATH, clean_variables
from opconsole.settings.secrets import Value, resolve_all


class Scope(StrEnum):
    """What a step's programs may know."""

    PROJECT = "project"  # tests and builds: the same whatever environment the run is for
    ENVIRONMENT = "environment"  # migrations, health and smoke: with the environment's database
    TARGET = "target"  # the target's own programs: with the target's variables and tools


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Variables for programs, and the secret values among them that must not reach a log."""

    variables: Mapping[str, str]
    secrets: tuple[str, ...]


def resolve_surroundings(host: Host, run: Run, scope: Scope) -> Surroundings:
    """Make the environment for a run's programs. It reads files and keyrings, so call it in a thread.

    Raises SecretError when a reference cannot be resolved.
    """
    values = _values(host, run, scope)
    resolved = resolve_all(values, environ=host.environ, workspace=host.workspace.root)
    variables = clean_variables(
        path=search_path(host, run, scope),
        home=Path(host.environ["HOME"]) if host.environ.get("HOME") else None,
        extra={**resolved.variables, **_own(run, scope)},
    )
    return Surroundings(variables, tuple(secret.reveal() for secret in resolved.secrets))


def search_path(host: Host, run: Run, scope: Scope) -> str:
    """Give the PATH of a run's programs: the virtual environment first, then the system's folders."""
    project = host.workspace.settings.projects[run.project]
    if scope is Scope.TARGET:
        venv = getattr(project.environments[run.environment].target, "venv", None)
        base = host.workspace.root
    else:
        venv, base = project.venv, host.workspace.project_path(run.project)
    return f"{base / venv / 'bin'}:{DEFAULT_PATH}" if venv else DEFAULT_PATH


def _values(host: Host, run: Run, scope: Scope) -> dict[str, Value]:
    project = host.workspace.settings.projects[run.project]
    values: dict[str, Value] = dict(project.variables)
    if scope is Scope.PROJECT:
        return values
    environment = project.environments[run.environment]
    values.update(environment.variables)
    if environment.database is not None:
        values[environment.database.variable] = environment.database.url
    if scope is Scope.TARGET:
        values.update(getattr(environment.target, "variables", {}))
    return values


def _own(run: Run, scope: Scope) -> dict[str, str]:
    variables = {"OPCONSOLE_PROJECT": run.project, "OPCONSOLE_RUN": run.id}
    if run.version is not None:
        variables["OPCONSOLE_VERSION"] = run.version
    if scope is not Scope.PROJECT:
        variables["OPCONSOLE_ENVIRONMENT"] = run.environment
    return variables
