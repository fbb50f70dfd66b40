"""The commands ``journal backup``, ``check``, ``prune`` and ``outbox``: looking after the record."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.exc import DatabaseError

from opconsole.artifacts import ContentStore, StoreError
from opconsole.audit import verify_chain
from opconsole.cli.output import CommandContext, ExitStatus, UsageError, plain, table
from opconsole.client import Client
from opconsole.clock import iso
from opconsole.housekeeping import kept_folders, look
from opconsole.journal.backup import backup, integrity_faults
from opconsole.journal.location import JournalPlace
from opconsole.journal.reader import JournalReader
from opconsole.journal.records import OutboxRow, RequestKind
from opconsole.journal.upkeep import contradictions, release_facts
from opconsole.reading import Reading, open_reading


def backup_journal(context: CommandContext, file: Path | None) -> int:
    """Write a checked copy of the journal."""
    with closing(open_reading(context.workspace())) as reading:
        place, _ = _journal(reading)
    destination = (
        file if file is not None else Path(f"opconsole-journal-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.sqlite3")
    )
    if not destination.absolute().parent.is_dir():
        raise UsageError(f"{plain(str(destination))}: there is no such folder")
    backup(place, destination)
    context.say(f"wrote {plain(str(destination.absolute()))}")
    if context.json:
        context.document({"journal": place.id, "file": str(destination.absolute())})
    return ExitStatus.DONE


def check_journal(context: CommandContext, *, quick: bool) -> int:
    """Say whether the journal is whole and agrees with itself; 1 where it does not."""
    with closing(open_reading(context.workspace())) as reading:
        place, reader = _journal(reading)
        found = [
            {"check": check, "message": message} for check, message in _faults(place, reader, quick=quick)
        ]
    if context.json:
        context.document({"journal": place.id, "sound": not found, "faults": found})
    elif not found:
        context.say(f"the journal is sound: {plain(str(place.database))}")
    for fault in found if not context.json else []:
        context.warn(plain(f"{fault['check']}: {fault['message']}"))
    if found and not context.json:
        context.warn(
            "Stop the worker and keep a copy of the folder; docs/service.md says how a backup is put back"
        )
    return ExitStatus.FAILED if found else ExitStatus.DONE


def _faults(place: JournalPlace, reader: JournalReader, *, quick: bool) -> Iterator[tuple[str, str]]:
    damaged = integrity_faults(place, quick=quick)
    yield from (("database", fault) for fault in damaged)
    try:
        broken = verify_chain(reader.audit())
        if broken is not None:
            yield "audit", str(broken)
        yield from (("rows", fault) for fault in contradictions(reader.engine))
        for release in (one for one in release_facts(reader.engine) if one.current):
            for store, digest in (
                (place.sources, release.source_digest),
                (place.artifacts, release.artifact_digest),
            ):
                fault = _not_stored(store, digest)
                if fault:
                    yield "copies", f"{release.project} {release.environment} {release.name}: {fault}"
    except DatabaseError as error:
        if not damaged:
            yield "database", f"it cannot be read to the end: {error.orig}"


def _not_stored(store: Path, digest: str) -> str | None:
    if not digest:
        return None
    try:
        ContentStore(store).path(digest)
    except StoreError as error:
        return str(error)
    return None


def prune_journal(context: CommandContext, *, dry_run: bool) -> int:
    """Remove what nothing needs any more, by the settings; with *dry_run* only say what."""
    workspace = context.workspace()
    if dry_run:
        with closing(open_reading(workspace)) as reading:
            place, reader = _journal(reading)
            allowed = look(reader.engine, workspace.settings.journal, datetime.now(UTC))
            folders = kept_folders(place, allowed.runs)
        rows = {old.table: old.count for old in allowed.rows}
        if context.json:
            runs = [folder.name for folder in folders]
            context.document({"before": iso(allowed.before), "runs": runs, "rows": rows})
        else:
            counted = ", ".join(f"{count} {table}" for table, count in rows.items()) or "no rows"
            context.say(f"of what ended before {iso(allowed.before)} these would go: {counted}")
            context.say(f"and the folders of {len(folders)} runs, with the copies that only they need")
        return ExitStatus.DONE
    client = Client.open(workspace)
    try:
        answer = asyncio.run(client.ask(RequestKind.PRUNE, {}))
    finally:
        client.close()
    if context.json:
        context.document({"granted": answer.granted, "message": answer.text})
    else:
        (context.say if answer.granted else context.warn)(plain(answer.text))
    return ExitStatus.DONE if answer.granted else ExitStatus.FAILED


def show_outbox(context: CommandContext) -> int:
    """List what has not left for files and channels yet, and why; 1 where something could not."""
    with closing(open_reading(context.workspace())) as reading:
        rows = reading.reader.open_outbox() if reading.reader else []
        alive = reading.worker_alive
    if context.json:
        context.document([_message_json(row) for row in rows])
    elif not rows:
        context.say("Nothing waits: all that happened has been written and told.")
    else:
        nobody = "waits" if alive else "no worker is alive"
        lines = [
            (
                str(row.seq),
                row.kind,
                plain(row.project),
                plain(subject_of(row)),
                iso(row.created_at) or "",
                str(row.attempts),
                plain(row.error or nobody),
            )
            for row in rows
        ]
        context.say(table(("NO", "KIND", "PROJECT", "OF", "SINCE", "TRIES", "WHY"), lines, context.width))
    return ExitStatus.FAILED if any(row.error for row in rows) else ExitStatus.DONE


def subject_of(row: OutboxRow) -> str:
    """Say in a word what a message is about."""
    named = [row.payload.get(name) for name in ("channel", "task", "run")]
    return " ".join(text for text in named[:2] if isinstance(text, str)) or str(named[2] or "-")


def _message_json(row: OutboxRow) -> dict[str, object]:
    return {
        "seq": row.seq,
        "kind": row.kind,
        "project": row.project,
        "of": subject_of(row),
        "created_at": iso(row.created_at),
        "attempts": row.attempts,
        "error": row.error,
    }


def _journal(reading: Reading) -> tuple[JournalPlace, JournalReader]:
    if reading.place is None or reading.reader is None:
        raise UsageError("there is no journal yet: nothing has run in this workspace")
    return reading.place, reading.reader
