"""Where tasks stand by the journal's word: what the scheduler loads, whatever the queue file says."""

from __future__ import annotations

from collections.abc import Mapping

from opconsole.journal.records import Run
from opconsole.outcomes import has_effects
from queues.scheduler import Standing, TaskState
from queues.states import RunState
from queues.tasks import FileStatus, Task, TaskKind


def standing(task: Task, latest: Mapping[tuple[str, str], Run]) -> Standing:
    """Say how a task stands: by its latest run, else by what its file may be believed.

    A ``complete`` in the file over no run is a claim; ``pending`` over a finished run changes nothing.
    """
    run = latest.get((task.project, task.id))
    if task.kind is TaskKind.OTHER:
        return _by_its_file(task)
    return _claimed(task) if run is None else _by_journal(run)


def _by_journal(run: Run) -> Standing:
    if run.state is RunState.PENDING:
        return Standing(TaskState.PENDING)
    if run.state is RunState.SUCCEEDED:
        return Standing(TaskState.SUCCEEDED)
    if run.state.final:
        return Standing(TaskState.FAILED, run.reason, run.state.value.replace("_", " "))
    if run.state is RunState.WAITING and not has_effects(run):
        return Standing(TaskState.PARKED, run.reason)
    return Standing(TaskState.HELD, run.reason)


def _by_its_file(task: Task) -> Standing:
    if task.status.done:
        return Standing(TaskState.SUCCEEDED)
    if task.status in (FileStatus.FAILED, FileStatus.BLOCKED):
        return Standing(TaskState.FAILED, "by its file", task.status.value)
    return Standing(TaskState.PENDING)


def _claimed(task: Task) -> Standing:
    if task.status is FileStatus.PENDING:
        return Standing(TaskState.PENDING)
    if task.status.done:
        return Standing(TaskState.CLAIMED, "complete in the file, unknown to the journal")
    return Standing(TaskState.FAILED, f"its file says {task.status.value}; only pending starts", "not run")
