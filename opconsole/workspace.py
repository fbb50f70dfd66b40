"""A workspace: the folder with ``opconsole.toml``, and what its settings mean for each environment."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from guardrails.approving import Deciders
from guardrails.environments import GateKind, resolve_environment
from guardrails.freezing import Freeze, frozen
from guardrails.gates import GATES, Asks, Gate
from opconsole.settings import (
    SETTINGS_FILE,
    Approvals,
    Environment,
    Project,
    Settings,
    load_settings,
    rules_of,
)
from opconsole.settings.aws import PLACE

AWS = PLACE
"""Stands for the environment of a resource that belongs to none; it has production's gate."""

_NOWHERE = Environment.model_construct(gate=GateKind.PRODUCTION, target=None)  # nothing is ever placed there


class UnknownProjectError(ValueError):
    """A project that the settings do not have."""

    def __init__(self, name: str, allowed: tuple[str, ...]) -> None:
        self.name = name
        self.allowed = allowed
        known = ", ".join(allowed) or f"none yet; add [projects.…] to {SETTINGS_FILE}"
        super().__init__(f"unknown project {name!a}; allowed: {known}")


@dataclass(frozen=True, slots=True)
class StepLimits:
    """Seconds that steps may take in one environment."""

    deployment: float
    migration: float
    rollback: float


@dataclass(frozen=True, slots=True)
class Workspace:
    """A workspace and its settings. Asks nothing of the disk: paths may or may not exist."""

    root: Path
    """The workspace's folder, absolute, links resolved."""
    settings: Settings

    @classmethod
    def open(cls, root: Path, *, environ: Mapping[str, str] | None = None) -> Workspace:
        """Load the workspace in the folder *root*. Raises SettingsError."""
        return cls(root.resolve(), load_settings(root, environ=environ))

    @property
    def name(self) -> str:
        """What the console calls it."""
        return self.settings.workspace.name or self.root.name or "workspace"

    def path(self, text: str) -> Path:
        """Give the place that a path of the settings stands for: relative ones begin at the workspace."""
        return Path(os.path.normpath(self.root / text))

    def queue_path(self, project: str) -> Path:
        """Give the project's work queue file. Raises UnknownProjectError."""
        self.project(project)
        return self.root / self.settings.workspace.queues / queue_name(project)

    def project_path(self, project: str) -> Path:
        """Give the project's folder. Raises UnknownProjectError."""
        return self.path(self.project(project).path)

    def project(self, name: str) -> Project:
        """Give a project's settings. Names are exact. Raises UnknownProjectError."""
        try:
            return self.settings.projects[name]
        except KeyError:
            raise UnknownProjectError(name, tuple(self.settings.projects)) from None

    def environments(self, project: str) -> Mapping[str, GateKind]:
        """Give the project's environments, in the order of the file, and the gate of each."""
        return {name: one.gate for name, one in self.project(project).environments.items()}

    def place(self, project: str, name: str) -> str:
        """Give the environment that a name or alias means; AWS, where provisioning runs, is always one.

        Raises UnknownProjectError or UnknownEnvironmentError.
        """
        places = self.environments(project)
        return AWS if name == AWS else resolve_environment(name, places)

    def environment(self, project: str, name: str) -> Environment:
        """Give an environment's settings; *name* may be an alias, or AWS.

        Raises UnknownProjectError or UnknownEnvironmentError.
        """
        if name == AWS and AWS not in self.environments(project):
            return _NOWHERE
        return self.project(project).environments[resolve_environment(name, self.environments(project))]

    def gate(self, project: str, environment: str) -> Gate:
        """Give an environment's policy: the guide's table, tightened by the settings, never loosened."""
        settings = self.environment(project, environment)
        default = GATES[settings.gate]
        return replace(
            default,
            approval=Asks.ALWAYS if settings.requires_approval else default.approval,
            auto_rollback=default.auto_rollback and settings.auto_rollback is not False,
            expires_after=self.rules(project, environment).expires_after,
        )

    def rules(self, project: str, environment: str) -> Approvals:
        """Give the rules of deciding there: the environment's, else the project's, else the workspace's."""
        return rules_of(self.settings, project, self.place(project, environment))

    def approvers(self, project: str, environment: str) -> tuple[str, ...]:
        """Give who may approve there; empty: whoever operates the console."""
        rules = self.rules(project, environment)
        return tuple(dict.fromkeys((*rules.approvers, *rules.seniors))) if rules.approvers else ()

    def deciders(self, project: str, environment: str) -> Deciders:
        """Give who may decide there, and how."""
        rules = self.rules(project, environment)
        return Deciders(
            approvers=rules.approvers,
            quorum=rules.quorum,
            four_eyes=rules.four_eyes,
            seniors=rules.seniors,
            wait=rules.wait,
            break_glass_wait=rules.break_glass_wait,
            signed=rules.allowed_signers is not None,
        )

    def freeze(self, project: str, environment: str, now: datetime) -> Freeze | None:
        """Say whether the calendar freezes an environment now."""
        production = self.environment(project, environment).gate is GateKind.PRODUCTION
        windows = [
            one.window
            for one in self.settings.approvals.freezes
            if (not one.projects or project in one.projects)
            and (environment in one.environments if one.environments else production)
        ]
        return frozen(windows, now)

    def limits(self, project: str, environment: str) -> StepLimits:
        """Give the time limits of an environment: its own, else the policy's."""
        own, policy = self.environment(project, environment).limits, self.settings.policy
        return StepLimits(
            deployment=own.deployment or policy.deployment_limit,
            migration=own.migration or policy.migration_limit,
            rollback=own.rollback or policy.rollback_limit,
        )


def find_workspace(start: Path) -> Path | None:
    """Give the nearest folder with ``opconsole.toml``: *start* or one above it; None where there is none."""
    folder = start.resolve()
    return next((one for one in (folder, *folder.parents) if (one / SETTINGS_FILE).is_file()), None)


def queue_name(project: str) -> str:
    """Give the file name of a project's work queue."""
    return f"work_queue_{project}.json"


def workspace_files(folder: Path) -> tuple[Path, Path]:
    """Give the files that ``init_workspace`` writes into *folder*: the settings and the first queue."""
    return folder / SETTINGS_FILE, folder / "tasks" / queue_name(project_name_for(folder))


def init_workspace(folder: Path) -> list[Path]:
    """Make *folder* a workspace with commented settings and an empty queue; give the files written.

    Nothing is ever overwritten: what of ``workspace_files(folder)`` is not in the answer was there before.
    Where settings exist already, nothing is written at all, for they decide what the queues are called.
    Raises OSError where the folder cannot be written.
    """
    settings, queue = workspace_files(folder)
    if os.path.lexists(settings):
        return []
    project = project_name_for(folder)
    queue.parent.mkdir(parents=True, exist_ok=True)
    # The settings come last: they alone make it a workspace, so an interrupted start can be repeated.
    content = {queue: _empty_queue(project), settings: _starter(project)}
    return [path for path, text in content.items() if _written(path, text)]


def project_name_for(folder: Path) -> str:
    """Give a project name made from a folder's name: what names may not hold becomes "-"."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "-" for c in folder.resolve().name)
    return plain.strip("_-")[:64] or "project"


def _empty_queue(project: str) -> str:
    return json.dumps({"project": project, "features": []}, indent=2) + "\n"


def _starter(project: str) -> str:
    template = Path(__file__).with_name("settings") / "starter.toml"
    return template.read_text(encoding="utf-8").replace("@PROJECT@", project)


def _written(path: Path, text: str) -> bool:
    """Write a new file; say False where there is one already, be it a dangling link."""
    try:
        # 0o644 whatever the umask: settings that everybody may write would be refused.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    except FileExistsError:
        return False
    with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 (a descriptor, made exclusively)
        file.write(text)
    return True
