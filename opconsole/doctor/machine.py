"""The machine: room on the disks that opconsole writes to."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from opconsole.doctor.base import Check, Patient, Result, fail, ok, warn
from opconsole.journal.errors import JournalPlaceError
from opconsole.journal.location import state_root
from opconsole.settings.targets import ReleasesTarget

TIGHT = 1024**3
"""Bytes below which it is time to do something."""

FULL = 100 * 1024**2
"""Bytes below which deployments will fail."""


def checks(patient: Patient) -> Iterable[Check]:
    """Give one check for each folder that is written to, once for each disk."""
    seen: set[int] = set()
    for place, folder in _folders(patient):
        present = next(one for one in (folder, *folder.parents) if one.exists())
        device = present.stat().st_dev
        if device not in seen:
            seen.add(device)
            yield Check(place, partial(look, place, present))


def look(place: str, folder: Path) -> Iterator[Result]:
    """Ask how much room there is."""
    usage = shutil.disk_usage(folder)
    yield room(place, folder, usage.free, usage.total)


def room(place: str, folder: Path, free: int, total: int) -> Result:
    """Judge how much room there is."""
    text = f"{_size(free)} of {_size(total)} are free in {folder}"
    fix = "free some space; opconsole journal prune --dry-run shows what opconsole itself could give back"
    if free < FULL:
        return fail(place, f"the disk is nearly full: {text}", fix)
    return warn(place, f"room gets short: {text}", fix) if free < TIGHT else ok(place, text)


def _folders(patient: Patient) -> Iterator[tuple[str, Path]]:
    yield "workspace", patient.workspace.root
    with suppress(JournalPlaceError):  # the journal's group tells
        yield "journal", state_root()
    for name, project in patient.workspace.settings.projects.items():
        for place, environment in project.environments.items():
            if isinstance(environment.target, ReleasesTarget):
                yield f"{name} {place}", patient.workspace.path(environment.target.path)


def _size(count: int) -> str:
    return f"{count / 1024**3:.1f} GiB" if count >= 1024**3 else f"{count / 1024**2:.0f} MiB"
