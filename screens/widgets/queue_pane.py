"""The queue with its heading, its filter line, the faults of queue files, and what to do when it is empty."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Static

from opconsole.clock import Clock
from opconsole.views import QueueView, Snapshot, TaskView
from screens.actions import Scope, bindings
from screens.look import Role
from screens.queue_table import is_open, matches, queue_columns
from screens.widgets.heading import Heading
from screens.widgets.text import put
from screens.widgets.ticking import Ticking
from screens.widgets.virtual_table import VirtualTable
from screens.words import content, lines, safe

FAULTS = 3
"""Faults of queue files that are shown at once."""


class QueuePane(Vertical):
    """The tasks of all queues. The table posts what is selected and opened."""

    DEFAULT_CSS = """
    QueuePane {
        & #queue-empty { display: none; height: 1fr; padding: 1 2; color: $foreground-muted; }
        &.-empty VirtualTable { display: none; }
        &.-empty #queue-empty { display: block; }
        & VirtualTable { padding: 0 1 0 0; }
        & #filter { display: none; background: $panel; padding: 0 1; }
        &.-filtering #filter { display: block; }
        & #faults { display: none; height: auto; max-height: 6; padding: 0 1; color: $text-error; }
        &.-faulty #faults { display: block; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Scope.QUEUE)]

    def __init__(self, clock: Clock, *, id: str | None = None) -> None:  # noqa: A002 (Textual's word for it)
        super().__init__(id=id)
        self._clock = clock
        self._snapshot: Snapshot | None = None
        self._ticking = Ticking(self, self._tick)
        self.add_class("-empty")  # until the workspace is known

    def compose(self) -> ComposeResult:
        """Put the heading over the table, and the faults and the filter under it."""
        yield Heading(queue="Queue")
        yield VirtualTable(queue_columns(self._clock), lambda task: task.key, matches, id="queue-table")
        yield Static(id="queue-empty")
        yield Static(id="faults")
        yield Input(placeholder="show only tasks with these words; esc shows all", id="filter", compact=True)

    @property
    def table(self) -> VirtualTable[TaskView]:
        """The tasks."""
        return self.query_one("#queue-table", VirtualTable)

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
        if snapshot is not None and snapshot is not self._snapshot:
            self.table.show_rows(snapshot.tasks)
        self._snapshot = snapshot
        # `waiting` counts the halted ones too: there is no time to tick where all three are nought.
        self._ticking.run(on=snapshot is not None and bool(snapshot.running or snapshot.waiting))
        self._show_rest()

    def begin_filter(self) -> None:
        """Ask which tasks to show."""
        self.add_class("-filtering")
        self.query_one("#filter").focus()

    def end_filter(self) -> None:
        """Show all tasks again."""
        self.query_one("#filter", Input).value = ""
        self.remove_class("-filtering")
        self.table.filter("")
        self._show_rest()
        self.table.focus()

    def action_mark(self) -> None:
        """Mark the selected task, or take its mark off."""
        self.table.action_mark()

    def action_mark_range(self) -> None:
        """Mark all tasks from the last mark to here."""
        self.table.action_mark_range()

    @on(VirtualTable.Arranged)
    def _arranged(self, event: VirtualTable.Arranged) -> None:
        event.stop()
        self._show_rest()

    @on(Input.Changed, "#filter")
    def _filter(self, event: Input.Changed) -> None:
        event.stop()
        self.table.filter(event.value.strip())
        self._show_rest()

    @on(Input.Submitted, "#filter")
    def _keep_filter(self, event: Input.Submitted) -> None:
        event.stop()
        if event.value.strip():
            self.table.focus()
        else:
            self.end_filter()

    def _tick(self) -> None:
        self.table.refresh_rows(is_open)  # the times of what is not over

    def _show_rest(self) -> None:
        text = self._empty_text()
        self.set_class(text is not None, "-empty")
        if text is not None:
            put(self.query_one("#queue-empty", Static), text)
        queues = self._snapshot.queues if self._snapshot else ()
        faults = [fault for queue in queues for fault in queue.faults]
        self.set_class(bool(faults), "-faulty")
        if faults:
            put(self.query_one("#faults", Static), _faults(faults))
        self.query_one(Heading).note(self._note(queues))

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
        if not snapshot.queues:
            return lines(
                [
                    content(("There is no work queue yet.", Role.PLAIN)),
                    content("opconsole init writes an empty one; opconsole demo shows a workspace at work."),
                ]
            )
        rows = [
            content(("The queue is empty.", Role.PLAIN)),
            content("Add a task to its file; it shows here at once:"),
        ]
        return lines(rows + [content(f"  {queue.file}") for queue in snapshot.queues])


def _faults(faults: list[str]) -> Content:
    rows = [content(("✗ ", Role.BAD), safe(fault, limit=300)) for fault in faults[:FAULTS]]
    if len(faults) > FAULTS:
        rows.append(content((f"… {len(faults) - FAULTS} more: opconsole queue validate", Role.MUTED)))
    return lines(rows)
