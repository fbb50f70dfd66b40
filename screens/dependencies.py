"""The dependency view: what waits for what and why, as a tree, with the critical path marked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content

from opconsole.views import TaskView
from queues.graph import Graph
from queues.tasks import TaskKey
from screens.actions import Scope, Situation, bindings
from screens.base import ConsoleScreen
from screens.dependency_tree import DONE, Durations, Entry, RowKind, Tree, TreeRow, graph_of_views, plant
from screens.desk import Desk, describe
from screens.latest import Latest
from screens.look import Role, task_mark
from screens.widgets.columns import Cell, Column
from screens.widgets.heading import Heading
from screens.widgets.key_bar import KeyBar
from screens.widgets.text import TextView
from screens.widgets.virtual_table import VirtualTable
from screens.words import Piece, content, duration, lines, safe

PERIOD = 1.0
"""Seconds between two trees at least."""
DEEPEST = 16
"""Levels that are indented; a deeper row tells its level."""
NAMED = 6
"""Neighbours that are named beneath the tree; the rest is counted."""
CRITICAL = "═"
"""Stands before the tasks that decide when everything can be done."""


class TreeTable(VirtualTable[TreeRow]):
    """The rows of a tree have one order."""

    def action_sort(self) -> None:
        """Say that there is nothing to sort."""
        self.notify("A tree has one order; the queue can be sorted.", markup=False)

    def sort_by(self, column: int | None, *, reverse: bool = False) -> None:
        """Keep the order."""


class DependenciesScreen(ConsoleScreen):
    """The graph of all queues."""

    PLACE = "dependencies"
    DEFAULT_CSS = """
    DependenciesScreen {
        & TreeTable { padding: 0 1 0 0; }
        & #tree-empty { display: none; height: 1fr; padding: 1 2; color: $foreground-muted; }
        &.-empty TreeTable, &.-empty #edges { display: none; }
        &.-empty #tree-empty { display: block; }
        & #edges { height: 4; padding: 0 1; border-top: hkey $panel; }
    }
    """
    AUTO_FOCUS = "TreeTable"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Scope.DEPENDENCIES)]

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._tree = Tree()
        self._views: Mapping[str, TaskView] = {}
        self._graph: Graph[Entry] | None = None
        self._of: Sequence[TaskView] | None = None  # what the tree was made of
        self._around: str | None = None  # only what is connected with this task
        self._wanted = ""
        self._durations: Durations = {}
        self._planting = Latest(self._plant, PERIOD)

    def compose(self) -> ComposeResult:
        """Put the tree over what the selected task waits for, and what waits for it."""
        yield self.strip()
        yield Heading(tree="Dependencies")
        yield TreeTable(self._columns(), lambda row: row.key, self._matches, id="tree")
        yield TextView(content("Reading the queues …"), id="tree-empty")
        yield TextView(id="edges")
        yield KeyBar()

    def on_mount(self) -> None:
        """Begin with what is known already."""
        self._ready = True
        self.query_one(Heading).activate(on=True)
        self.add_class("-empty")
        self._show_all()
        self.run_worker(self._planting.run(), group="planting")

    # -- what is shown

    @property
    def table(self) -> TreeTable:
        """The tree."""
        return self.query_one(TreeTable)

    def _show_all(self) -> None:
        super()._show_all()
        tasks = self._snapshot.tasks if self._snapshot else ()
        if self._snapshot is not None and tasks is not self._of:
            self._planting.want()

    async def _plant(self) -> None:
        """Make the tree anew; meanwhile the last one can be used."""
        tasks, around = (self._snapshot.tasks if self._snapshot else ()), self._around
        try:
            self._durations = await self._desk.console.durations()
            began = time.monotonic()
            graph, views, tree = await asyncio.to_thread(_grown, tasks, around, self._durations)
        except Exception as error:  # noqa: BLE001 (the screen goes on; the person hears of it)
            self._desk.tell(f"{describe(error)}. The dependencies could not be read.", wrong=True)
            return
        self._of, self._graph, self._views, self._tree = tasks, graph, views, tree
        self.set_class(not tree.rows, "-empty")
        self.query_one("#tree-empty", TextView).put(
            content("There is no task yet, so nothing waits for anything. i fills one in, P takes JSON."),
        )
        self.table.show_rows(tree.rows)
        if self._wanted and self.table.select(self._wanted):
            self._wanted = ""
        self.query_one(Heading).note(self._note())
        self._show_edges()
        await asyncio.sleep(10 * (time.monotonic() - began))  # a huge queue is not made anew all the time

    def _note(self) -> Content:
        tree, pieces = self._tree, []
        if tree.critical:
            left = [key for key in tree.critical if self._views[key].state not in DONE]
            took = f", about {duration(tree.seconds)}" if tree.seconds is not None else ""
            pieces.append(
                f"{CRITICAL} critical path: {len(left):,} task{'' if len(left) == 1 else 's'} left{took}"
            )
        if tree.cycles:
            pieces.append(f"✗ {_count(tree.cycles, 'cycle')}")
        if tree.missing:
            pieces.append(f"✗ {_count(tree.missing, 'unknown id')}")
        if self._around is not None:
            pieces.append(f"around {safe(self._around, limit=40)} (z: all)")
        return content(
            " · ".join([*pieces, f"{len(self._views):,} task{'' if len(self._views) == 1 else 's'}"])
        )

    # -- drawing

    def _columns(self) -> list[Column[TreeRow]]:
        return [
            Column("Task", 30, self._task_cell, lambda _row: 0, grows=3),
            Column("State", 13, self._state, lambda _row: 0),
            Column("Environment", 11, self._environment, lambda _row: 0, folds=2),
            Column("Takes", 8, self._takes, lambda _row: 0, right=True, folds=3),
            Column("Waits for", 14, self._why, lambda _row: 0, grows=2, folds=1),
        ]

    def _task_cell(self, row: TreeRow) -> Cell:
        indent = "  " * row.depth if row.depth <= DEEPEST else "  " * DEEPEST + f"({row.depth}) "
        name = self._short(row.task)
        if row.kind is RowKind.CYCLE:
            return f"✗ cycle: {row.task}", Role.BAD
        if row.kind is RowKind.MISSING:
            return f"{indent}✗ {name}", Role.BAD
        if row.kind is RowKind.AGAIN:
            return f"{indent}⤷ {name}", Role.MUTED
        sign = CRITICAL if row.critical else "·"
        return f"{indent}{sign} {name}", Role.STRONG if row.critical else Role.PLAIN

    def _short(self, key: str) -> str:
        projects = len(self._snapshot.queues) if self._snapshot else 0
        return key.partition(":")[2] if projects == 1 and ":" in key else key

    def _state(self, row: TreeRow) -> Cell:
        task = self._view(row)
        if task is None:
            return ("no queue has it" if row.kind is RowKind.MISSING else ""), Role.BAD
        look = task_mark(task)
        return str(look), look.role if row.kind is RowKind.TASK else Role.MUTED

    def _environment(self, row: TreeRow) -> Cell:
        task = self._view(row)
        return (task.environment or "–" if task else ""), Role.MUTED

    def _takes(self, row: TreeRow) -> Cell:
        task = self._view(row)
        if task is None or row.kind is not RowKind.TASK:
            return "", Role.MUTED
        known = self._durations.get((task.project, task.environment or "", task.kind))
        return ("–" if known is None else duration(known)), Role.MUTED

    def _why(self, row: TreeRow) -> Cell:
        task = self._view(row)
        if row.kind is RowKind.CYCLE:
            return "nothing in or behind it ever runs", Role.BAD
        if task is None:
            return "add that task, or correct depends_on", Role.MUTED
        if row.kind is RowKind.AGAIN:
            return "also waits for what stands above", Role.MUTED
        return task.waits_for or task.reason, Role.MUTED

    def _view(self, row: TreeRow) -> TaskView | None:
        return self._views.get(row.task)

    def _matches(self, row: TreeRow, text: str) -> bool:
        return text in row.task

    # -- the edges of the selected task

    @on(VirtualTable.Selected)
    def _selected(self, event: VirtualTable.Selected) -> None:
        if not isinstance(event, VirtualTable.Opened):
            self._show_edges()

    def _show_edges(self) -> None:
        row, graph = self.table.selected, self._graph
        rows: list[Content] = []
        if row is not None and graph is not None and row.task in graph:
            key = TaskKey(row.task)
            before, after = graph.dependencies(key), graph.dependents(key)
            rows.append(
                content(("waits for  ", Role.MUTED), *self._named(before, "nothing: it can go first"))
            )
            rows.append(content(("before     ", Role.MUTED), *self._named(after, "nothing waits for it")))
            if fault := graph.fault(key):
                rows.append(content((f"✗ {fault}", Role.BAD)))
        elif row is not None:
            rows.append(content((safe(row.task, limit=300), Role.BAD)))
        self.query_one("#edges", TextView).put(lines(rows), resizes=False)

    def _named(self, keys: Sequence[str], none: str) -> list[Piece]:
        if not keys:
            return [(none, Role.MUTED)]
        pieces: list[Piece] = []
        for key in keys[:NAMED]:
            task = self._views.get(key)
            look = task_mark(task) if task is not None else None
            pieces += [
                (f"{look.glyph} " if look else "", look.role if look else Role.MUTED),
                self._short(key),
                "   ",
            ]
        if len(keys) > NAMED:
            pieces.append((f"and {len(keys) - NAMED:,} more", Role.MUTED))
        return pieces

    # -- where one is

    def where(self) -> str:
        """Name the selected task."""
        row = self.table.selected if self._ready else None
        return row.task if row is not None else ""

    def go_to(self, where: str) -> None:
        """Select a task."""
        if not self._ready or not self.table.select(where):
            self._wanted = where
            if self._around is not None:
                self._around = None
                self._planting.want()

    def situation(self) -> Situation:
        """Say what is selected, as actions judge it."""
        row = self.table.selected
        task = self._views.get(row.task) if row is not None else None
        queues = self._snapshot.queues if self._snapshot else ()
        return Situation(task, None, next((q for q in queues if task and q.project == task.project), None))

    # -- moving along edges

    @on(VirtualTable.Opened)
    def _opened(self) -> None:
        """Go to the task in the queue; from a row that only points, to the task's own row."""
        row = self.table.selected
        if row is not None and row.kind is RowKind.AGAIN:
            self.table.select(row.task)
        elif row is not None and row.kind is RowKind.TASK:
            self._desk.go("operations", f"queue {row.task}")

    def action_edge_before(self) -> None:
        """Go to what it waits for: what is not done first."""
        self._along(lambda graph, key: graph.dependencies(key), "It waits for nothing.")

    def action_edge_after(self) -> None:
        """Go to what waits for it."""
        self._along(lambda graph, key: graph.dependents(key), "Nothing waits for it.")

    def _along(self, edges: Callable[[Graph[Entry], TaskKey], Sequence[str]], none: str) -> None:
        row, graph = self.table.selected, self._graph
        if row is None or graph is None or row.task not in graph:
            return
        found = [key for key in edges(graph, TaskKey(row.task)) if key in self._tree.places]
        undone = [key for key in found if self._views[key].state not in DONE]
        if found:
            self.table.select((undone or found)[0])
        else:
            self._desk.tell(none)

    def action_next_critical(self) -> None:
        """Go to the next task of the critical path, round its end."""
        path, row = self._tree.critical, self.table.selected
        if not path:
            self._desk.tell("Nothing is left that waits for anything.")
            return
        here = path.index(row.task) if row is not None and row.task in path else -1
        self.table.select(path[(here + 1) % len(path)])

    def action_around(self) -> None:
        """Show only what is connected with the selected task, or everything."""
        row = self.table.selected
        if self._around is not None:
            self._wanted, self._around = (row.task if row else ""), None
        elif row is not None and row.task in self._views:
            self._wanted = self._around = row.task
        self._of = None
        self._planting.want()

    def action_log(self) -> None:
        """Go to the log of the task's run."""
        row = self.table.selected
        if row is not None and row.task in self._views:
            self._desk.go("operations", f"detail {row.task}")

    def action_copy(self) -> None:
        """Copy the selected task's name."""
        row = self.table.selected
        if row is not None:
            self.app.copy_to_clipboard(safe(row.task))
            self._desk.tell("Copied the task's name.")

    def action_back(self) -> None:
        """Show everything again; else go back to the queue."""
        if self._around is not None:
            self.action_around()
        else:
            self._desk.go("operations", "")

    def on_resize(self, _event: events.Resize) -> None:
        """Tell the edges for the new width."""
        if self._ready:
            self._show_edges()


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _grown(
    tasks: Sequence[TaskView], around: str | None, durations: Durations
) -> tuple[Graph[Entry], dict[str, TaskView], Tree]:
    if around is not None:
        whole = graph_of_views(tasks)
        if around in whole:
            key = TaskKey(around)
            near = {key, *whole.ancestors(key), *whole.descendants(key)}
            tasks = [task for task in tasks if task.key in near]
    return graph_of_views(tasks), {task.key: task for task in tasks}, plant(tasks, durations)
