"""The pipeline of one run: its steps can be walked and opened; below them its cascade, plan and record."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.content import Content
from textual.message import Message

from opconsole.journal.records import StepRow, StepState
from opconsole.logs import part
from opconsole.views import RunView, TaskView
from screens.actions import Scope, bindings
from screens.cascade import Cascades
from screens.desk import Desk, describe
from screens.look import Role
from screens.pipeline_text import Opened, Shown, draw_pipeline
from screens.widgets.scroll_pane import ScrollPane
from screens.widgets.ticking import Ticking
from screens.words import content, lines

LOG_LINES = 10
"""Lines of a step's log that are shown beneath it."""


class PipelineView(ScrollPane):
    """Shows the selected task's latest run. One step is chosen: the pane's keys are about it."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Scope.PIPELINE)]

    class LogWanted(Message):
        """The log is wanted from a moment on."""

        def __init__(self, at: datetime) -> None:
            self.at = at
            super().__init__()

    def __init__(self, desk: Desk, *, id: str | None = None) -> None:  # noqa: A002 (Textual's word for it)
        super().__init__(id=id)
        self._desk = desk
        self._shown_task: TaskView | None = None
        self._shown_run: RunView | None = None
        self._tasks: Sequence[TaskView] = ()
        self._cascades = Cascades()
        self._chosen: int | None = None  # by the person; else the step that matters now
        self._opened: dict[int, Opened] = {}
        self._plan = False
        self._places: list[tuple[int, int]] = []  # each step's position, and its first row
        self._ticking = Ticking(self, self._tick)

    def show_run(self, task: TaskView | None, run: RunView | None, tasks: Sequence[TaskView] = ()) -> None:
        """Show another task, and its run as far as it is loaded; *tasks* are all there are."""
        other = (task.key if task else None) != (self._shown_task.key if self._shown_task else None)
        before = self._shown_run.run.id if self._shown_run else None
        self._shown_task, self._shown_run, self._tasks = task, run, tasks
        if other or (run is not None and before is not None and run.run.id != before):
            self._chosen, self._opened, self._plan = None, {}, False
        self._ticking.run(on=run is not None and not run.run.state.final)
        self.redraw()
        if other:
            self.scroll_home(animate=False)
        self._read_again()

    def draw(self, width: int) -> Content:
        """Give the text for a width in cells."""
        task = self._shown_task
        if task is None:
            return content(("Select a task to see its pipeline.", Role.MUTED))
        chosen = self.chosen
        shown = Shown(
            task,
            self._shown_run,
            self._cascades.of(task.key, self._tasks),
            chosen.position if chosen else None,
            self._opened,
            self._plan,
        )
        rows: list[Content] = []
        self._places = []
        for row in draw_pipeline(shown, self._desk.clock.now(), width):
            if isinstance(row, int):
                self._places.append((row, len(rows)))
            else:
                rows.append(row)
        return lines(rows)

    # -- the chosen step

    @property
    def steps(self) -> tuple[StepRow, ...]:
        """The steps of the run."""
        return self._shown_run.steps if self._shown_run else ()

    @property
    def chosen(self) -> StepRow | None:
        """The step that the keys are about: the person's, else the one that runs, or that failed."""
        by_position = {step.position: step for step in self.steps}
        if self._chosen in by_position:
            return by_position[self._chosen]
        telling = [step for step in self.steps if step.state in _TELLING]
        if telling:
            return telling[0]
        ran = [step for step in self.steps if step.started_at is not None]
        return ran[-1] if ran else next(iter(self.steps), None)

    def move_by(self, lines: int) -> None:
        """Choose another step; beyond the first and the last one, scroll."""
        at = self._at()
        if at is None or not 0 <= at + lines < len(self.steps) or abs(lines) > 1:
            super().move_by(lines)
            return
        self._choose(self.steps[at + lines].position)

    def on_click(self, event: events.Click) -> None:
        """Choose the step that was clicked; open it when it is clicked again."""
        row = event.y + round(self.scroll_y)
        found = [position for position, first in self._places if first <= row]
        after = [first for _, first in self._places if first > row]
        if found and (after or row <= self._places[-1][1]):
            again = self.chosen is not None and self.chosen.position == found[-1]
            self._choose(found[-1])
            if again:
                self.action_open_step()

    def action_open_step(self) -> None:
        """Open the step: its programs, their ends, and the end of its log; or fold it again."""
        step = self.chosen
        if step is None:
            return
        if step.position in self._opened:
            del self._opened[step.position]
        else:
            self._opened[step.position] = Opened()
            self._read(step)
        self.redraw()
        self.call_after_refresh(self._reveal, step.position)

    def action_plan(self) -> None:
        """Show all of the plan, or its digest alone."""
        self._plan = not self._plan
        self.redraw()

    def log_wanted(self) -> bool:
        """Ask for the log of the chosen step; False where the person chose none, or it has not begun."""
        step = self.chosen
        if self._chosen is None or step is None or step.started_at is None:
            return False
        self.post_message(self.LogWanted(step.started_at))
        return True

    def _at(self) -> int | None:
        step = self.chosen
        return None if step is None else self.steps.index(step)

    def _choose(self, position: int) -> None:
        self._chosen = position
        self.redraw()
        self.call_after_refresh(self._reveal, position)

    def _reveal(self, position: int) -> None:
        row = next((first for place, first in self._places if place == position), None)
        top, room = round(self.scroll_y), self.page_lines()
        if row is None:
            return
        if row < top + 1:
            self.scroll_to(y=max(0, row - 2), animate=False)
        elif row >= top + room - 1:
            self.scroll_to(y=row - room + 2, animate=False)

    # -- what open steps tell

    def _tick(self) -> None:
        self.redraw()
        self._read_again()

    def _read_again(self) -> None:
        """Read again what may have changed: of the steps that are not over, and those that just ended."""
        for step in self.steps:
            if step.position in self._opened and (step.finished_at is None or self._is_old(step)):
                self._read(step)

    def _is_old(self, step: StepRow) -> bool:
        return any(program.result is None for program in self._opened[step.position].programs)

    def _read(self, step: StepRow) -> None:
        if self.is_mounted and self._shown_run is not None:
            work = self._load(self._shown_run, step)
            self.run_worker(work, group=f"step-{step.position}", exclusive=True, exit_on_error=False)

    async def _load(self, run: RunView, step: StepRow) -> None:
        try:
            programs = await self._desk.console.programs(run.run.id, step.position, step.name)
            log = []
            if step.started_at is not None:
                log = await asyncio.to_thread(part, run.log, step.started_at, step.finished_at, LOG_LINES)
            own = [place for place, line in enumerate(log) if line.text.startswith(f"── {step.title}")]
            opened = Opened(
                programs, tuple(log[own[0] :] if own else log)
            )  # stamps are cut: one may be shared
        except Exception as error:  # noqa: BLE001 (the step is shown without; the person reads why)
            opened = Opened(fault=f"it could not be read: {describe(error)}")
        if (
            self._shown_run is not None
            and self._shown_run.run.id == run.run.id
            and step.position in self._opened
        ):
            self._opened[step.position] = opened
            self.redraw()


_TELLING = frozenset({StepState.RUNNING, StepState.FAILED, StepState.INTERRUPTED, StepState.CANCELLED})
