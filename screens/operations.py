"""The operations screen: the queue, the selected run's pipeline, its log and what the guardrails found.

The strip, the queue and the keys are its first picture; the panes of the run come right after it. Until they
are there the App keeps the keys that are pressed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widget import Widget

from queues.states import RunState
from screens.actions import Scope, Situation, bindings
from screens.base import ConsoleScreen
from screens.desk import Desk, describe
from screens.latest import Latest
from screens.widgets.heading import Heading
from screens.widgets.key_bar import KeyBar
from screens.widgets.queue_pane import QueuePane
from screens.widgets.run_pane import RunPane
from screens.widgets.virtual_table import VirtualTable
from screens.words import safe

if TYPE_CHECKING:
    from opconsole.views import QueueView, RunView, TaskView
    from screens.widgets.log_pane import LogPane

PANES = ("queue", "pipeline", "detail")
WIDE = 110
"""Columns of a terminal from which on all panes are shown at once."""


class OperationsScreen(ConsoleScreen):
    """What runs, what waits, and what to do about it."""

    PLACE = "operations"
    DEFAULT_CSS = """
    OperationsScreen {
        & #panes { height: 1fr; }
        & #queue { width: 58%; }
        & #right { width: 1fr; border-left: vkey $panel; }
        & .-active > Heading { background: $primary 35%; }
    }
    OperationsScreen.-single {
        & #right { border-left: none; }
        & #queue, & #pipeline, & #detail { display: none; width: 1fr; height: 1fr; }
        & #right { display: none; }
        &.-at-queue #queue { display: block; }
        &.-at-pipeline #right, &.-at-pipeline #pipeline { display: block; }
        &.-at-detail #right, &.-at-detail #detail { display: block; }
    }
    """
    AUTO_FOCUS = "#queue-table"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Scope.OPERATIONS)]

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._run: RunView | None = None
        self._pane = "queue"
        self._zoomed = False
        self._wanted = ""  # the task to select once it is there
        self._loading = Latest(self._load_run)
        self._queue = QueuePane(desk.clock, desk.keys, id="queue")
        self._right = RunPane(desk, id="right")

    def compose(self) -> ComposeResult:
        """Put the strip over the panes, and the keys under them."""
        # Known before anything is there: changing a class later lays out all that is below it again.
        self.set_class(self.app.size.width < WIDE, "-single")
        self.add_class("-at-queue")
        yield self.strip()
        with Horizontal(id="panes"):
            self._queue.add_class("-active")
            yield self._queue
            yield self._right
        yield KeyBar()

    def on_mount(self) -> None:
        """Begin with what is known already."""
        self._ready = True
        self._arrange()
        self._show_all()

    async def complete(self) -> None:
        """Put in what the first picture does without, and begin to load runs."""
        await self._queue.fill()
        await self._right.fill()
        self._arrange()
        self._show_run()
        self.run_worker(self._loading.run(), group="run")

    # -- what is shown

    @property
    def table(self) -> VirtualTable[TaskView]:
        """The queue's tasks."""
        return self.queue_pane.table

    @property
    def queue_pane(self) -> QueuePane:
        """The queue."""
        return self._queue

    @property
    def log_pane(self) -> LogPane:
        """The log. There is none before the screen is whole."""
        return self._right.panes.log

    def situation(self) -> Situation:
        """Say what is selected, as actions judge it."""
        task = self.table.selected
        run = (
            self._run if task is not None and self._run is not None and self._run.run.id == task.run else None
        )
        finding = self._right.finding_of(run) if run is not None else None
        marked = tuple(self.table.marked)
        waiting = tuple(one.run for one in marked if one.run is not None and one.state == RunState.WAITING)
        return Situation(task, run, self._queue_of(task), finding, waiting, marked)

    def _queue_of(self, task: TaskView | None) -> QueueView | None:
        queues = self._snapshot.queues if self._snapshot else ()
        if task is None:
            return queues[0] if len(queues) == 1 else None
        return next((queue for queue in queues if queue.project == task.project), None)

    def _show_all(self) -> None:
        super()._show_all()
        self.queue_pane.show_snapshot(self._snapshot)
        if self._wanted and self.table.select(self._wanted):
            self._wanted = ""
        self._show_run()
        self._loading.want()

    # -- where one is

    def where(self) -> str:
        """Name the pane and the selected task."""
        return f"{self._pane} {self.table.selected_key or ''}" if self._ready else ""

    def go_to(self, where: str) -> None:
        """Go to a pane and select a task; one that the filter hides is shown again."""
        pane, _, key = where.partition(" ")
        if not self._ready:
            self._wanted = key
            return
        if key and not self.table.select(key):
            self.queue_pane.end_filter()
            if not self.table.select(key):
                self._wanted = key
        if pane in PANES:
            self._go_to(pane)

    def leads_to(self, name: str) -> str:
        """Begin the dependencies at the selected task."""
        return (self.table.selected_key or "") if name == "dependencies" else ""

    # -- the selected run

    @on(VirtualTable.Selected)
    def _selected(self, event: VirtualTable.Selected) -> None:
        if not isinstance(event, VirtualTable.Opened):
            self._show_run()
            self._loading.want()

    @on(VirtualTable.Opened)
    def _opened(self) -> None:
        self._desk.mark()
        self._go_to("pipeline")

    async def _load_run(self) -> None:
        task = self.table.selected
        if task is None or task.run is None:
            self._run = None
        else:
            try:
                self._run = await self._desk.console.run(task.run)
            except Exception as error:  # noqa: BLE001 (the screen goes on; the person hears of it)
                self._desk.tell(f"{describe(error)}. The run of {task.task} could not be read.", wrong=True)
        self._show_run()

    def _show_run(self) -> None:
        situation = self.situation()
        task, run = situation.task, situation.run
        tasks = self._snapshot.tasks if self._snapshot else ()
        self._right.show_run(task, run, tasks)

    # -- panes

    def on_resize(self) -> None:
        """Fold the panes where there is no room for all."""
        if self._ready:
            self._arrange()

    def _arrange(self) -> None:
        self.set_class(self._zoomed or self.app.size.width < WIDE, "-single")
        for pane, heading in ((self._queue, self._queue.heading), *self._right.headed):
            pane.set_class(pane.id == self._pane, "-active")
            heading.activate(on=pane.id == self._pane)
        for name in PANES:
            self.set_class(name == self._pane, f"-at-{name}")

    def _go_to(self, pane: str) -> None:
        self._pane = pane
        self._arrange()
        self._focus_pane()

    def _focus_pane(self) -> None:
        if self._pane == "queue":
            self._queue.main.focus()
        elif self._pane == "pipeline":
            self._right.panes.pipeline.focus()
        else:
            self._right.front.focus()

    def on_descendant_focus(self) -> None:
        """Follow the focus wherever the mouse took it."""
        widget = self.focused
        while widget is not None and widget.id not in PANES:
            parent = widget.parent
            widget = parent if isinstance(parent, Widget) else None
        if widget is not None and widget.id and widget.id != self._pane:
            self._pane = widget.id
            self._arrange()

    @on(Heading.Chosen)
    def _tab_chosen(self, event: Heading.Chosen) -> None:
        if event.tab in ("log", "violations"):
            self._go_to_tab(event.tab)
        else:
            self._go_to(event.tab)

    # -- queue files

    @on(QueuePane.EditWanted)
    def _edit_queue(self) -> None:
        from screens.editing import edit_queue  # noqa: PLC0415 (loaded when it is first wanted)

        task, project = self.table.selected, self._project()
        if project is None:
            self._desk.tell("There are several queues: select a task of the one that is meant.", wrong=True)
            return
        work = edit_queue(self._desk, project, task.task if task else None)
        self.run_worker(work, group="deciding", exit_on_error=False)

    @on(QueuePane.ChangesWanted)
    def _show_changes(self) -> None:
        from screens.editing import show_changes  # noqa: PLC0415 (loaded when it is first wanted)

        self.run_worker(show_changes(self._desk), group="deciding", exit_on_error=False)

    # -- actions

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave out of the footer what does nothing now: with one pane in view there is nothing to zoom."""
        if action != "zoom":
            return super().check_action(action, parameters)
        return self._zoomed or self.app.size.width >= WIDE

    def action_next_pane(self) -> None:
        """Go to the next pane."""
        self._go_to(PANES[(PANES.index(self._pane) + 1) % len(PANES)])

    def action_previous_pane(self) -> None:
        """Go to the pane before."""
        self._go_to(PANES[PANES.index(self._pane) - 1])

    def action_zoom(self) -> None:
        """Show this pane alone, or all."""
        self._zoomed = not self._zoomed
        self.refresh_bindings()
        self._arrange()
        self._focus_pane()

    @property
    def deeper(self) -> bool:
        """Whether one pane is alone in view, and not the first one."""
        return self._zoomed or (self.has_class("-single") and self._pane != PANES[0])

    def step_back(self) -> None:
        """Show all panes again; where there is no room for all, the queue."""
        if self._zoomed:
            self.action_zoom()
        else:
            self._go_to(PANES[0])

    def action_log(self) -> None:
        """Go to the log; from a chosen step, to what it wrote."""
        if self._pane == "pipeline":
            self._right.panes.pipeline.log_wanted()
        self._go_to_tab("log")

    def _go_to_tab(self, tab: str) -> None:
        self._right.choose(tab)
        self._go_to("detail")

    def on_pipeline_view_log_wanted(self, event: Message) -> None:
        """Show the log from a step's beginning; heard by its name, for its class is loaded with the panes."""
        from screens.widgets.pipeline import PipelineView  # noqa: PLC0415 (loaded by now)

        if isinstance(event, PipelineView.LogWanted):
            self.log_pane.view.go_to_moment(event.at)

    def action_violations(self) -> None:
        """Go to what the guardrails found."""
        self._go_to_tab("violations")

    def action_back(self) -> None:
        """End a search, a filter, the marks or a zoom, one at a time; else go back to the queue."""
        if self._pane == "detail" and self.log_pane.end_search():
            return
        if self.queue_pane.filtering:
            self.queue_pane.end_filter()
        elif self._pane == "queue" and self.table.unmark():
            return
        elif self._zoomed and self._pane == "queue":
            self.action_zoom()
        else:
            self._go_to("queue")

    def action_filter(self) -> None:
        """Ask which tasks to show; in the log, show only the hits, or all lines."""
        if self._in_log():
            self.log_pane.filter_hits()
            return
        self._go_to("queue")
        self.queue_pane.begin_filter()

    def action_search(self) -> None:
        """Ask what to search the log for."""
        self.action_log()
        self.log_pane.begin_search()

    def action_next_hit(self) -> None:
        """Go to the next hit."""
        self.log_pane.view.step(1)

    def action_previous_hit(self) -> None:
        """Go to the hit before."""
        self.log_pane.view.step(-1)

    def action_copy(self) -> None:
        """Copy what is in front: the log's selected lines, or those in view; or the task's name and run."""
        task = self.table.selected
        if self._in_log():
            self.run_worker(self._copy_log(), group="copying", exclusive=True, exit_on_error=False)
        elif marked := self.table.marked:
            self.app.copy_to_clipboard("\n".join(safe(one.key) for one in marked))
            self._desk.tell(f"Copied the names of {len(marked):,} marked tasks.")
        elif task is not None:
            self.app.copy_to_clipboard(" ".join(safe(part) for part in (task.key, task.run) if part))
            self._desk.tell("Copied the task's name.")

    async def _copy_log(self) -> None:
        text, what = await self.log_pane.copied()
        self.app.copy_to_clipboard(text)
        self._desk.tell(f"Copied {what}.")

    def _in_log(self) -> bool:
        return self._pane == "detail" and self._right.at_log

    async def settled(self) -> Situation:
        """Say what is selected once its run is loaded."""
        await self._load_run()
        return self.situation()

    def parts(self) -> Iterable[object]:
        """Give the panes that carry out actions."""
        return *self._right.parts(), self.table, self._queue
