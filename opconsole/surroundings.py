"""Surroundings: the complete environment of a step's programs, made from the settings and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from opconsole.host import Host
from opconsole.journal.records import Run
from opconsole.programs import DEFAULT_PATH, clean_variables
from opconsole.settings.model import Project
from opconsole.settings.secrets import Value, resolve_all
from opconsole.workspace import Workspace


class Scope(StrEnum):
    """What a step's programs may know."""

    PROJECT = "project"  # tests and builds: the same whatever environment the run is for
    ENVIRONMENT = "environment"  # migrations, health and smoke: with the environment's database
    TARGET = "target"  # the target's own programs: with the target's variables and tools


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Variables for programs, and the secret values among them that must not reach a log."""

    variables: Mapping[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    files: Mapping[str, str] = field(repr=False, default_factory=dict)
    """By the variable that is to name it: what stands in a file, which is gone when the program is."""


@dataclass(frozen=True, slots=True)
class Site:
    """One environment of one project, as the settings have it: where programs run and a database is."""

    workspace: Workspace
    environ: Mapping[str, str] = field(repr=False)
    """The process's own variables, where ``env:NAME`` references are looked up."""
    project: str
    environment: str
    run: str = ""
    """The run on whose behalf something is done there; empty: nobody's, somebody only looks."""
    version: str | None = None

    @classmethod
    def of(cls, host: Host, run: Run) -> Site:
        """Give the site that a run works on."""
        return cls(host.workspace, host.environ, run.project, run.environment, run.id, run.version)

    @property
    def settings(self) -> Project:
        """The settings of the project."""
        return self.workspace.project(self.project)

    def surroundings(self, scope: Scope) -> Surroundings:
        """Make the environment for programs. It reads files and keyrings, so call it in a thread.

        Raises SecretError when a reference cannot be resolved.
        """
        resolved = resolve_all(self._values(scope), environ=self.environ, workspace=self.workspace.root)
        variables = clean_variables(
            path=self.search_path(scope),
            home=Path(self.environ["HOME"]) if self.environ.get("HOME") else None,
            extra={**resolved.variables, **self._own(scope)},
        )
        for name in resolved.files:
            variables.pop(name, None)  # one of ours, such as HOME: the settings' word counts
        return Surroundings(variables, tuple(secret.reveal() for secret in resolved.secrets), resolved.files)

    def search_path(self, scope: Scope) -> str:
        """Give the PATH of programs: the virtual environment first, then the system's folders."""
        project = self.settings
        if scope is Scope.TARGET:
            venv = getattr(project.environments[self.environment].target, "venv", None)
            base = self.workspace.root
        else:
            venv, base = project.venv, self.workspace.project_path(self.project)
        return f"{base / venv / 'bin'}:{DEFAULT_PATH}" if venv else DEFAULT_PATH

    def _values(self, scope: Scope) -> dict[str, Value]:
        project = self.settings
        values: dict[str, Value] = dict(project.variables)
        if scope is Scope.PROJECT:
            return values
        environment = project.environments[self.environment]
        values.update(environment.variables)
        if environment.database is not None:
            values[environment.database.variable] = environment.database.url
        if scope is Scope.TARGET:
            values.update(getattr(environment.target, "variables", {}))
        return values

    def _own(self, scope: Scope) -> dict[str, str]:
        variables = {"OPCONSOLE_PROJECT": self.project}
        if self.run:
            variables["OPCONSOLE_RUN"] = self.run
        if self.version is not None:
            variables["OPCONSOLE_VERSION"] = self.version
        if scope is not Scope.PROJECT:
            variables["OPCONSOLE_ENVIRONMENT"] = self.environment
        return variables


def resolve_surroundings(host: Host, run: Run, scope: Scope) -> Surroundings:
    """Make the environment for a run's programs, in a thread, as `Site.surroundings` has it."""
    return Site.of(host, run).surroundings(scope)


def search_path(host: Host, run: Run, scope: Scope) -> str:
    """Give the PATH of a run's programs."""
    return Site.of(host, run).search_path(scope)
