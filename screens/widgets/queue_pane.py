"""The queue with its heading, its filter line, the faults of queue files, and what to do when it is empty."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from opconsole.clock import Clock
from screens.actions import Keymap, Scope, bindings
from screens.look import Role
from screens.queue_table import is_open, matches, queue_columns
from screens.widgets.heading import Heading
from screens.widgets.text import TextView
from screens.widgets.ticking import Ticking
from screens.widgets.virtual_table import VirtualTable
from screens.words import content, lines, safe

if TYPE_CHECKING:
    from textual.widgets import Input

    from opconsole.views import QueueView, Snapshot, TaskView

FAULTS = 3
"""Faults of queue files that are shown at once."""


class EmptyText(TextView, can_focus=True):
    """What to do while there is nothing to list; it takes the keys that the table would."""


class QueuePane(Vertical):
    """The tasks of all queues. The table posts what is selected and opened."""

    class EditWanted(Message):
        """The queue file is to be opened in an editor."""

    class ChangesWanted(Message):
        """What others changed in queue files is to be shown."""

    DEFAULT_CSS = """
    QueuePane {
        & #queue-empty { display: none; height: 1fr; padding: 1 2; color: $foreground-muted; }
        &.-empty VirtualTable { display: none; }
        &.-empty #queue-empty { display: block; }
        & VirtualTable { padding: 0 1 0 0; }
        & #filter { display: none; background: $panel; padding: 0 1; }
        &.-filtering #filter { display: block; }
        & #told { display: none; height: auto; max-height: 8; padding: 0 1; }
        &.-telling #told { display: block; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Scope.QUEUE)]

    def __init__(self, clock: Clock, keys: Keymap, *, id: str | None = None) -> None:  # noqa: A002 (Textual's word for it)
        super().__init__(id=id)
        self._keys = keys
        self.table: VirtualTable[TaskView] = VirtualTable(
            queue_columns(clock), lambda task: task.key, matches, id="queue-table"
        )
        """The tasks."""
        self.heading = Heading(queue="Queue")
        self._faults, self._empty = TextView(id="told"), EmptyText(id="queue-empty")
        self._filter_line: Input | None = None
        self._snapshot: Snapshot | None = None
        self._ticking = Ticking(self, self._tick)
        self.add_class("-empty")  # until the workspace is known

    def compose(self) -> ComposeResult:
        """Put the heading and what is wrong with queue files over the table, and the filter under it."""
        yield self.heading
        yield self._faults
        yield self.table
        yield self._empty

    async def fill(self) -> None:
        """Put the filter line into it: nobody sees it in the first picture, and it is dear to make."""
        from textual.widgets import Input  # noqa: PLC0415 (loaded after the first picture)

        placeholder = "show only tasks with these words; esc shows all"
        line = Input(placeholder=placeholder, id="filter", compact=True)
        await self.mount(line)
        self._filter_line = line

    @property
    def main(self) -> Widget:
        """What takes the keys of the pane."""
        return self._empty if self.has_class("-empty") else self.table

    @property
    def filtering(self) -> bool:
        """Whether the filter line is open."""
        return self.has_class("-filtering")

    @property
    def ticking(self) -> bool:
        """Whether there is a timer for the times of what is not over."""
        return self._ticking.on

    def show_snapshot(self, snapshot: Snapshot | None) -> None:
        """Show the workspace as it is now; None: it is not known yet."""
        before = self._snapshot.tasks if self._snapshot else None
        if snapshot is not None and snapshot.tasks is not before:  # the same tasks need not be painted again
            self.table.show_rows(snapshot.tasks)
        self._snapshot = snapshot
        # `waiting` counts the halted ones too: there is no time to tick where all three are nought.
        self._ticking.run(on=snapshot is not None and bool(snapshot.running or snapshot.waiting))
        self._show_rest()

    def begin_filter(self) -> None:
        """Ask which tasks to show. The pane must be filled."""
        if self._filter_line is not None:
            self.add_class("-filtering")
            self._filter_line.focus()

    def end_filter(self) -> None:
        """Show all tasks again."""
        if self._filter_line is not None:
            self._filter_line.value = ""
        self.remove_class("-filtering")
        self._apply("")
        self.table.focus()

    def _apply(self, text: str) -> None:
        """Let the table filter by itself: what it posted while this pane is at work would end here."""
        self.table.call_next(self.table.filter, text)

    def action_mark(self) -> None:
        """Mark the selected task, or take its mark off."""
        self.table.action_mark()

    def action_mark_range(self) -> None:
        """Mark all tasks from the last mark to here."""
        self.table.action_mark_range()

    def action_edit_queue(self) -> None:
        """Have the queue file opened in an editor."""
        self.post_message(self.EditWanted())

    def action_queue_changes(self) -> None:
        """Have it shown what others changed in queue files."""
        self.post_message(self.ChangesWanted())

    @on(VirtualTable.Arranged)
    def _arranged(self, event: VirtualTable.Arranged) -> None:
        event.stop()
        self._show_rest()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show only what matches, while it is typed."""
        event.stop()
        self._apply(event.value.strip())

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Keep the filter and go back to the tasks."""
        event.stop()
        if event.value.strip():
            self.table.focus()
        else:
            self.end_filter()

    def _tick(self) -> None:
        self.table.refresh_rows(is_open)  # the times of what is not over

    def _show_rest(self) -> None:
        text = self._empty_text()
        self._be_empty(on=text is not None)
        if text is not None:
            self._empty.put(text)
        queues = self._snapshot.queues if self._snapshot else ()
        told = [*_changed(queues, self._keys), *_faults(queues, self._keys)]
        self.set_class(bool(told), "-telling")
        if told:
            self._faults.put(lines(told))
        self.heading.note(self._note(queues))

    def _be_empty(self, *, on: bool) -> None:
        """Show the text in the table's place, or the table again; the keys go to what is shown."""
        self.set_class(on, "-empty")
        if self._snapshot is not None and self._keys_astray():
            self.call_after_refresh(self._focus_main)

    def _keys_astray(self) -> bool:
        """Say whether the keys of this pane go to what is not shown."""
        other = self.table if self.has_class("-empty") else self._empty
        return self.has_class("-active") and self.screen.focused in (None, other)

    def _focus_main(self) -> None:
        if self._keys_astray():
            self.main.focus()

    def _note(self, queues: tuple[QueueView, ...]) -> Content:
        shown, total = len(self.table.shown), len(self._snapshot.tasks) if self._snapshot else 0
        count = f"{shown:,} of {total:,}" if shown != total else f"{total:,}"
        marked = len(self.table.marked)
        states = [f"{safe(queue.project)} {'started' if queue.started else 'paused'}" for queue in queues[:2]]
        more = [f"+{len(queues) - 2}"] if len(queues) > 2 else []
        marks = [f"{marked:,} marked"] if marked else []
        return content(" · ".join([*marks, *states, *more, f"{count} task{'' if total == 1 else 's'}"]))

    def _empty_text(self) -> Content | None:
        snapshot = self._snapshot
        if self.table.shown:
            return None
        if snapshot is None:
            return content("Reading the workspace …")
        if snapshot.tasks:
            return content("No task matches the filter. Esc shows all of them again.")
        key = self._keys.label
        if not snapshot.queues:
            rows = [
                content(("There is no project yet.", Role.PLAIN)),
                content("Name one in opconsole.toml with its folder and environments, then open this again;"),
                content("opconsole init writes one with comments, opconsole demo shows a workspace at work."),
            ]
            return lines(rows)
        if any(queue.faults for queue in snapshot.queues if not queue.missing):
            return lines(
                [
                    content(("No task of the queue can be read.", Role.PLAIN)),
                    content(f"{key('edit-queue')} opens the file at its first fault; it shows here at once."),
                ]
            )
        missing = all(queue.missing for queue in snapshot.queues)
        rows = [
            content(("There is no work queue yet." if missing else "The queue is empty.", Role.PLAIN)),
            content(f"{key('add-task')} fills in a task, {key('paste-tasks')} takes JSON, "),
            content(f"{key('command-line')} takes a sentence: Deploy 1.0.0 to development"),
            content(f"{key('edit-queue')} opens the file in your editor; a task in it shows here at once:"),
        ]
        return lines(rows + [content(f"  {queue.file}") for queue in snapshot.queues])


def _changed(queues: Sequence[QueueView], keys: Keymap) -> Iterator[Content]:
    """Say which files others changed since somebody looked."""
    for queue in queues:
        if queue.changed:
            what = f"{safe(queue.file.name, limit=60)}: {queue.changed}"
            yield content(("± ", Role.WARN), what, (f" · {keys.label('queue-changes')} shows it", Role.MUTED))


def _faults(queues: Sequence[QueueView], keys: Keymap) -> Iterator[Content]:
    """Say what is wrong with the files, and what to do about it."""
    found = [(queue, fault) for queue in queues if not queue.missing for fault in queue.faults]
    for queue, fault in found[:FAULTS]:
        yield content(("✗ ", Role.BAD), (f"{safe(queue.project)}: {safe(fault, limit=300)}", Role.BAD))
    if found:
        more = f"{len(found) - FAULTS:,} more: opconsole queue validate; " if len(found) > FAULTS else ""
        kept = "its tasks are those of before; " if any(queue.broken for queue, _ in found) else ""
        yield content((f"  {more}{kept}{keys.label('edit-queue')} opens the file there", Role.MUTED))
