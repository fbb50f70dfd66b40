"""Draws one line of a log: its stream, whether it is a hit, its time, and its text with its own colours."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from rich.cells import cell_len
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.strip import Strip

from opconsole.logs import LogLine
from screens.look import Role
from screens.widgets.log_json import Row
from screens.widgets.log_search import Wanted

LONGEST = 4000
"""Characters of one line that are shown at most."""
SIGNS = {"e": "¦", "n": "›"}
"""The stream is told by a sign as well: colour alone tells nothing to some."""


class Times(Enum):
    """How the time of a line is shown."""

    OFF = "off"
    ABSOLUTE = "absolute"
    RELATIVE = "relative"
    """Since the log's first line."""

    @property
    def next(self) -> Times:
        """The one that comes after this one."""
        every = list(Times)
        return every[(every.index(self) + 1) % len(every)]


@dataclass(frozen=True, slots=True)
class LineLook:
    """The styles that lines are drawn with, and what is shown beside them."""

    role: Callable[[Role], Style]
    found: Style
    """Of the text that was searched for."""
    console: Console
    wanted: Wanted | None
    times: Times
    began: datetime | None
    """When the log began."""

    def draw(self, line: LogLine, base: Style, sign: str) -> Strip:
        """Draw a line on a background. *sign* says what it is: a hit (``•``), the one gone to (``»``)."""
        segments = self._before(line, sign)
        segments += self._text(line)
        if line.unfinished:
            segments.append(Segment(" ⏎", self.role(Role.MUTED)))
        return _strip(segments, base)

    def laid_out(self, line: LogLine, rows: list[Row], base: Style, sign: str) -> list[Strip]:
        """Draw a line that takes several rows."""
        before = self._before(line, sign)
        blank = [Segment(" " * sum(cell_len(one.text) for one in before))]
        return [
            _strip([*(blank if place else before), *self._pieces(row)], base)
            for place, row in enumerate(rows)
        ]

    def _before(self, line: LogLine, sign: str) -> list[Segment]:
        stream = SIGNS.get(line.stream, " ")
        segments = [Segment(f"{stream}{sign}", self.role(Role.WARN if line.stream == "e" else Role.BUSY))]
        if self.times is not Times.OFF:
            segments.append(Segment(f"{self._stamp(line.at)}  ", self.role(Role.MUTED)))
        return segments

    def _stamp(self, at: datetime | None) -> str:
        if self.times is Times.ABSOLUTE:
            return f"{at:%H:%M:%S.%f}"[:12] if at else " " * 12
        if at is None or self.began is None:
            return " " * 13
        millis = round((at - self.began).total_seconds() * 1000)
        sign, millis = ("-" if millis < 0 else "+"), abs(millis)
        minutes, seconds = divmod(millis // 1000, 60)
        return f"{sign}{minutes // 60:02}:{minutes % 60:02}:{seconds:02}.{millis % 1000:03}"

    def _text(self, line: LogLine) -> list[Segment]:
        shown = line.display(colours=True, limit=LONGEST)
        role = {"n": Role.BUSY, "e": Role.WARN}.get(line.stream)
        if "\x1b" not in shown and self.wanted is None:
            return [Segment(shown.expandtabs(8), self.role(role) if role else None)]
        text = Text.from_ansi(shown, end="")
        text.expand_tabs(8)
        if self.wanted is not None:
            for start, end in self.wanted.spans(text.plain):
                text.stylize(self.found, start, end)
        if role is not None:
            text.stylize_before(self.role(role))
        return list(text.render(self.console))

    def _pieces(self, row: Row) -> Iterable[Segment]:
        if self.wanted is None:
            return [Segment(text, self.role(role)) for text, role in row]
        whole = Text.assemble(*((text, self.role(role)) for text, role in row), end="")
        for start, end in self.wanted.spans(whole.plain):
            whole.stylize(self.found, start, end)
        return whole.render(self.console)


def fold(strip: Strip, width: int, background: Style) -> list[Strip]:
    """Cut a line into rows of a width in cells."""
    starts = range(0, max(1, strip.cell_length), width)
    return [strip.crop(start, start + width).extend_cell_length(width, background) for start in starts]


def _strip(segments: Iterable[Segment], base: Style) -> Strip:
    return Strip([Segment(s.text, base + s.style if s.style else base) for s in segments if cell_len(s.text)])
