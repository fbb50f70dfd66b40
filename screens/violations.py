"""The violations screen: what the guardrails found in the blocked runs of all projects, to be mended."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.binding import BindingType

from opconsole.views import RunView, TaskView
from queues.states import RunState
from screens.actions import Scope, Situation, bindings
from screens.desk import Desk, describe
from screens.findings import ShownFinding, findings_of, rank, worst_first
from screens.latest import Latest
from screens.list_screen import ListScreen
from screens.look import SEVERITY_MARKS, Mark, Role
from screens.widgets.columns import Cell, Column
from screens.widgets.list_pane import ListPane
from screens.widgets.violations import SHOWN, VERDICTS, ViolationsView
from screens.widgets.virtual_table import VirtualTable
from screens.words import content, lines

RUNS = 200
"""Blocked runs that are read at most, the latest ones; the command line has them all."""


@dataclass(frozen=True, slots=True)
class Found:
    """A finding of a blocked run."""

    task: TaskView
    run: str
    finding: ShownFinding
    number: int
    """Its place in the run's report, the worst first."""

    @property
    def key(self) -> str:
        """The run and the place."""
        return f"{self.run} {self.number}"


class ViolationsScreen(ListScreen):
    """All findings of the blocked runs; the selected one is shown with its code; the keys are about it."""

    PLACE = "violations"
    BESIDE = "Its code"
    _detail: ViolationsView
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Scope.FOUND)]

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._runs: dict[str, RunView] = {}
        self._loading = Latest(self._load)
        empty = lines(
            [
                content(("✓ ", Role.GOOD), "No run is blocked."),
                content(("What the guardrails stop comes here, of every project.", Role.MUTED)),
            ]
        )
        self._list = ListPane("Violations", _columns(), lambda row: row.key, _words, empty=empty, id="list")
        self._detail = ViolationsView(desk, id="report")
        self._detail.empty = "Select a finding on the left to see its code, and what to do about it."

    def begin(self) -> None:
        """Read the blocked runs."""
        self.run_worker(self._loading.run(), group="loading")

    # -- what is shown

    def _show_all(self) -> None:
        super()._show_all()
        self._loading.want()

    async def _load(self) -> None:
        if self._snapshot is None:
            return
        tasks = [task for task in self._snapshot.tasks if task.state == RunState.BLOCKED and task.run]
        tasks = sorted(tasks, key=lambda task: (task.finished_at is None, task.finished_at), reverse=True)[
            :RUNS
        ]
        wanted = {task.run: task for task in tasks if task.run}
        try:
            # A blocked run is over: what was read of it once stays true.
            for run in [run for run in wanted if run not in self._runs]:
                view = await self._desk.console.run(run)
                if view is not None:
                    self._runs[run] = view
        except Exception as error:  # noqa: BLE001 (the screen goes on; the person hears of it)
            self._desk.tell(f"{describe(error)}. The findings could not be read.", wrong=True)
            return
        self._runs = {run: view for run, view in self._runs.items() if run in wanted}
        self._list.show_rows(_rows(wanted, self._runs))
        self._select_wanted()
        self._show_code()

    @on(VirtualTable.Selected)
    def _selected(self, event: VirtualTable.Selected) -> None:
        if not isinstance(event, VirtualTable.Opened):
            self._show_code()

    def _show_code(self) -> None:
        row = self._list.table.selected
        view = self._runs.get(row.run) if row else None
        report = view.run.report if view else None
        self._detail.show_report(row.run if row else None, report, at=row.number if row else None)

    @on(VirtualTable.Opened)
    def _opened(self) -> None:
        self._go_to_detail()

    # -- actions

    def situation(self) -> Situation:
        """Say which task and finding are selected."""
        row = self._list.table.selected
        if row is None:
            return Situation()
        queues = self._snapshot.queues if self._snapshot else ()
        queue = next((queue for queue in queues if queue.project == row.task.project), None)
        finding = self._detail.selected if self._detail.has_focus else row.finding
        return Situation(row.task, self._runs.get(row.run), queue, finding)

    def parts(self) -> Iterable[object]:
        """Give the panes that carry out actions."""
        return self._detail, self._list.table

    def action_open_file(self) -> None:
        """Open the file in the editor, at the line."""
        self._detail.action_open_file()

    def action_exempt_finding(self) -> None:
        """Ask for a reason and show what would be written."""
        self._detail.action_exempt_finding()

    def action_recheck(self) -> None:
        """Let the guardrails read the file of the project's folder again."""
        self._detail.action_recheck()

    def action_log(self) -> None:
        """Go to the run on the operations screen."""
        row = self._list.table.selected
        if row is not None:
            self._desk.go("operations", f"detail {row.task.key}")

    def action_copy(self) -> None:
        """Copy the place of the finding."""
        row = self._list.table.selected
        if row is not None:
            self.app.copy_to_clipboard(f"{row.finding.path}:{row.finding.line}")
            self._desk.tell("Copied file and line.")


def _rows(tasks: dict[str, TaskView], runs: dict[str, RunView]) -> list[Found]:
    found = [
        Found(task, run, finding, number)
        for run, task in tasks.items()
        if run in runs
        for number, finding in enumerate(worst_first(findings_of(runs[run].run.report))[:SHOWN])
    ]
    return sorted(found, key=lambda row: (row.finding.verdict != "block", rank(row.finding.severity)))


def _columns() -> list[Column[Found]]:
    def severity(row: Found) -> Cell:
        look = SEVERITY_MARKS.get(row.finding.severity) or Mark("·", row.finding.severity, Role.MUTED)
        return str(look), look.role

    def verdict(row: Found) -> Cell:
        look = VERDICTS.get(row.finding.verdict) or Mark("·", row.finding.verdict, Role.MUTED)
        return str(look), look.role

    def place(row: Found) -> str:
        return f"{row.finding.path.rpartition('/')[2]}:{row.finding.line}"

    return [
        Column("Severity", 10, severity, lambda row: rank(row.finding.severity)),
        Column("Verdict", 8, verdict, lambda row: row.finding.verdict, folds=2),
        Column("Rule", 14, lambda row: (row.finding.rule, Role.PLAIN), lambda row: row.finding.rule, grows=1),
        Column("Place", 20, lambda row: (place(row), Role.PLAIN), place, grows=3, ends=True),
        Column(
            "Task", 15, lambda row: (row.task.task, Role.MUTED), lambda row: row.task.key, grows=1, folds=1
        ),
        Column(
            "Environment",
            11,
            lambda row: (row.task.environment or "–", Role.MUTED),
            lambda row: row.task.environment or "",
            folds=3,
        ),
    ]


def _words(row: Found) -> str:
    one = row.finding
    return " ".join(
        (row.task.key, row.task.environment or "", one.severity, one.verdict, one.rule, one.path, one.message)
    )
