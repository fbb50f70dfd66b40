"""The settings as far as they can be read: what is configured, and what is left out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from opconsole.doctor.base import Check, Patient, Result, fail, ok, warn
from opconsole.settings import SETTINGS_FILE
from opconsole.settings.errors import SettingsError


def checks(patient: Patient) -> Iterable[Check]:
    """Give the checks."""
    yield Check(SETTINGS_FILE, partial(look, patient))


def faults(error: SettingsError) -> list[Result]:
    """Give one result for each fault of settings that cannot be used."""
    return [
        fail(
            f"{one.file}:{one.line}" if one.line else one.file,
            ": ".join(part for part in (one.key, one.message) if part)
            + (f" (found: {one.found})" if one.found else ""),
            f"allowed: {one.allowed}"
            if one.allowed
            else "mend that line; docs/settings.md explains each key",
        )
        for one in error.faults
    ]


def look(patient: Patient) -> Iterator[Result]:
    """Say what is configured."""
    settings = patient.workspace.settings
    if not settings.projects:
        yield warn(SETTINGS_FILE, "no project is configured", "add [projects.NAME] with its path")
        return
    places = sum(len(project.environments) for project in settings.projects.values())
    yield ok(SETTINGS_FILE, f"projects: {len(settings.projects)}, environments: {places}")
    for name, project in settings.projects.items():
        if not project.environments:
            yield warn(
                name,
                "it has no environment, so nothing can be deployed",
                f"add [projects.{name}.environments.…]",
            )
        if not patient.workspace.project_path(name).is_dir():
            yield fail(
                name,
                f"its folder {patient.workspace.project_path(name)} is missing",
                f"clone it there, or set [projects.{name}] path",
            )
