"""Shows a source file's text, or the code around a place: safe first, then coloured, bounded in lines."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from textual.content import Content
from textual.highlight import highlight

from guardrails.sanitise import sanitise
from screens.look import Role
from screens.words import content, lines

LINES = 400
"""Lines of a file that are shown at most."""
LANGUAGES = {
    ".py": "python",
    ".sql": "sql",
    ".js": "javascript",
    ".mjs": "javascript",
    ".ts": "typescript",
    ".sh": "bash",
    ".tf": "terraform",
    ".yml": "yaml",
    ".yaml": "yaml",
}
WIDEST = 400
"""Characters of a line of code that are shown at most."""


@dataclass(frozen=True, slots=True)
class CodeLine:
    """A line of code around a place."""

    number: int
    here: bool
    """It is the place's own line."""
    text: Content


def source_text(text: str, path: str, *, indent: int) -> Content:
    """Give a file's text for showing. It may be hostile: only what is left after sanitising is coloured."""
    clean = sanitise(text.expandtabs(4)).replace("\ufe0f", "").rstrip("\n").split("\n")
    shown = "\n".join(clean[:LINES])
    language = LANGUAGES.get(PurePosixPath(path).suffix, "text")
    coloured = highlight(shown, language=language).split("\n", allow_blank=True)
    rows = [Content.assemble(" " * indent, ("│ ", "$foreground-muted"), line) for line in coloured]
    if len(clean) > LINES:
        rows.append(content(" " * indent, (f"… {len(clean) - LINES} more lines in {path}", Role.WARN)))
    return lines(rows)


def code_around(text: str, path: str, line: int, *, around: int = 4) -> list[CodeLine]:
    """Give the lines around a line of a hostile text, coloured; none where it is not that long.

    Every line is made safe alone, so that none can swallow the next.
    """
    rows = text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n")
    if not 0 < line <= len(rows):
        return []
    last = min(len(rows), line + around)
    clean = [sanitise(row.expandtabs(4), single_line=True, limit=WIDEST) for row in rows[:last]]
    plain = [row.replace("\ufe0f", "") for row in clean]
    language = LANGUAGES.get(PurePosixPath(path).suffix, "text")
    shown = highlight("\n".join(plain), language=language).split("\n", allow_blank=True)
    if [row.plain for row in shown] != plain:  # it took something else for the end of a line
        shown = [Content(row) for row in plain]
    first = max(1, line - around)
    return [CodeLine(number, number == line, shown[number - 1]) for number in range(first, last + 1)]
