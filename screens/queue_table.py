"""The columns of the queue: what each shows of a task, and how tasks match a filter."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from opconsole.clock import Clock
from queues.kinds import TaskKind
from queues.states import RunState
from screens.look import TASK_MARKS, Role, task_mark
from screens.widgets.columns import Cell, Column
from screens.words import duration, elapsed

if TYPE_CHECKING:  # the console's first picture loads only what it shows
    from opconsole.views import TaskView

GATES = {"development": "dev", "staging": "staging", "production": "prod"}
_URGENCY = {state: place for place, state in enumerate(TASK_MARKS)}


def queue_columns(clock: Clock) -> list[Column[TaskView]]:
    """Give the columns of the operations screen's queue."""
    return [
        Column("State", 13, _state, lambda task: _URGENCY.get(task.state, len(_URGENCY))),
        Column("Task", 18, _task, lambda task: task.key, grows=1),
        Column("Environment", 11, _environment, lambda task: task.environment or ""),
        Column("Version", 8, lambda task: (task.version or "–", Role.PLAIN), lambda task: task.version or ""),
        Column("Gate", 7, _gate, lambda task: task.gate or "", folds=3),
        Column("Waits for", 12, _waits, lambda task: task.waits_for, grows=3, folds=1),
        Column("Elapsed", 9, _elapsed(clock), lambda task: _seconds(task, clock) or 0.0, right=True, folds=2),
    ]


def matches(task: TaskView, text: str) -> bool:
    """Say whether every word of a filter occurs in what the row shows."""
    shown = (
        task.key,
        task.state,
        task.environment,
        task.version,
        task.kind,
        task.waits_for,
        task.description,
    )
    row = " ".join(part for part in shown if part).casefold()
    row += f" {task_mark(task).word}"
    return all(word in row for word in text.casefold().split())


def is_open(task: TaskView) -> bool:
    """Say whether its time goes on."""
    return task.started_at is not None and task.finished_at is None


def _state(task: TaskView) -> Cell:
    mark = task_mark(task)
    return str(mark), mark.role


def _task(task: TaskView) -> Cell:
    quiet = task.kind == TaskKind.OTHER
    return task.task, Role.MUTED if quiet else Role.PLAIN


def _environment(task: TaskView) -> Cell:
    return task.environment or "–", Role.PLAIN if task.environment else Role.MUTED


def _gate(task: TaskView) -> Cell:
    return GATES.get(task.gate or "", task.gate or "–"), Role.MUTED


def _waits(task: TaskView) -> Cell:
    wanted = task.state in (RunState.WAITING, RunState.HALTED, RunState.INTERRUPTED)
    if task.unverified and not task.waits_for:
        return "verification", Role.WARN
    return task.waits_for or task.reason, Role.ASKS if wanted else Role.MUTED


def _elapsed(clock: Clock) -> Callable[[TaskView], Cell]:
    def cell(task: TaskView) -> Cell:
        seconds = _seconds(task, clock)
        return ("" if seconds is None else duration(seconds)), Role.MUTED

    return cell


def _seconds(task: TaskView, clock: Clock) -> float | None:
    return elapsed(task.started_at, task.finished_at, clock.now())
