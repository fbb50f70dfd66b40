"""The commands ``audit show`` and ``audit export``: the chain of decisions and effects."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TextIO

from opconsole.cli.output import CommandContext, ExitStatus, UsageError, json_text, plain, table
from opconsole.journal.records import AuditRow
from opconsole.reading import open_reading


def show_audit(context: CommandContext, limit: int | None) -> int:
    """List the entries of the audit chain, oldest first."""
    with closing(open_reading(context.workspace())) as reading:
        rows = reading.reader.audit() if reading.reader else []
    rows = rows[-limit:] if limit is not None else rows
    if context.json:
        context.document([_fields(row) for row in rows])
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
    with closing(open_reading(context.workspace())) as reading:
        rows = reading.reader.audit() if reading.reader else []
    with _destination(context, file) as out:
        _write_csv(rows, out) if form == "csv" else _write_lines(rows, out)
    if file is not None:
        context.say(f"wrote {len(rows)} entries to {plain(str(file.absolute()))}")
    return ExitStatus.DONE


def _fields(row: AuditRow) -> dict[str, object]:
    return {name: getattr(row, name) for name in FIELDS}


def _write_lines(rows: Iterable[AuditRow], out: TextIO) -> None:
    out.writelines(json_text(_fields(row), indent=None) + "\n" for row in rows)


def _write_csv(rows: Iterable[AuditRow], out: TextIO) -> None:
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(FIELDS)
    for row in rows:
        writer.writerow([row.seq, *(spreadsheet_cell(str(getattr(row, name))) for name in FIELDS[1:])])


def spreadsheet_cell(text: str) -> str:
    """Give a cell that no spreadsheet takes for a formula and no terminal for a command.

    What begins like a formula, also behind white space, gets an apostrophe, which spreadsheets hide.
    """
    clean = plain(text)
    return f"'{clean}" if clean.lstrip()[:1] in _FORMULA else clean


@contextmanager
def _destination(context: CommandContext, file: Path | None) -> Iterator[TextIO]:
    """Give where to write: a new file, never over one that is there, or standard output."""
    if file is None:
        yield context.stdout
        return
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise UsageError(f"{plain(str(file))} cannot be written: {error.strerror}") from error
    with open(descriptor, "w", encoding="utf-8", newline="") as out:  # noqa: PTH123 (a descriptor)
        yield out


FORMS = ("jsonl", "csv")
FIELDS = ("seq", "at", "actor", "action", "subject", "detail", "prev_hash", "hash")
_FORMULA = frozenset("=+-@\t\r|%＝＋－＠")
