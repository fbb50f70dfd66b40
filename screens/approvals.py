"""The approvals screen: everything that waits for a person, since when, until when, and what it would do."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import on
from textual.binding import BindingType
from textual.content import Content

from opconsole.clock import Clock
from opconsole.inbox import Waiting, Wanted, inbox
from opconsole.views import RunView
from screens.actions import Scope, Situation, bindings
from screens.desk import Desk, describe
from screens.dialogs.approval_text import approval_text
from screens.dialogs.decide import known_of
from screens.latest import Latest
from screens.list_screen import ListScreen
from screens.look import Mark, Role
from screens.policy_asked import policy_text
from screens.widgets.columns import Cell, Column
from screens.widgets.list_pane import ListPane
from screens.widgets.scroll_pane import ScrollPane
from screens.widgets.ticking import Ticking
from screens.widgets.virtual_table import VirtualTable
from screens.words import content, duration, lines

WANTED = {
    Wanted.APPROVE: Mark("◆", "approve", Role.ASKS),
    Wanted.DECIDE: Mark("!", "decide", Role.BAD),
    Wanted.VERIFY: Mark("✓", "verify", Role.WARN),
}


class Asked(ScrollPane):
    """Shows what the selected row would do, as its dialog does."""

    drawn: Callable[[int], Content] | None = None

    def draw(self, width: int) -> Content:
        """Give the text for a width in cells."""
        if self.drawn is None:
            return content(("Select something on the left to see what it would do.", Role.MUTED))
        return self.drawn(width)


class ApprovalsScreen(ListScreen):
    """What waits for a person. Enter opens the dialog; nothing is decided without it."""

    PLACE = "approvals"
    BESIDE = "What is asked"
    _detail: Asked
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Scope.APPROVALS)]

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._run: RunView | None = None
        self._loading = Latest(self._load)
        empty = lines(
            [
                content("Nothing waits for anybody."),
                content(
                    ("What a gate stops, what is stuck and what is to be verified comes here.", Role.MUTED)
                ),
            ]
        )
        columns = _columns(desk.clock)
        self._list = ListPane(
            "Waits for a person", columns, lambda row: row.key, _words, empty=empty, id="list"
        )
        self._detail = Asked()
        self._ticking = Ticking(self, self._tick)

    def begin(self) -> None:
        """Read what waits."""
        self.run_worker(self._loading.run(), group="loading")

    def on_screen_resume(self) -> None:
        """Let the times go on while they are looked at."""
        self._ticking.run(on=True)

    def on_screen_suspend(self) -> None:
        """Let nothing tick behind another screen."""
        self._ticking.run(on=False)

    def _tick(self) -> None:
        self._list.table.refresh_rows(lambda _: True)
        self._detail.redraw()

    # -- what is shown

    def _show_all(self) -> None:
        super()._show_all()
        self._loading.want()

    async def _load(self) -> None:
        console = self._desk.console
        try:
            tasks = self._snapshot.tasks if self._snapshot else ()
            policy = await console.policy() if self._snapshot and self._snapshot.policy_waits else None
            rows = inbox(tasks, await console.approvals(), policy) if self._snapshot else ()
            selected = self._list.table.selected
            run = selected.run if selected else None
            view = await console.run(run) if run else None
        except Exception as error:  # noqa: BLE001 (the screen goes on; the person hears of it)
            self._desk.tell(f"{describe(error)}. What waits could not be read.", wrong=True)
            return
        if self._snapshot is not None:
            self._list.show_rows(rows)
            self._list.table.keep_marks(_can_be_marked)
        self._select_wanted()
        self._run = view
        self._show_asked()
        after = self._list.table.selected
        if (after.run if after else None) != run:
            self._loading.want()

    def _show_asked(self) -> None:
        row, run, desk = self._list.table.selected, self._run, self._desk
        pane = self._detail
        if row is not None and row.policy is not None:
            policy = row.policy
            pane.drawn = lambda width: policy_text(policy, desk.console.operator, desk.clock.now(), width)
        elif row is None or run is None or run.run.id != row.run:
            pane.drawn = None
        elif row.wanted is Wanted.APPROVE and run.waiting is not None:
            approval = run.waiting
            pane.drawn = lambda width: approval_text(
                run, approval, desk.console.operator, desk.clock.now(), width
            )
        else:
            pane.drawn = lambda width: lines(known_of(run, desk.clock.now(), width))
        pane.redraw()

    @on(VirtualTable.Selected)
    def _selected(self, event: VirtualTable.Selected) -> None:
        if not isinstance(event, VirtualTable.Opened):
            self._show_asked()
            self._loading.want()

    # -- actions

    def situation(self) -> Situation:
        """Say what is selected and what is marked."""
        row, run = self._list.table.selected, self._run
        marked = tuple(one.run for one in self._list.table.marked if one.run is not None)
        if row is None or row.task is None:
            return Situation(marked=marked, policy=row.policy if row else None)
        queues = self._snapshot.queues if self._snapshot else ()
        task = row.task
        queue = next((queue for queue in queues if queue.project == task.project), None)
        shown = run if run is not None and run.run.id == row.run else None
        return Situation(task, shown, queue, marked=marked)

    async def settled(self) -> Situation:
        """Say what is selected once its run is loaded."""
        await self._load()
        return self.situation()

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
        if row is not None and not _can_be_marked(row):
            self._desk.tell("Only plans can be marked: everything else is decided one by one.")
            self._list.table.action_move_down()
        else:
            self._list.table.action_mark()

    def action_mark_range(self) -> None:
        """Mark all plans from the last mark to here."""
        self._list.table.action_mark_range()
        self._list.table.keep_marks(_can_be_marked)

    def action_copy(self) -> None:
        """Copy what `opconsole approve` takes: the task, and the digest of what is to be approved."""
        row = self._list.table.selected
        if row is not None:
            asked = row.approval or (row.policy and row.policy.row)
            self.app.copy_to_clipboard(f"{row.name} --plan {asked.digest}" if asked else row.name)
            self._desk.tell(
                "Copied task and digest, as opconsole approve takes them."
                if asked
                else "Copied the task's name."
            )

    def action_log(self) -> None:
        """Go to the run's log, on the operations screen."""
        row = self._list.table.selected
        if row is not None and row.task is not None:
            self._desk.go("operations", f"detail {row.key}")


def _columns(clock: Clock) -> list[Column[Waiting]]:
    def wanted(row: Waiting) -> Cell:
        return str(WANTED[row.wanted]), WANTED[row.wanted].role

    def task(row: Waiting) -> Cell:
        return (row.name if row.task else f"policy {row.name}"), Role.PLAIN

    def since(row: Waiting) -> Cell:
        seconds = (clock.now() - row.since).total_seconds() if row.since else None
        return ("" if seconds is None else duration(seconds)), Role.PLAIN

    def expires(row: Waiting) -> Cell:
        if row.expires is None:
            return ("never" if row.tier else ""), Role.MUTED
        left = (row.expires - clock.now()).total_seconds()
        return (f"in {duration(left)}" if left > 0 else "expired"), Role.WARN

    return [
        Column("Wants", 9, wanted, lambda row: row.wanted.value),
        Column("Task", 18, task, lambda row: row.key, grows=2),
        Column(
            "Environment",
            11,
            lambda row: (_environment(row) or "–", Role.PLAIN),
            _environment,
        ),
        Column(
            "Version",
            8,
            lambda row: (_version(row) or "–", Role.PLAIN),
            _version,
        ),
        Column(
            "Tier",
            4,
            lambda row: (str(row.tier or ""), Role.BAD if row.tier == 3 else Role.PLAIN),
            lambda row: -(row.tier or 0),
        ),
        Column("Since", 9, since, lambda row: row.since.timestamp() if row.since else 0.0, right=True),
        Column(
            "Expires",
            12,
            expires,
            lambda row: row.expires.timestamp() if row.expires else float("inf"),
            folds=2,
        ),
        Column("Asked by", 8, lambda row: (row.by, Role.MUTED), lambda row: row.by, grows=1, folds=3),
    ]


def _can_be_marked(row: Waiting) -> bool:
    return row.approval is not None


def _environment(row: Waiting) -> str:
    return (row.task.environment if row.task else None) or ""


def _version(row: Waiting) -> str:
    return (row.task.version if row.task else None) or ""


def _words(row: Waiting) -> str:
    kind = row.task.kind if row.task else "policy"
    parts = (row.key, _environment(row), _version(row), kind, row.by, row.why, row.wanted.value)
    return f"{' '.join(part for part in parts if part)} tier {row.tier or ''}"
