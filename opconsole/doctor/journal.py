"""The journal: where it lives, whether it can be written, whether it is whole, and whether time went back."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from opconsole.clock import iso
from opconsole.doctor.base import ASKING, Check, Level, Patient, Result, fail, fault, ok, warn
from opconsole.journal.backup import integrity_faults
from opconsole.journal.errors import (
    JournalError,
    JournalMissingError,
    JournalOutdatedError,
    JournalPlaceError,
)
from opconsole.journal.hosting import host_alive
from opconsole.journal.location import STATE_VARIABLE, JournalPlace, locate, refuse_network, state_root
from opconsole.journal.reader import JournalReader
from opconsole.journal.upgrade import open_database
from opconsole.journal.upkeep import contradictions

RESTORE = "stop the worker, keep a copy of the folder; docs/service.md says how a backup is put back"
AHEAD = timedelta(seconds=5)
"""The journal may be ahead of the clock by so much."""


def checks(patient: Patient) -> Iterable[Check]:
    """Give the check: one, for what comes later is only asked where what comes before is well."""
    yield Check("journal", partial(look, patient), 4 * ASKING)


def look(patient: Patient) -> Iterator[Result]:
    """Find the journal and look into it."""
    try:
        root = state_root()
        refuse_network(_present(root))
        place = locate(patient.workspace.root, create=False)
    except JournalPlaceError as error:
        yield fault("journal", error, f"name a local folder of your own in {STATE_VARIABLE}")
        return
    above = _present(root if place is None else place.root)
    if not os.access(above, os.W_OK | os.X_OK):
        yield fail(
            "journal",
            f"{above} cannot be written by user {os.geteuid()}",
            f"chown it, or name a local folder of your own in {STATE_VARIABLE}",
        )
        return
    if place is None:
        yield ok("journal", "there is none yet: nothing has run in this workspace")
        return
    yield from _closed_to_others(place)
    yield from _inside(patient, place)


def went_back(last: datetime | None, now: datetime) -> Result:
    """Compare the clock with the newest moment on record."""
    if last is not None and last - now > AHEAD:
        return fail(
            "clock",
            f"the journal's newest entry is of {iso(last)}, but the clock says {iso(now)}: it was set back",
            "set the clock right (timedatectl set-ntp true); until then times and expiries are wrong",
        )
    return ok("clock", "not behind the journal's newest entry")


def _inside(patient: Patient, place: JournalPlace) -> Iterator[Result]:
    try:
        engine = open_database(place, host=False)
    except JournalMissingError as error:
        if any(place.runs.iterdir()):
            yield fault("journal", error, RESTORE)
        else:
            yield ok("journal", "it is empty: nothing has run in this workspace")
        return
    except JournalOutdatedError as error:
        held = host_alive(place)
        yield fault("journal", error, "start a worker: it upgrades it", Level.FAIL if held else Level.WARN)
        return
    except JournalError as error:
        yield fault("journal", error, RESTORE)
        return
    try:
        damaged = integrity_faults(place, quick=True)
        for damage in damaged:
            yield fail("journal", f"{place.database}: {damage}", RESTORE)
        if damaged:
            return
        reader = JournalReader(engine)
        for text in contradictions(engine):
            yield fail("journal", text, "opconsole journal check says more; report it with what it prints")
        yield went_back(reader.latest_moment(), patient.now)
        for row in reader.stuck_outbox():
            if row.kind != "notify":  # the notifications' group tells of those
                yield warn(
                    f"outbox {row.kind}",
                    f"{row.project}: not written after {row.attempts} tries: {row.error}",
                    "mend what it names; it is tried again by the worker. opconsole journal outbox lists all",
                )
        yield ok("journal", f"{place.database} is whole")
    finally:
        engine.dispose()


def _closed_to_others(place: JournalPlace) -> Iterator[Result]:
    for file in (place.database, place.host_lock):
        if file.exists() and file.stat().st_mode & 0o022:
            yield fail("journal", f"{file} may be written by others", f"chmod 600 {file}")
        if file.exists() and not os.access(file, os.R_OK | os.W_OK):
            yield fail("journal", f"{file} cannot be written by user {os.geteuid()}", "chown it to that user")


def _present(folder: Path) -> Path:
    return next(one for one in (folder, *folder.parents) if one.exists())
