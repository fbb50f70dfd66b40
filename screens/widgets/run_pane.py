"""The right side of the operations screen: a run's pipeline, its log and what the guardrails found.

Its panes come after the first picture of the screen: a person reads the queue first, and loading and laying
out the rest would double the time until there is something to read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from textual.containers import Vertical
from textual.widget import Widget

from queues.states import RunState
from screens.desk import Desk
from screens.widgets.heading import Heading
from screens.words import content

if TYPE_CHECKING:
    from textual.widgets import ContentSwitcher

    from opconsole.views import RunView, TaskView
    from screens.findings import ShownFinding
    from screens.widgets.log_pane import LogPane
    from screens.widgets.pipeline import PipelineView
    from screens.widgets.violations import ViolationsView


@dataclass(frozen=True, slots=True)
class Panes:
    """The panes, once they are there."""

    pipeline: PipelineView
    log: LogPane
    violations: ViolationsView
    switcher: ContentSwitcher
    tabs: Heading
    """The heading over log and violations."""


class RunPane(Vertical):
    """Shows the selected task's latest run. Nothing is in it until it is filled."""

    DEFAULT_CSS = """
    RunPane {
        & #pipeline { height: 55%; }
        & #detail { height: 1fr; }
        & ContentSwitcher { height: 1fr; }
    }
    """

    def __init__(self, desk: Desk, *, id: str | None = None) -> None:  # noqa: A002 (Textual's word for it)
        super().__init__(id=id)
        self._desk = desk
        self._panes: Panes | None = None
        self._headed: tuple[tuple[Widget, Heading], ...] = ()
        self._chosen_for: tuple[str, bool] | None = None

    async def fill(self) -> None:
        """Put the panes into it."""
        for name in ("pipeline", "log_pane", "violations"):  # not on the loop: keys are answered meanwhile
            await asyncio.to_thread(import_module, f"screens.widgets.{name}")
        from textual.widgets import ContentSwitcher  # noqa: PLC0415

        from screens.widgets.log_pane import LogPane  # noqa: PLC0415 (loaded by now)
        from screens.widgets.pipeline import PipelineView  # noqa: PLC0415
        from screens.widgets.violations import ViolationsView  # noqa: PLC0415

        pipeline, log = PipelineView(self._desk, id="pipeline-view"), LogPane(id="log-pane")
        violations = ViolationsView(self._desk, id="violations-pane")
        switcher = ContentSwitcher(log, violations, initial="log-pane")
        tabs = Heading(log="Log", violations="Violations")
        title = Heading(pipeline="Pipeline")
        upper = Vertical(title, pipeline, id="pipeline")
        lower = Vertical(tabs, switcher, id="detail")
        await self.mount(upper, lower)
        self._headed = ((upper, title), (lower, tabs))
        self._panes = Panes(pipeline, log, violations, switcher, tabs)

    @property
    def headed(self) -> tuple[tuple[Widget, Heading], ...]:
        """The panes that are there, each with its heading."""
        return self._headed

    @property
    def panes(self) -> Panes:
        """The panes, of which there are none before it is whole."""
        if self._panes is None:
            raise LookupError("the run's panes are not there yet: wait until the pane is whole")
        return self._panes

    def parts(self) -> Iterable[object]:
        """Give what carries out actions."""
        panes = self._panes
        return (panes.log.view, panes.pipeline, panes.violations) if panes else ()

    # -- what is shown

    def show_run(self, task: TaskView | None, run: RunView | None, tasks: Sequence[TaskView]) -> None:
        """Show another task and its run as far as it is loaded; *tasks* are all there are."""
        if self._panes is None:
            return
        self._panes.pipeline.show_run(task, run, tasks)
        if run is not None or task is None or task.run is None:
            report = run.run.report if run else None
            self._panes.log.show_log(run.log if run else None)
            self._panes.violations.show_report(run.run.id if run else None, report)
            self._label_tabs(run)

    def finding_of(self, run: RunView) -> ShownFinding | None:
        """Give the finding that is selected, where it is this run's."""
        view = self._panes.violations if self._panes else None
        return view.selected if view is not None and view.run == run.run.id else None

    def _label_tabs(self, run: RunView | None) -> None:
        from screens.findings import findings_of  # noqa: PLC0415 (loaded with the panes)

        found = len(findings_of(run.run.report)) if run else 0
        self.panes.tabs.label("violations", content("Violations", f" {found}" if found else ""))
        if run is None:
            self._chosen_for = None
            self.choose("log")
            return
        # A block brings its violations to the front, once: after that the person chooses.
        now = (run.run.id, run.run.state is RunState.BLOCKED and found > 0)
        if now != self._chosen_for:
            self._chosen_for = now
            self.choose("violations" if now[1] else "log")

    # -- log or violations

    @property
    def at_log(self) -> bool:
        """Whether the log is in front, and not the violations."""
        return self._panes is not None and self._panes.switcher.current == "log-pane"

    def choose(self, tab: str) -> bool:
        """Bring the log or the violations to the front; False where it is there already."""
        panes = self.panes
        if panes.switcher.current == f"{tab}-pane":
            return False
        focused = self.screen.focused
        held = focused is not None and panes.switcher in focused.ancestors_with_self
        panes.switcher.current = f"{tab}-pane"
        panes.tabs.choose(tab)
        if held and self.screen.is_current:
            self.front.focus()
        return True

    @property
    def front(self) -> Widget:
        """Give what takes the keys of the third pane: the log or the violations."""
        return self.panes.log.view if self.at_log else self.panes.violations
