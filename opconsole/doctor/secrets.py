"""References to secrets: whether each can be resolved here and now. No value is ever told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from opconsole.doctor.base import ASKING, Check, Patient, Result, fail, ok
from opconsole.settings.secrets import SecretError, SecretFile, SecretRef, resolve


def checks(patient: Patient) -> Iterable[Check]:
    """Give one check for each reference; two places that name the same one are told together."""
    used: dict[SecretRef, list[str]] = {}
    for place, value in places(patient):
        ref = value.ref if isinstance(value, SecretFile) else value
        if isinstance(ref, SecretRef):
            used.setdefault(ref, []).append(place)
    for ref, where in used.items():
        yield Check(where[0], partial(look, patient, ref, where), ASKING)


def look(patient: Patient, ref: SecretRef, where: list[str]) -> Iterator[Result]:
    """Resolve a reference, and forget at once what it holds."""
    place = where[0] if len(where) == 1 else f"{where[0]} and {len(where) - 1} more"
    try:
        resolve(ref, environ=patient.environ, workspace=patient.workspace.root)
    except SecretError as error:
        yield fail(place, f"{error.reference}: {error.message}", error.fix)
    else:
        yield ok(place, f"{ref.kind.value}: can be read")


def places(patient: Patient) -> Iterator[tuple[str, object]]:
    """Give every value of the settings that may be a reference, and where it stands."""
    settings = patient.workspace.settings
    for channel, one in settings.notifications.channels.items():
        yield f"notifications.channels.{channel}.url", one.url
    for name, project in settings.projects.items():
        base = f"projects.{name}"
        yield from ((f"{base}.variables.{key}", value) for key, value in project.variables.items())
        for place, environment in project.environments.items():
            table = f"{base}.environments.{place}"
            yield from ((f"{table}.variables.{key}", value) for key, value in environment.variables.items())
            if environment.database is not None:
                yield f"{table}.database.url", environment.database.url
            variables = getattr(environment.target, "variables", {})
            yield from ((f"{table}.target.variables.{key}", value) for key, value in variables.items())
