"""The commands ``audit show``, ``audit verify`` and ``journal backup``: the record of it all."""

from __future__ import annotations

import re
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from opconsole.audit import Checkpoint, verify_chain
from opconsole.cli.output import CommandContext, ExitStatus, UsageError, plain, table
from opconsole.journal.backup import backup
from opconsole.reading import open_reading


def show_audit(context: CommandContext, limit: int | None) -> int:
    """List the entries of the audit chain, oldest first."""
    with closing(open_reading(context.workspace())) as reading:
        rows = reading.reader.audit() if reading.reader else []
    rows = rows[-limit:] if limit is not None else rows
    if context.json:
        context.document(
            [
                {
                    "seq": row.seq,
                    "at": row.at,
                    "actor": row.actor,
                    "action": row.action,
                    "subject": row.subject,
                    "detail": row.detail,
                    "prev_hash": row.prev_hash,
                    "hash": row.hash,
                }
                for row in rows
            ]
        )
        return ExitStatus.DONE
    if not rows:
        context.say("Nothing is on record yet.")
        return ExitStatus.DONE
    lines = [
        (
            str(row.seq),
            plain(row.at),
            plain(row.actor),
            plain(row.action),
            plain(row.subject),
            plain(row.detail),
        )
        for row in rows
    ]
    context.say(table(("NO", "AT", "WHO", "WHAT", "OF", "DETAIL"), lines, context.width))
    return ExitStatus.DONE


def verify_audit(context: CommandContext, checkpoint: str | None) -> int:
    """Prove the chain; 1 where it is broken."""
    noted = None if checkpoint is None else _checkpoint(checkpoint)
    with closing(open_reading(context.workspace())) as reading:
        rows = reading.reader.audit() if reading.reader else []
    fault = verify_chain(rows, noted)
    last = f"{rows[-1].seq}:{rows[-1].hash}" if rows else None
    if context.json:
        found = None
        if fault is not None:
            found = {
                "fault": fault.fault.value,
                "seq": fault.seq,
                "found": fault.found,
                "expected": fault.expected,
                "message": str(fault),
            }
        context.document({"valid": fault is None, "entries": len(rows), "checkpoint": last, "fault": found})
    elif fault is not None:
        context.warn(plain(str(fault)))
    else:
        context.say(f"the audit chain is sound: {len(rows)} entries")
        if last is not None:
            context.say(f"note this elsewhere, to find what is cut off its end: --checkpoint {last}")
    return ExitStatus.DONE if fault is None else ExitStatus.FAILED


def backup_journal(context: CommandContext, file: Path | None) -> int:
    """Write a checked copy of the journal."""
    with closing(open_reading(context.workspace())) as reading:
        place = reading.place if reading.reader else None
    if place is None:
        raise UsageError("there is no journal yet: nothing has run in this workspace")
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


def _checkpoint(text: str) -> Checkpoint:
    match = _CHECKPOINT.fullmatch(text)
    if match is None:
        raise UsageError(
            f"--checkpoint {text!a} is none; it looks like 12:sha256:… with 64 hexadecimal digits"
        )
    return Checkpoint(int(match[1]), match[2])


_CHECKPOINT = re.compile(r"([0-9]{1,18}):(sha256:[0-9a-f]{64})")
