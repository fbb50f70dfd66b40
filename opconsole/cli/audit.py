"""The commands ``audit show`` and ``audit export``: the chain of decisions and effects."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TextIO

from opconsole.audit_export import FORMS, entry_fields, write_entries
from opconsole.cli.output import CommandContext, ExitStatus, UsageError, plain, table
from opconsole.journal.audit_pages import AuditPages
from opconsole.new_file import new_file
from opconsole.reading import open_reading


def show_audit(context: CommandContext, limit: int | None) -> int:
    """List the entries of the audit chain, oldest first."""
    with closing(open_reading(context.workspace())) as reading:
        rows = reading.reader.audit() if reading.reader else []
    rows = rows[-limit:] if limit is not None else rows
    if context.json:
        context.document([entry_fields(row) for row in rows])
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


def export_audit(context: CommandContext, form: str, file: Path | None) -> int:
    """Write the whole chain: one JSON object a line, or a table for a spreadsheet."""
    if form not in FORMS:
        raise UsageError(f"{form!a} is no format; allowed: {', '.join(FORMS)}")
    with closing(open_reading(context.workspace())) as reading, _destination(context, file) as out:
        rows = AuditPages(reading.reader.engine).entries() if reading.reader else iter(())
        count = write_entries(rows, out, form)
    if file is not None:
        context.say(f"wrote {count} entries to {plain(str(file.absolute()))}")
    return ExitStatus.DONE


@contextmanager
def _destination(context: CommandContext, file: Path | None) -> Iterator[TextIO]:
    """Give where to write: a new file, never over one that is there, or standard output."""
    if file is None:
        yield context.stdout
        return
    try:
        with new_file(file) as out:
            yield out
    except OSError as error:
        raise UsageError(f"{plain(str(file))} cannot be written: {error.strerror}") from error
