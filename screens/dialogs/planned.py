"""What would be added to the queues, task by task, with what each asks and costs, before it is written."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content

from opconsole.console import Planned, Preview
from screens.desk import Waits
from screens.dialogs.base import Dialog
from screens.look import Role
from screens.widgets.controls import PushButton
from screens.words import clip, content, folded, lines

SHOWN = 100
"""Tasks that are shown one by one; the rest is counted."""
NAMES = 14
"""Columns of the facts' names."""


class Adding(StrEnum):
    """What is done with the tasks."""

    ADD = "add"
    START = "start"  # and their queues are started


class PlannedDialog(Dialog[Adding]):
    """Shows the tasks that would be added; ``y`` adds them."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("y", "add", "Add"), Binding("n", "cancel", "No")]

    def __init__(self, waits: Waits, preview: Preview, *, paused: bool = True) -> None:
        super().__init__(waits)
        self._preview = preview
        self._paused = paused
        if any(planned.warnings for planned in preview.planned):
            self.add_class("-careful")

    def title_text(self) -> Content:
        """Say how much would be added."""
        count = self._preview.count
        return content((f"Add {count} task{'' if count == 1 else 's'} to {self._queues()}", Role.STRONG))

    def body(self, width: int) -> Content:
        """Show where the tasks come from, and each of them."""
        return lines(self._rows(width))

    def buttons(self) -> ComposeResult:
        """Offer to add, and to start what was added."""
        yield PushButton("Add (y)", id=Adding.ADD, variant="primary", compact=True)
        if self._paused:
            yield PushButton("Add and start the queue", id=Adding.START, variant="primary", compact=True)

    def pressed(self, button: str) -> None:
        """Say what is to be done."""
        self.dismiss(Adding(button))

    def action_add(self) -> None:
        """Add by key, unless it came too early."""
        if not self.drops_keys():
            self.dismiss(Adding.ADD)

    def _rows(self, width: int) -> Iterator[Content]:
        preview = self._preview
        if preview.text:
            yield from folded(f"“{preview.text}”", width, indent=0, role=Role.MUTED)
            yield content("")
        for planned in preview.planned[:SHOWN]:
            yield from _task(planned, width)
            yield content("")
        if len(preview.planned) > SHOWN:
            yield content((f"… and {len(preview.planned) - SHOWN:,} more tasks", Role.WARN))
            yield content("")
        for line in preview.lines:
            yield from folded(line, width, indent=len(line) - len(line.lstrip()))
        if preview.lines:
            yield content("")
        yield content(("Nothing runs before its queue is started, and gates ask as ever.", Role.MUTED))

    def _queues(self) -> str:
        names = self._preview.projects
        return f"the queue of {names[0]}" if len(names) == 1 else f"the queues of {', '.join(names)}"


def _task(planned: Planned, width: int) -> Iterator[Content]:
    yield content((clip(planned.task, 60), Role.STRONG), (f"  {clip(planned.project, 30)}", Role.MUTED))
    yield from folded(planned.what, width, indent=2)
    for name, said in planned.facts:
        rows = folded(said, width, indent=NAMES)
        yield content((f"  {name:<{NAMES - 2}}", Role.MUTED), rows[0].plain[NAMES:])
        yield from rows[1:]
    for warning in planned.warnings:
        rows = folded(warning, width, indent=4, role=Role.WARN)
        yield content(("  ▲ ", Role.WARN), (rows[0].plain[4:], Role.WARN))
        yield from rows[1:]
    if planned.json:
        yield content(("  As it will stand in the file:", Role.MUTED))
        for line in planned.json.splitlines():
            yield content("    ", clip(line.expandtabs(2), max(20, 10 * width)))
