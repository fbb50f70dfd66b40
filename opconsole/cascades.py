"""What became of a cascade: which of its tasks ran, which did not, and why; it stops at the first failure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from opconsole.views import TaskView
from queues.states import RunState


class Came(StrEnum):
    """What became of one task."""

    SUCCEEDED = "succeeded"
    STOPPED = "stopped"  # it ran, and failed, was rolled back, rejected, cancelled, blocked or halted
    WAITING = "waiting"  # for a person's approval
    GOING = "going"  # it is at work
    NOT_RUN = "not run"


@dataclass(frozen=True, slots=True)
class Told:
    """One task of a cascade, what became of it, and why."""

    task: TaskView
    came: Came
    why: str
    """The run's own reason; of a task that did not run, what is in its way. Not sanitised."""


def cascade_of(key: str, tasks: Sequence[TaskView]) -> tuple[TaskView, ...]:
    """Give the tasks connected with one by ``depends_on``, it included, each behind what it depends on.

    Where tasks depend on each other in a circle they come in the order of the queue.
    """
    by_key = {task.key: task for task in tasks}
    if key not in by_key:
        return ()
    after: dict[str, list[str]] = {}
    for task in tasks:
        for before in task.depends_on:
            after.setdefault(before, []).append(task.key)
    near = {key}
    line = [key]
    while line:
        here = line.pop()
        found = {one for one in (*by_key[here].depends_on, *after.get(here, ())) if one in by_key} - near
        near |= found
        line += found
    return _ordered([task for task in tasks if task.key in near])


def tell(cascade: Sequence[TaskView]) -> tuple[Told, ...]:
    """Say of each task of a cascade what became of it; the tasks come each behind what it depends on."""
    told: dict[str, Told] = {}
    for task in cascade:
        told[task.key] = _told(task, told)
    return tuple(told.values())


def stopped(told: Sequence[Told]) -> Told | None:
    """Give the task that the cascade stopped at; None where none did."""
    return next((one for one in told if one.came is Came.STOPPED), None)


def lines_of(told: Sequence[Told]) -> Iterator[tuple[str, str, str, str]]:
    """Give a row for each task: a glyph, its name, its environment, and what became of it and why.

    The last row of a long cascade counts what is left out. Nothing is sanitised.
    """
    here = {one.task.project for one in told}
    for one in told[:SHOWN]:
        name = one.task.task if len(here) == 1 else one.task.key
        word = one.came.value if one.came is not Came.STOPPED else one.task.state.replace("_", " ")
        yield _GLYPHS[one.came], name, one.task.environment or "-", f"{word}: {one.why}" if one.why else word
    if len(told) > SHOWN:
        yield "", f"and {len(told) - SHOWN} more", "", ""


def _told(task: TaskView, before: Mapping[str, Told]) -> Told:
    if task.run is not None and task.state != RunState.PENDING.value:
        if task.state == RunState.SUCCEEDED.value:
            return Told(task, Came.SUCCEEDED, "not verified yet" if task.unverified else "")
        if task.state in _GOING:
            return Told(task, Came.GOING, task.reason)
        if task.state == RunState.WAITING.value:
            return Told(task, Came.WAITING, task.waits_for or task.reason)
        return Told(task, Came.STOPPED, task.reason)
    return Told(task, Came.NOT_RUN, _in_the_way(task, before))


def _in_the_way(task: TaskView, before: Mapping[str, Told]) -> str:
    """Say why a task did not run: by the first task in its way that stopped, else by the one it waits for."""
    waiting = [
        before[key] for key in task.depends_on if key in before and before[key].came is not Came.SUCCEEDED
    ]
    for one in waiting:
        if one.came is Came.STOPPED:
            return f"{one.task.task} {one.task.state.replace('_', ' ')}"
    for one in waiting:
        if one.came is Came.NOT_RUN and one.why:
            return one.why
    if waiting:
        return f"{waiting[0].task.task} is {waiting[0].came.value}"
    return task.reason or task.waits_for


def _ordered(tasks: Sequence[TaskView]) -> tuple[TaskView, ...]:
    by_key = {task.key: task for task in tasks}
    after: dict[str, list[str]] = {}
    open_count: dict[str, int] = {}
    for task in tasks:
        before = {key for key in task.depends_on if key in by_key}
        open_count[task.key] = len(before)
        for key in before:
            after.setdefault(key, []).append(task.key)
    line = [key for key, count in open_count.items() if not count]
    for key in line:  # grows while it is read
        for follower in after.get(key, ()):
            open_count[follower] -= 1
            if not open_count[follower]:
                line.append(follower)
    return tuple(by_key[key] for key in dict.fromkeys([*line, *by_key]))


SHOWN = 20
"""Tasks of a cascade that are told one by one."""
_GOING = frozenset({RunState.PREFLIGHT.value, RunState.RUNNING.value, "cancelling"})
_GLYPHS = {Came.SUCCEEDED: "✓", Came.STOPPED: "✗", Came.WAITING: "⏸", Came.GOING: "▸", Came.NOT_RUN: "-"}
