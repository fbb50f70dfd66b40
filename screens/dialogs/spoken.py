"""What a sentence would add to the queues: shown before anything is written."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from textual.app import ComposeResult
from textual.content import Content

from opconsole.console import Preview
from screens.desk import Waits
from screens.dialogs.base import Dialog
from screens.look import Role
from screens.widgets.controls import PushButton
from screens.words import content, folded, lines


class Adding(StrEnum):
    """What is done with the tasks."""

    ADD = "add"
    START = "start"  # and their queues are started


class SpokenDialog(Dialog[Adding]):
    """Shows the tasks that a sentence asks for, and what their gates will ask."""

    def __init__(self, waits: Waits, preview: Preview) -> None:
        super().__init__(waits)
        self._preview = preview

    def title_text(self) -> Content:
        """Say how much would be added."""
        count = self._preview.count
        return content((f"Add {count} task{'' if count == 1 else 's'} to {self._queues()}", Role.STRONG))

    def body(self, width: int) -> Content:
        """Show the sentence and its tasks."""
        return lines(self._rows(width))

    def buttons(self) -> ComposeResult:
        """Offer to add, and to start what was added."""
        yield PushButton("Add", id=Adding.ADD, variant="primary", compact=True)
        yield PushButton("Add and start the queue", id=Adding.START, variant="primary", compact=True)

    def pressed(self, button: str) -> None:
        """Say what is to be done."""
        self.dismiss(Adding(button))

    def _rows(self, width: int) -> Iterator[Content]:
        yield from folded(f"“{self._preview.text}”", width, indent=0, role=Role.MUTED)
        yield content("")
        for line in self._preview.lines:
            yield from folded(line, width, indent=len(line) - len(line.lstrip()))
        yield content("")
        yield content(("Nothing runs before its queue is started, and gates ask as ever.", Role.MUTED))

    def _queues(self) -> str:
        names = self._preview.projects
        return f"the queue of {names[0]}" if len(names) == 1 else f"the queues of {', '.join(names)}"
