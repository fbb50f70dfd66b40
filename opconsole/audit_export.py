"""Writes the audit chain for other programs: JSON lines, or CSV that no spreadsheet runs."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from typing import TextIO

from guardrails.sanitise import sanitise
from opconsole.journal.records import AuditRow

FORMS = ("jsonl", "csv")
FIELDS = ("seq", "at", "actor", "action", "subject", "detail", "prev_hash", "hash")
_FORMULA = frozenset("=+-@\t\r|%＝＋－＠")


def entry_fields(row: AuditRow) -> dict[str, object]:
    """Give an entry's fields as they stand in the journal."""
    return {name: getattr(row, name) for name in FIELDS}


def write_entries(rows: Iterable[AuditRow], out: TextIO, form: str) -> int:
    """Write entries in one of FORMS; give how many."""
    return _write_csv(rows, out) if form == "csv" else _write_lines(rows, out)


def spreadsheet_cell(text: str) -> str:
    """Give a cell that no spreadsheet takes for a formula and no terminal for a command.

    What begins like a formula, also behind white space, gets an apostrophe, which spreadsheets hide.
    """
    clean = sanitise(text, single_line=True)
    return f"'{clean}" if clean.lstrip()[:1] in _FORMULA else clean


def _write_lines(rows: Iterable[AuditRow], out: TextIO) -> int:
    count = 0
    for row in rows:
        out.write(json.dumps(entry_fields(row), ensure_ascii=True, allow_nan=False) + "\n")
        count += 1
    return count


def _write_csv(rows: Iterable[AuditRow], out: TextIO) -> int:
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(FIELDS)
    count = 0
    for row in rows:
        writer.writerow([row.seq, *(spreadsheet_cell(str(getattr(row, name))) for name in FIELDS[1:])])
        count += 1
    return count
