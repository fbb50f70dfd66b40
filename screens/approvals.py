"""The approvals screen: everything that waits for a person, since when, until when, and what it would do."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content

from opconsole.clock import Clock
from opconsole.inbox import Waiting, Wanted, inbox
from opconsole.views import RunView
from screens.actions import Scope, Situation, bindings
from screens.base import ConsoleScreen
from screens.desk import Desk, describe
from screens.dialogs.approval_text import approval_text
from screens.dialogs.decide import known_of
from screens.latest import Latest
from screens.look import Mark, Role
from screens.widgets.heading import Heading
from screens.widgets.key_bar import KeyBar
from screens.widgets.list_pane import ListPane
from screens.widgets.scroll_pane import ScrollPane
from screens.widgets.ticking import Ticking
from screens.widgets.virtual_table import Cell, Column, VirtualTable
from screens.words import content, duration, lines

WIDE = 110
"""Columns of a terminal from which on what is asked is shown beside the list."""
WANTED = {
    Wanted.APPROVE: Mark("◆", "approve", Role.ASKS),
    Wanted.DECIDE: Mark("!", "decide", Role.BAD),
    Wanted.VERIFY: Mark("✓", "verify", Role.WARN),
}
MARKED = "●"


class Asked(ScrollPane):
    """Shows what the selected row would do, as its dialog does."""

    drawn: Callable[[int], Content] | None = None

    def draw(self, width: int) -> Content:
        """Give the text for a width in cells."""
        if self.drawn is None:
            return content(("Select something on the left to see what it would do.", Role.MUTED))
        return self.drawn(width)


class ApprovalsScreen(ConsoleScreen):
    """What waits for a person. Enter opens the dialog; nothing is decided without it."""

    PLACE = "approvals"
    DEFAULT_CSS = """
    ApprovalsScreen {
        & #panes { height: 1fr; }
        & #inbox { width: 58%; }
        & #asked { width: 1fr; border-left: vkey $panel; }
    }
    ApprovalsScreen.-single {
        & #inbox { width: 1fr; }
        & #asked { display: none; border-left: none; }
        &.-at-asked #inbox { display: none; }
        &.-at-asked #asked { display: block; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Scope.APPROVALS)]

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._marked: dict[str, None] = {}
        self._run: RunView | None = None
        self._loading = Latest(self._load)
        self._wanted = ""
        empty = lines(
            [
                content("Nothing waits for anybody."),
                content(
                    ("What a gate stops, what is stuck and what is to be verified comes here.", Role.MUTED)
                ),
            ]
        )
        columns = _columns(desk.clock, self._marked)
        self._list = ListPane(
            "Waits for a person", columns, lambda row: row.key, _words, empty=empty, id="inbox"
        )
        self._ticking = Ticking(self, lambda: self._list.table.refresh_rows(lambda _: True))

    def compose(self) -> ComposeResult:
        """Put the list beside what is asked."""
        yield self.strip()
        with Horizontal(id="panes"):
            yield self._list
            with Vertical(id="asked"):
                yield Heading(asked="What is asked")
                yield Asked()
        yield KeyBar()

    def on_mount(self) -> None:
        """Begin with what is known already."""
        self._ready = True
        self._fold()
        self._show_all()
        self._list.table.focus()
        self.run_worker(self._loading.run(), group="loading")

    def on_screen_resume(self) -> None:
        """Let the times go on while they are looked at."""
        self._ticking.run(on=True)

    def on_screen_suspend(self) -> None:
        """Let nothing tick behind another screen."""
        self._ticking.run(on=False)

    def on_resize(self) -> None:
        """Fold what is asked away where there is no room for it."""
        if self._ready:
            self._fold()

    def _fold(self) -> None:
        self.set_class(self.app.size.width < WIDE, "-single")

    # -- what is shown

    def _show_all(self) -> None:
        super()._show_all()
        self._loading.want()

    async def _load(self) -> None:
        try:
            tasks = self._snapshot.tasks if self._snapshot else ()
            rows = inbox(tasks, await self._desk.console.approvals()) if self._snapshot else ()
            selected = self._list.table.selected
            run = selected.task.run if selected else None
            view = await self._desk.console.run(run) if run else None
        except Exception as error:  # noqa: BLE001 (the screen goes on; the person hears of it)
            self._desk.tell(f"{describe(error)}. What waits could not be read.", wrong=True)
            return
        for key in [key for key in self._marked if not any(row.key == key and row.approval for row in rows)]:
            del self._marked[key]
        if self._snapshot is not None:
            self._list.show_rows(rows)
        if self._wanted and self._list.table.select(self._wanted):
            self._wanted = ""
        self._run = view
        self._show_asked()
        after = self._list.table.selected
        if (after.task.run if after else None) != run:
            self._loading.want()

    def _show_asked(self) -> None:
        row, run, desk = self._list.table.selected, self._run, self._desk
        pane = self.query_one(Asked)
        if row is None or run is None or run.run.id != row.task.run:
            pane.drawn = None
        elif row.wanted is Wanted.APPROVE and run.waiting is not None:
            approval = run.waiting
            pane.drawn = lambda width: approval_text(
                run, approval, desk.console.operator, desk.clock.now(), width
            )
        else:
            pane.drawn = lambda _width: lines(known_of(run, desk.clock.now()))
        pane.redraw()

    @on(VirtualTable.Selected)
    def _selected(self, event: VirtualTable.Selected) -> None:
        if not isinstance(event, VirtualTable.Opened):
            self._show_asked()
            self._loading.want()

    # -- where one is

    def where(self) -> str:
        """Name the selected task."""
        return self._list.table.selected_key or ""

    def go_to(self, where: str) -> None:
        """Select a task; one that does not wait any more is passed over."""
        if not self._ready or not self._list.table.select(where):
            self._wanted = where

    # -- actions

    def situation(self) -> Situation:
        """Say what is selected and what is marked."""
        row, run = self._list.table.selected, self._run
        rows = [one for one in self._list.table.shown if one.key in self._marked]
        marked = tuple(one.task.run for one in rows if one.task.run is not None)
        if row is None:
            return Situation(marked=marked)
        queues = self._snapshot.queues if self._snapshot else ()
        queue = next((queue for queue in queues if queue.project == row.task.project), None)
        shown = run if run is not None and run.run.id == row.task.run else None
        return Situation(row.task, shown, queue, marked=marked)

    async def settled(self) -> Situation:
        """Say what is selected once its run is loaded."""
        await self._load()
        return self.situation()

    def parts(self) -> Iterable[object]:
        """Give the table."""
        return (self._list.table,)

    @on(VirtualTable.Opened)
    def _opened(self) -> None:
        """Open the dialog for what is waited for."""
        row = self._list.table.selected
        if row is not None:
            self.run_worker(self._open(row), group="deciding", exit_on_error=False)

    async def _open(self, row: Waiting) -> None:
        await self._deciding.perform(row.wanted.value, await self.settled())

    def action_mark(self) -> None:
        """Mark the row, or take its mark off; then go on."""
        row = self._list.table.selected
        if row is None:
            return
        if row.approval is None:
            self._desk.tell("Only approvals can be marked: everything else is decided one by one.")
        elif row.key in self._marked:
            del self._marked[row.key]
        else:
            self._marked[row.key] = None
        self._list.table.action_move_down()
        self._list.table.refresh()

    def action_mark_range(self) -> None:
        """Mark all approvals from the last mark to here."""
        shown = list(self._list.table.shown)
        here = next((place for place, one in enumerate(shown) if one.key == self.where()), None)
        if here is None:
            return
        last = next(reversed(self._marked), "")
        start = next((place for place, one in enumerate(shown) if one.key == last), here)
        for one in shown[min(start, here) : max(start, here) + 1]:
            if one.approval is not None:
                self._marked[one.key] = None
        self._list.table.refresh()

    def action_filter(self) -> None:
        """Ask which rows to show."""
        self._list.begin_filter()

    def action_back(self) -> None:
        """End the filter; else come back to the list; else take all marks off."""
        if self._list.filtering:
            self._list.end_filter()
        elif self.has_class("-at-asked") or not self._list.table.has_focus:
            self._go_to_list()
        else:
            self._marked.clear()
            self._list.table.refresh()

    def action_next_pane(self) -> None:
        """Go to what is asked, and back."""
        if self._list.table.has_focus:
            self.add_class("-at-asked")
            self.query_one(Asked).focus()
        else:
            self._go_to_list()

    action_previous_pane = action_next_pane

    def _go_to_list(self) -> None:
        self.remove_class("-at-asked")
        self._list.table.focus()

    def action_log(self) -> None:
        """Go to the run's log, on the operations screen."""
        row = self._list.table.selected
        if row is not None:
            self._desk.go("operations", f"detail {row.key}")


def _columns(clock: Clock, marked: dict[str, None]) -> list[Column[Waiting]]:
    def sign(row: Waiting) -> Cell:
        return (MARKED if row.key in marked else ""), Role.ASKS

    def wanted(row: Waiting) -> Cell:
        return str(WANTED[row.wanted]), WANTED[row.wanted].role

    def since(row: Waiting) -> Cell:
        seconds = (clock.now() - row.since).total_seconds() if row.since else None
        return ("" if seconds is None else duration(seconds)), Role.PLAIN

    def expires(row: Waiting) -> Cell:
        if row.expires is None:
            return ("never" if row.approval else ""), Role.MUTED
        left = (row.expires - clock.now()).total_seconds()
        return (f"in {duration(left)}" if left > 0 else "expired"), Role.WARN

    return [
        Column("", 1, sign, lambda row: row.key not in marked),
        Column("Wants", 9, wanted, lambda row: row.wanted.value),
        Column("Task", 18, lambda row: (row.task.task, Role.PLAIN), lambda row: row.key, grows=2),
        Column(
            "Environment",
            11,
            lambda row: (row.task.environment or "–", Role.PLAIN),
            lambda row: row.task.environment or "",
        ),
        Column(
            "Version",
            8,
            lambda row: (row.task.version or "–", Role.PLAIN),
            lambda row: row.task.version or "",
        ),
        Column(
            "Tier",
            4,
            lambda row: (str(row.tier or ""), Role.BAD if row.tier == 3 else Role.PLAIN),
            lambda row: -(row.tier or 0),
        ),
        Column("Since", 8, since, lambda row: row.since.timestamp() if row.since else 0.0, right=True),
        Column(
            "Expires",
            12,
            expires,
            lambda row: row.expires.timestamp() if row.expires else float("inf"),
            folds=2,
        ),
        Column("Asked by", 8, lambda row: (row.by, Role.MUTED), lambda row: row.by, grows=1, folds=3),
    ]


def _words(row: Waiting) -> str:
    task = row.task
    parts = (task.key, task.environment, task.version, task.kind, row.by, row.why, row.wanted.value)
    return f"{' '.join(part for part in parts if part)} tier {row.tier or ''}"
