"""Shows a source file's text: safe first, then coloured by its language, bounded in lines."""

from __future__ import annotations

from pathlib import PurePosixPath

from textual.content import Content
from textual.highlight import highlight

from guardrails.sanitise import sanitise
from screens.look import Role
from screens.words import content, lines

LINES = 400
"""Lines of a file that are shown at most."""
LANGUAGES = {".py": "python", ".sql": "sql"}


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
