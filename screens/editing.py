"""Queue files edited by hand: opened in the person's editor, and what changed in them shown task by task."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult, SuspendNotSupported
from textual.binding import Binding, BindingType
from textual.content import Content

from opconsole.console import Changed, QueueChanges
from screens.desk import Desk, Waits, describe
from screens.dialogs.base import Dialog
from screens.editor import NoEditorError, editor_command
from screens.leaving import leave_to
from screens.look import Role
from screens.widgets.controls import PushButton
from screens.words import clip, content, folded, lines

SHOWN = 200
"""Tasks of a difference that are shown one by one; the rest is counted."""
SIGNS = {"added": ("+", Role.GOOD), "removed": ("−", Role.BAD), "changed": ("~", Role.WARN)}


async def edit_queue(desk: Desk, project: str, task: str | None) -> None:
    """Open a project's queue file in the person's editor, at a task's line. In a worker."""
    if desk.refuse():
        return
    place = project
    try:
        file, line = await desk.console.queue_place(project, task)
        place = f"{file}:{line}"
        run_editor(desk, editor_command(os.environ, file, line), file.parent)
    except NoEditorError as error:
        desk.tell(f"{error}.", wrong=True)
    except SuspendNotSupported:
        desk.tell(f"An editor needs a real terminal; open {place} by hand.", wrong=True)
    except Exception as error:  # noqa: BLE001 (a fault of the console must not end the screen)
        desk.tell(f"{describe(error)}. The queue was not opened.", wrong=True)


def run_editor(desk: Desk, argv: Sequence[str], folder: Path) -> None:
    """Leave the terminal to an editor, and tell what was wrong with that.

    Raises SuspendNotSupported where there is no terminal to leave.
    """
    if fault := leave_to(desk.app, argv, folder):
        desk.tell(fault, wrong=True)


async def show_changes(desk: Desk) -> None:
    """Show what others changed in queue files; they are news no more once the person says so. In a worker."""
    try:
        changes = await desk.console.queue_changes()
        if not changes:
            desk.tell("No queue file was changed by others since somebody looked.")
            return
        if await desk.show(ChangesDialog(desk.waits, changes)):
            for one in changes:
                await desk.console.seen_changes(one.project)
            desk.renew()
    except Exception as error:  # noqa: BLE001 (a fault of the console must not end the screen)
        desk.tell(f"{describe(error)}. The changes are still told.", wrong=True)


class ChangesDialog(Dialog[bool]):
    """Shows a difference; ``y`` says that it was looked at."""

    CANCEL = "Later"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("y", "seen", "Seen"), Binding("n", "cancel", "Later")]

    def __init__(self, waits: Waits, changes: Sequence[QueueChanges]) -> None:
        super().__init__(waits)
        self._changes = tuple(changes)
        if any(one.faults or any(task.notes for task in one.tasks) for one in changes):
            self.add_class("-careful")

    def title_text(self) -> Content:
        """Say what it is about."""
        return content(("What changed in the queue files", Role.STRONG))

    def body(self, width: int) -> Content:
        """Show file by file what is wrong with it, and what became of its tasks."""
        return lines([row for one in self._changes for row in _file(one, width)])

    def buttons(self) -> ComposeResult:
        """Offer to have it told no more."""
        yield PushButton("Seen (y)", id="seen", variant="primary", compact=True)

    def pressed(self, button: str) -> None:
        """Have it told no more."""
        del button
        self.dismiss(True)

    def action_seen(self) -> None:
        """Do so by key, unless it came too early."""
        if not self.drops_keys():
            self.dismiss(True)


def _file(changes: QueueChanges, width: int) -> Iterator[Content]:
    name = changes.file.name  # in front: the end of a long line is cut off
    yield content((clip(name, width), Role.STRONG), (f"  {changes.project}", Role.MUTED))
    for fault in changes.faults[:SHOWN]:
        yield from folded(f"✗ {fault}", width, indent=2, role=Role.BAD)
    if changes.broken:
        said = "The file cannot be used: its tasks are listed as they were before. o opens it at the fault."
        yield from folded(said, width, indent=2)
    for task in changes.tasks[:SHOWN]:
        yield from _task(task, width)
    if len(changes.tasks) > SHOWN:
        yield content((f"  … and {len(changes.tasks) - SHOWN:,} more tasks", Role.WARN))
    yield content("")


def _task(task: Changed, width: int) -> Iterator[Content]:
    sign, role = SIGNS[task.how]
    yield content((f"  {sign} ", role), (clip(task.task, 60), Role.STRONG), (f"  {task.how}", Role.MUTED))
    for field, before, after in task.fields:
        yield from folded(f"{field}: {before} → {after}", width, indent=6, limit=400)
    for note in task.notes:
        yield from folded(f"▲ {note}", width, indent=6, role=Role.WARN)
