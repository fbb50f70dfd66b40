"""``report ID --cascade``, and the closing summary of `run`: what of a cascade ran, what did not, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing

from opconsole.cascades import Came, Told, cascade_of, lines_of, stopped, tell
from opconsole.cli.output import CommandContext, ExitStatus, duration_text, plain, table
from opconsole.cli.shapes import JsonObject, seconds_between
from opconsole.clock import iso
from opconsole.reading import open_reading
from opconsole.views import TaskView

CASCADES = 5
"""Cascades that `run` tells of at its end."""


def show_cascade(context: CommandContext, task: str) -> int:
    """Tell what of a task's cascade ran, what did not, and why."""
    with closing(open_reading(context.workspace())) as reading:
        view = reading.find_task(task)
        told = tell(cascade_of(view.key, reading.snapshot().tasks))
    if context.json:
        halt = stopped(told)
        context.document(
            {
                "stopped_at": halt.task.key if halt else None,
                "tasks": [_json(one) for one in told],
            }
        )
        return ExitStatus.DONE
    rows = [
        (
            *(plain(cell) for cell in row),
            duration_text(seconds_between(one.task.started_at, one.task.finished_at)),
        )
        for row, one in zip(lines_of(told), told, strict=False)
    ]
    context.say(table(("", "TASK", "ENVIRONMENT", "WHAT BECAME OF IT", "TOOK"), rows, context.width))
    context.say(_sum(told))
    return ExitStatus.DONE


def summaries(tasks: Sequence[TaskView], failed: Iterable[str]) -> Iterator[str]:
    """Tell of the cascades that *failed* tasks (by their keys) belong to; of a few, where many failed."""
    done: set[str] = set()
    told_of = 0
    for key in failed:
        if key in done or told_of == CASCADES:
            continue
        told = tell(cascade_of(key, tasks))
        done |= {one.task.key for one in told}
        if len(told) < 2 or stopped(told) is None:
            continue
        told_of += 1
        yield "The cascade was halted at its first failure:"
        width = max(len(name) for _, name, _, _ in lines_of(told))
        for glyph, name, environment, what in lines_of(told):
            yield plain(f"  {glyph} {name:<{width}}  {environment:<11}  {what}").rstrip()
        yield _sum(told)


def _sum(told: Sequence[Told]) -> str:
    counts = [(came, sum(one.came is came for one in told)) for came in Came]
    halt = stopped(told)
    where = f"; it stopped at {plain(halt.task.task)}" if halt else ""
    return ", ".join(f"{count} {came.value}" for came, count in counts if count) + where


def _json(one: Told) -> JsonObject:
    task = one.task
    return {
        "id": task.key,
        "project": task.project,
        "environment": task.environment,
        "task": task.task,
        "kind": task.kind,
        "version": task.version,
        "state": task.state,
        "outcome": one.came.value,
        "reason": one.why,
        "run": task.run,
        "started_at": iso(task.started_at),
        "finished_at": iso(task.finished_at),
        "duration": seconds_between(task.started_at, task.finished_at),
    }
