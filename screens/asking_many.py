"""Asking for the same of several tasks: each is listed first, and what became of each is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from textual.content import Content

from opconsole.console import Answer
from opconsole.journal.records import RequestKind
from opconsole.views import TaskView
from screens.actions.tasks import can_cancel, can_retry
from screens.desk import Desk, describe
from screens.dialogs.simple import ConfirmDialog, NoticeDialog
from screens.look import Role, task_mark
from screens.words import clip, content, lines


@dataclass(frozen=True, slots=True)
class Asking:
    """What is asked for, and of which tasks it can be."""

    kind: RequestKind
    title: str
    meaning: str
    button: str
    otherwise: str
    valid: Callable[[TaskView], bool]


RETRYING = Asking(
    RequestKind.RETRY,
    "Run {} again",
    "A new attempt is a new run with its own plan and, where the gate wants one, approval.",
    "Run again",
    "Cancel",
    can_retry,
)
CANCELLING = Asking(
    RequestKind.CANCEL,
    "Cancel the runs of {}",
    "Each program is stopped. What it has changed so far stays; the log says how far it came.",
    "Cancel the runs",
    "Let them run",
    can_cancel,
)


async def ask_many(desk: Desk, asking: Asking, tasks: Sequence[TaskView]) -> None:
    """List the tasks, ask for each by itself when the person says so, and tell what became of each."""
    now = {task.key: task for task in (await desk.console.snapshot()).tasks}
    present = [now[task.key] for task in tasks if task.key in now]
    valid = [task for task in present if asking.valid(task)]
    if not valid:
        desk.tell("This can be done with nothing of what was marked any more.", wrong=True)
        return
    count = f"{len(valid)} task{'' if len(valid) == 1 else 's'}"
    left = len(tasks) - len(valid)
    rows = [content(asking.meaning), content(""), *map(_row, valid)]
    if left:
        rows += [content(""), content((f"{left} more of the marked cannot be: passed over.", Role.MUTED))]
    dialog = ConfirmDialog(
        desk.waits, asking.title.format(count), lines(rows), asking.button, otherwise=asking.otherwise
    )
    if not await desk.show(dialog) or desk.refuse():  # made read-only while the dialog was open
        return
    told = [row for task in valid for row in await _ask(desk, asking, task)]
    await desk.show(NoticeDialog(desk.waits, f"What became of {count}", lines(told)))


async def _ask(desk: Desk, asking: Asking, task: TaskView) -> list[Content]:
    """Ask for one; a failure of one keeps none of the others from being asked."""
    try:
        answer = await desk.console.ask(asking.kind, {"run": task.run})
    except Exception as error:  # noqa: BLE001 (whatever it is, the person must hear of it and of the others)
        answer = Answer(granted=False, text=f"{describe(error)}; look at the task before asking again")
    sign = ("✓ ", Role.GOOD) if answer.granted else ("✗ ", Role.BAD)
    said = (answer.text, Role.PLAIN if answer.granted else Role.WARN)
    return [
        content(sign, (clip(task.task, 60), Role.STRONG), f" in {task.environment or '–'}"),
        content("  ", said),
    ]


def _row(task: TaskView) -> Content:
    mark = task_mark(task)
    return content(
        (f"{mark!s:<16}", mark.role), f"{clip(task.task, 40):<40}  ", (task.environment or "–", Role.MUTED)
    )
