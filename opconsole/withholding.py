"""Withholding: takes the secrets of a run's programs out of texts that leave for people and files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from opconsole.masks import SHORTEST_LINE, masked_forms
from opconsole.settings.secrets import SecretError, resolve_all
from opconsole.workspace import Workspace

MASK = "***"


def masked(text: str, secrets: Sequence[str]) -> str:
    """Take every spelling of the secrets out of a text, the longest first."""
    for form in sorted(masked_forms(secrets), key=len, reverse=True):
        if len(form) >= SHORTEST_LINE:  # a shorter one would be found everywhere, and tell by its absence
            text = text.replace(form, MASK)
    return text


def secrets_of(
    workspace: Workspace, environ: Mapping[str, str], project: str, environment: str
) -> tuple[str, ...]:
    """Give the secrets that a run's programs knew, as far as they can be found now. Blocks."""
    settings = workspace.settings.projects.get(project)
    if settings is None:
        return ()
    values = dict(settings.variables)
    place = settings.environments.get(environment)
    if place is not None:
        values.update(place.variables)
        values.update(getattr(place.target, "variables", {}))
        if place.database is not None:
            values["\0database"] = place.database.url
    found: list[str] = []
    for name, value in values.items():
        try:
            one = resolve_all({name: value}, environ=environ, workspace=workspace.root)
        except SecretError:
            continue  # what cannot be found was not printed by a program that had it
        found += [secret.reveal() for secret in one.secrets]
    return tuple(found)
