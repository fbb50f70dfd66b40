"""A run's report, to be read on the screen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from textual.binding import BindingType
from textual.content import Content
from textual.message import Message

from opconsole.run_report import Part, RunReport
from screens.actions import Scope, bindings
from screens.look import Role
from screens.widgets.scroll_pane import ScrollPane
from screens.words import clip, content, folded, lines


class ReportPane(ScrollPane):
    """Shows a report; None: it is being read."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Scope.REPORT)]
    report: RunReport | None = None

    class Save(Message):
        """The report is to be written into a file."""

    def action_save_report(self) -> None:
        """Have it written into a file."""
        self.post_message(self.Save())

    def show_report(self, report: RunReport | None) -> None:
        """Show another report, from its beginning."""
        self.report = report
        self.redraw()
        self.action_first()

    def draw(self, width: int) -> Content:
        """Give the text for a width in cells."""
        if self.report is None:
            return content(("reading …", Role.MUTED))
        return lines(draw_report(self.report, width))


def draw_report(report: RunReport, width: int) -> Iterator[Content]:
    """Draw a report: the title, what it comes to, and each part under its heading."""
    yield from folded(report.title, width, indent=0, role=Role.STRONG)
    for line in report.lines:
        yield from folded(line, width, indent=0)
    for part in report.parts:
        yield content("")
        yield content((part.heading, Role.BUSY))
        yield from _table(part, width) if part.columns else _part(part, width)


def _part(part: Part, width: int) -> Iterator[Content]:
    for line in part.lines:
        if part.verbatim:
            yield content((clip(f"  {line}", width), Role.MUTED))
        else:
            yield from folded(line, width, indent=2)


def _table(part: Part, width: int) -> Iterator[Content]:
    """Align the columns; what does not fit is cut off the last one, and its text stands in the Markdown."""
    rows = [part.columns, *part.rows]
    wide = [max(len(row[place]) for row in rows) for place in range(len(part.columns))]
    for place, row in enumerate(rows):
        text = "  ".join(cell.ljust(room) for cell, room in zip(row, wide, strict=True))
        yield content((clip(f"  {text}".rstrip(), width), Role.PLAIN if place else Role.MUTED))
