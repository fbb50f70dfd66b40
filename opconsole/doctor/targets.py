"""The targets: whether releases could be placed there, and whether another workspace holds them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from opconsole.doctor.base import Check, Patient, Result, fail, fault, ok
from opconsole.journal.errors import JournalPlaceError
from opconsole.journal.location import locate
from opconsole.settings.targets import ReleasesTarget
from opconsole.steps import StepFailed
from opconsole.targets.record import RecordFile


def checks(patient: Patient) -> Iterable[Check]:
    """Give one check for each environment whose releases lie in a folder."""
    for name, project in patient.workspace.settings.projects.items():
        for place, environment in project.environments.items():
            if isinstance(environment.target, ReleasesTarget):
                folder = patient.workspace.path(environment.target.path)
                where = f"{name} {place}"
                yield Check(where, partial(look, patient, where, folder))


def look(patient: Patient, place: str, folder: Path) -> Iterator[Result]:
    """See that the folder can be written, or made; that `current` is a link; and who holds it."""
    if not os.path.lexists(folder):
        above = next(one for one in folder.parents if os.path.lexists(one))
        if above.is_dir() and os.access(above, os.W_OK | os.X_OK):
            yield ok(place, f"{folder} will be made by the first deployment")
        else:
            yield fail(
                place,
                f"{folder} is missing and {above} cannot be written by user {os.geteuid()}",
                f"make it as who may: mkdir -p {folder}, and give it to the worker's user",
            )
        return
    if not folder.is_dir():
        yield fail(place, f"{folder} is not a folder", "move it away, or set target.path to a folder")
        return
    unwritable = [
        one
        for one in (folder, folder / "releases", folder / "shared")
        if one.exists() and not os.access(one, os.W_OK | os.X_OK)
    ]
    for one in unwritable:
        yield fail(
            place,
            f"{one} cannot be written by user {os.geteuid()}",
            f"give it to the worker's user: chown -R USER {one}, or chmod u+rwx {one}",
        )
    current = folder / "current"
    if os.path.lexists(current) and not current.is_symlink():
        yield fail(
            place,
            f"{current} is not a link, so no release can be switched to",
            "move it away; the next deployment makes the link",
        )
    held = list(_held(patient, place, folder))
    yield from held
    if not unwritable and not held:
        yield ok(place, f"{folder} can be written")


def _held(patient: Patient, place: str, folder: Path) -> Iterator[Result]:
    record = RecordFile(folder, place=place)
    try:
        holder = record.read().holder
    except StepFailed as error:
        yield fault(place, error, f"make sure that no run changes this target, then remove {record.path}")
        return
    except OSError as error:
        yield fail(
            place, f"{record.path} cannot be read: {error.strerror}", f"chown it to user {os.geteuid()}"
        )
        return
    try:
        journal = locate(patient.workspace.root, create=False)
    except JournalPlaceError:
        return  # the journal's group tells
    if holder is not None and (journal is None or holder.journal_id != journal.id):
        yield fail(
            place,
            f"{folder} is held by run {holder.run} of another workspace (journal {holder.journal_id})",
            record.way_on(holder),
        )
