"""Finds texts and errors in a log of any size, line by line."""

from __future__ import annotations

import re

from opconsole.logs import parse_line
from screens.widgets.log_file import LogFile

HITS = 100_000
"""Hits that a search counts at most."""
ERRORS = re.compile(
    rb"^.{24}[eE] |\b(?:error|errors|failed|failure|fatal|critical|traceback|exception)\b", re.IGNORECASE
)
"""What a raw line of the error stream, or one that speaks of an error, looks like."""


def find_text(log: LogFile, start: int, text: str) -> list[int]:
    """Find the lines with a text from a number on, whatever its case. Reads the disk: for a thread.

    The raw line decides, except where control sequences may split the text.
    """
    folded = text.casefold()
    raw = folded.encode() if folded.isascii() else None
    hits = []
    for number, line in log.lines_from(start):
        if raw is not None and b"\x1b" not in line and raw not in line.lower():
            continue
        if folded in parse_line(line).display().casefold():
            hits.append(number)
            if len(hits) >= HITS:
                break
    return hits
