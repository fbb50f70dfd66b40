"""The history screen: all runs, filtered by anything; the report and the log of each; charts beside them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content

from opconsole.record import ToldRun
from opconsole.run_filter import FilterError, PastRun, RunFilter, read_filter
from screens.actions import Scope, bindings
from screens.desk import Desk, describe
from screens.history_table import Chart, charts, columns, draw_charts
from screens.latest import Latest
from screens.list_screen import ListScreen
from screens.look import Role
from screens.saving import save_as
from screens.widgets.heading import Heading
from screens.widgets.list_pane import ListPane
from screens.widgets.log_pane import LogPane
from screens.widgets.report_pane import ReportPane
from screens.widgets.scroll_pane import ScrollPane
from screens.widgets.virtual_table import VirtualTable
from screens.words import content, lines

PERIOD = 0.5
"""Seconds between two looks at the journal at least: nobody reads a history faster."""
HINT = 'state:failed env:prod 2.1 who:alice since:7d took:>5m -env:dev "any text"; esc shows all'


class Charts(ScrollPane):
    """Shows success and durations of what the list shows."""

    shown: tuple[Chart, ...] = ()

    def draw(self, width: int) -> Content:
        """Give the text for a width in cells."""
        return lines(draw_charts(self.shown, width))


class HistoryScreen(ListScreen):
    """All runs, newest first. Enter opens a run's report, `l` its log; both take the whole screen."""

    PLACE = "history"
    WIDE = 130
    BESIDE = "Of what is shown"
    _detail: Charts
    DEFAULT_CSS = """
    HistoryScreen {
        & #list { width: 1fr; }
        & #detail { width: 50; }
        & #told, & #log { display: none; height: 1fr; }
        &.-at-told #panes, &.-at-log #panes { display: none; }
        &.-at-told #told { display: block; }
        &.-at-log #log { display: block; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Scope.HISTORY)]

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._filters: dict[str, RunFilter] = {"": RunFilter()}
        self._told: ToldRun | None = None
        self._rows: tuple[PastRun, ...] | None = None
        self._several = False
        """Whether there are runs of more than one project."""
        self._loading = Latest(self._load, PERIOD)
        self._charting = Latest(self._draw_charts, PERIOD)
        empty = lines(
            [
                content("Nothing has run yet."),
                content(("1 goes to the queue: a, then Start, lets it run what is ready.", Role.MUTED)),
            ]
        )
        self._list: ListPane[PastRun] = ListPane(
            "History",
            columns(lambda: self._several),
            lambda row: row.line.run.id,
            empty=empty,
            matches=self._matches,
            check=self._check,
            hint=HINT,
            id="list",
        )
        self._detail = Charts()

    def under(self) -> ComposeResult:
        """Let report and log take the place of both panes."""
        with Vertical(id="told"):
            yield Heading(told="Report")
            yield ReportPane()
        with Vertical(id="log"):
            yield Heading(log="Log")
            yield LogPane()

    def begin(self) -> None:
        """Read the runs, and draw the charts of them."""
        self.run_worker(self._loading.run(), group="loading")
        self.run_worker(self._charting.run(), group="charting")

    # -- what is shown

    def _show_all(self) -> None:
        super()._show_all()
        self._loading.want()

    async def _load(self) -> None:
        try:
            rows = await self._desk.console.record.runs()
        except Exception as error:  # noqa: BLE001 (the screen goes on; the person hears of it)
            self._desk.tell(f"{describe(error)}. The history could not be read.", wrong=True)
            return
        if rows is not self._rows:
            self._rows = rows
            self._several = any(row.line.run.project != rows[0].line.run.project for row in rows)
            self._list.show_rows(rows)
        self._select_wanted()

    def _check(self, text: str) -> str:
        """Read filter words before any row is judged by them; say what is wrong with them."""
        try:
            self._filters[text] = read_filter(text, self._desk.clock.now())
        except FilterError as error:
            return str(error)
        return ""

    def _matches(self, row: PastRun, text: str) -> bool:
        return self._filters[text].matches(row)

    @on(VirtualTable.Arranged)
    def _arranged(self) -> None:
        self._charting.want()

    async def _draw_charts(self) -> None:
        record, now = self._desk.console.record, self._desk.clock.now()
        pane = self._detail
        pane.shown = await asyncio.to_thread(charts, tuple(self._list.table.shown), record.gates, now)
        pane.redraw()

    # -- a run's report and log

    @on(VirtualTable.Opened)
    def _opened(self) -> None:
        self._open("-at-told")

    def _open(self, view: str) -> None:
        run = self._list.table.selected_key
        if run is not None:
            self._desk.mark()
            self.run_worker(self._tell(run, view), group="telling", exclusive=True, exit_on_error=False)

    async def _tell(self, run: str, view: str) -> None:
        try:
            told = await self._desk.console.record.report(run)
        except Exception as error:  # noqa: BLE001 (the screen goes on; the person hears of it)
            self._desk.tell(f"{describe(error)}. The run could not be read.", wrong=True)
            return
        if told is None:
            self._desk.tell("This run is gone from the journal.", wrong=True)
            return
        self._told = told
        self.query_one(ReportPane).show_report(told.report)
        self.query_one(LogPane).show_log(told.log)
        self._look_at(view)

    def _look_at(self, view: str) -> None:
        self.remove_class("-at-told", "-at-log", "-at-detail")
        if view:
            self.add_class(view)
        if view == "-at-told":
            self.query_one(ReportPane).focus()
        elif view == "-at-log":
            self.query_one(LogPane).view.focus()
        elif view == "-at-detail":
            self._detail.focus()
        else:
            self._list.table.focus()

    # -- where one is

    def where(self) -> str:
        """Name the run, and whether its report or log is open."""
        view = next((one for one in ("-at-told", "-at-log") if self.has_class(one)), "list")
        return f"{view} {self._list.table.selected_key or ''}"

    def go_to(self, where: str) -> None:
        """Select a run, and open what was open of it."""
        view, _, run = where.partition(" ")
        if run and not (self._ready and self._list.table.select(run)):
            self._wanted = run
        if not self._ready:
            return
        if view in ("-at-told", "-at-log") and run:
            self.run_worker(self._tell(run, view), group="telling", exclusive=True, exit_on_error=False)
        else:
            self._look_at("")

    # -- actions

    @property
    def deeper(self) -> bool:
        """Whether a report or a log is open, or one pane is over the other."""
        return any(self.has_class(view) for view in ("-at-told", "-at-log")) or super().deeper

    def step_back(self) -> None:
        """Close the report or the log; else do what every list does."""
        if any(self.has_class(view) for view in ("-at-told", "-at-log")):
            self._look_at("")
        else:
            super().step_back()

    def parts(self) -> Iterable[object]:
        """Give the panes that carry out actions."""
        return self.query_one(LogPane).view, self.query_one(ReportPane), self._list.table

    def action_log(self) -> None:
        """Open the log of the run."""
        self._open("-at-log")

    @on(ReportPane.Save)
    def _save(self) -> None:
        told = self._told
        if told is None or not self.has_class("-at-told"):
            self._desk.tell("Open a report first: enter.")
            return
        text = "It is written as Markdown; as JSON where the name ends in .json. No file is written over."
        work = save_as(self._desk, "Save the report", text, f"{told.name}.md", partial(self._write, told))
        self.run_worker(work, group="saving", exit_on_error=False)

    async def _write(self, told: ToldRun, file: Path) -> str:
        as_json = file.suffix.lower() == ".json"
        await self._desk.console.record.save(told.json if as_json else told.markdown, file)
        return "the report"

    def action_filter(self) -> None:
        """Ask which runs to show; in the log, which lines."""
        if self.has_class("-at-log"):
            self.query_one(LogPane).filter_hits()
            return
        self._look_at("")
        self._list.begin_filter()

    def action_back(self) -> None:
        """Come back to the list; end the filter."""
        if self.has_class("-at-log") and self.query_one(LogPane).end_search():
            return
        if any(self.has_class(view) for view in ("-at-told", "-at-log")) or not self._at_list():
            self._look_at("")
        elif self._list.filtering:
            self._list.end_filter()

    def _at_list(self) -> bool:
        return not self._detail.has_focus

    def action_next_pane(self) -> None:
        """Go from the list to the charts, from the report to the log, and back."""
        if self.has_class("-at-told"):
            self._look_at("-at-log")
        elif self.has_class("-at-log"):
            self._look_at("-at-told")
        else:
            self._look_at("-at-detail" if self._at_list() else "")

    def action_search(self) -> None:
        """Ask what to search the log for."""
        if self.has_class("-at-log"):
            self.query_one(LogPane).begin_search()
        else:
            super().action_search()

    def action_next_hit(self) -> None:
        """Go to the next hit."""
        self.query_one(LogPane).view.step(1)

    def action_previous_hit(self) -> None:
        """Go to the hit before."""
        self.query_one(LogPane).view.step(-1)

    def action_copy(self) -> None:
        """Copy the run's id, its report, or the log in view."""
        if self.has_class("-at-log"):
            self.run_worker(self._copy_log(), group="copying", exclusive=True, exit_on_error=False)
        elif self.has_class("-at-told") and self._told is not None:
            self.app.copy_to_clipboard(self._told.markdown)
            self._desk.tell("Copied the report.")
        elif (run := self._list.table.selected_key) is not None:
            self.app.copy_to_clipboard(run)
            self._desk.tell("Copied the run's id.")

    async def _copy_log(self) -> None:
        text, what = await self.query_one(LogPane).copied()
        self.app.copy_to_clipboard(text)
        self._desk.tell(f"Copied {what}.")
