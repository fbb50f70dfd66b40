"""Text for the screens: safe whatever it came from, and times as people say them.

Nothing here parses markup: `Content` is built from pieces, each with its role.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from textwrap import wrap

from rich.cells import cell_len, set_cell_size
from textual.content import Content

from guardrails.sanitise import sanitise
from screens.look import STYLES, Mark, Role

Piece = str | tuple[str, Role] | Content


def safe(text: object, limit: int | None = None) -> str:
    """Give one line that nothing can hide in and that cannot steer a terminal."""
    return sanitise(str(text), single_line=True, limit=limit)


def content(*pieces: Piece) -> Content:
    """Put pieces together. Every piece is made safe; a newline of its own stays only in a plain ``"\\n"``."""
    return Content.assemble(*(_piece(piece) for piece in pieces))


def lines(rows: Iterable[Content]) -> Content:
    """Put lines under each other."""
    return Content("\n").join(rows)


def mark(of: Mark, *, width: int = 0) -> Content:
    """Show a state: glyph and word, padded to a width in characters."""
    return content((str(of).ljust(width), of.role))


def block(text: str) -> Content:
    """Show a text of several lines. Presentation selectors go: terminals disagree about their width."""
    return Content(sanitise(text).replace("\ufe0f", ""))


def clip(text: object, cells: int) -> str:
    """Give one safe line of so many cells at most; what is cut shows as ``…``."""
    line = safe(text)
    return line if cell_len(line) <= cells else set_cell_size(line, max(0, cells - 1)).rstrip() + "…"


def clip_start(text: object, cells: int) -> str:
    """Do the same, but cut at the beginning, where the end tells most."""
    line = safe(text)
    if cell_len(line) <= cells:
        return line
    kept = line[-cells:]
    while kept and cell_len(kept) >= cells:
        kept = kept[1:]
    return "…" + kept.lstrip()


def folded(
    text: str, width: int, *, indent: int, role: Role = Role.PLAIN, limit: int = 1000
) -> list[Content]:
    """Give a text as lines that keep their indent where they are folded."""
    parts = wrap(safe(text, limit=limit), max(20, width - indent)) or [""]
    return [content(" " * indent, (part, role)) for part in parts]


def duration(seconds: float) -> str:
    """Say how long something took: ``0.4 s``, ``12 s``, ``1 m 05 s``, ``2 h 03 m``, ``3 d 04 h``."""
    if seconds < 10:
        return f"{max(0.0, seconds):.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} m {whole % 60:02} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02} m"
    return f"{whole // 86400} d {whole % 86400 // 3600:02} h"


def elapsed(start: datetime | None, end: datetime | None, now: datetime) -> float | None:
    """Give the seconds between start and end, or until now while it lasts; None before the start."""
    return None if start is None else max(0.0, ((end or now) - start).total_seconds())


def moment(at: datetime, now: datetime) -> str:
    """Say when something was, in UTC: the time, with the date unless it is today's."""
    at = at.astimezone(UTC)
    same_day = at.date() == now.astimezone(UTC).date()
    return f"{at:%H:%M:%S} UTC" if same_day else f"{at:%Y-%m-%d %H:%M:%S} UTC"


def bar(share: float, width: int) -> tuple[str, str]:
    """Give the filled and the empty part of a progress bar of so many cells."""
    filled = min(width, max(0, round(share * width)))
    return "━" * filled, "─" * (width - filled)


def _piece(piece: Piece) -> Content | tuple[str, str] | str:
    if isinstance(piece, Content):
        return piece
    if isinstance(piece, tuple):
        return safe(piece[0]), STYLES[piece[1]]
    return piece if piece == "\n" else safe(piece)
