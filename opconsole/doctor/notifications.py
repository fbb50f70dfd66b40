"""The channels: which of them did not take what they were last told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from functools import partial

from opconsole.doctor.base import Check, Patient, Result, ok, warn
from opconsole.journal.errors import JournalError, JournalPlaceError
from opconsole.reading import open_reading


def checks(patient: Patient) -> Iterable[Check]:
    """Give the check."""
    yield Check("channels", partial(look, patient))


def look(patient: Patient) -> Iterator[Result]:
    """Look into the outbox; nothing is sent."""
    channels = patient.workspace.settings.notifications.channels
    if not channels:
        yield ok("channels", "nobody is told of anything")
        return
    try:
        with closing(open_reading(patient.workspace)) as reading:
            stuck = (
                [row for row in reading.reader.stuck_outbox() if row.kind == "notify"]
                if reading.reader
                else []
            )
    except (JournalError, JournalPlaceError):
        return  # the journal's group tells
    failed: Counter[str] = Counter()
    why: dict[str, str] = {}
    for row in stuck:
        name = str(row.payload.get("channel", "?"))
        failed[name] += 1
        why[name] = row.error or ""
    for name, count in failed.items():
        yield warn(
            f"notifications.channels.{name}",
            f"it did not take {count} message{'' if count == 1 else 's'}: {why[name]}",
            f"mend its URL or its service, then try: opconsole notify test {name}",
        )
    for name in channels:
        if name not in failed:
            yield ok(f"notifications.channels.{name}", "nothing waits to be told")
