"""Draws one line of a log: its stream, whether it is a hit, its time, and its text with its own colours."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.strip import Strip

from opconsole.logs import LogLine
from screens.look import Role

LONGEST = 4000
"""Characters of one line that are shown at most."""
SIGNS = {"e": "¦", "n": "›"}
"""The stream is told by a sign as well: colour alone tells nothing to some."""


@dataclass(frozen=True, slots=True)
class LineLook:
    """The styles that lines are drawn with."""

    role: Callable[[Role], Style]
    found: Style
    """Of the text that was searched for."""
    console: Console

    def draw(self, line: LogLine, base: Style, *, sign: str, pattern: str, timed: bool) -> Strip:
        """Draw a line on a background. *sign* says whether it is a hit (``•``) or the one gone to (``»``)."""
        text = Text.from_ansi(line.display(colours=True, limit=LONGEST), end="")
        text.expand_tabs(8)
        if pattern:
            text.highlight_regex(re.compile(re.escape(pattern), re.IGNORECASE), self.found)
        if line.stream == "n":
            text.stylize_before(self.role(Role.BUSY))
        elif line.stream == "e":
            text.stylize_before(self.role(Role.WARN))
        stream = SIGNS.get(line.stream, " ")
        segments = [Segment(f"{stream}{sign}", self.role(Role.WARN if line.stream == "e" else Role.BUSY))]
        if timed:
            stamp = f"{line.at:%H:%M:%S.%f}"[:12] if line.at else " " * 12
            segments.append(Segment(f"{stamp}  ", self.role(Role.MUTED)))
        segments += text.render(self.console)
        if line.unfinished:
            segments.append(Segment(" ⏎", self.role(Role.MUTED)))
        return Strip(
            [Segment(s.text, base + s.style if s.style else base) for s in segments if cell_len(s.text)]
        )


def fold(strip: Strip, width: int, background: Style) -> list[Strip]:
    """Cut a line into rows of a width in cells."""
    starts = range(0, max(1, strip.cell_length), width)
    return [strip.crop(start, start + width).extend_cell_length(width, background) for start in starts]
