"""What to do next: the commands that decide, unblock or explain what a queue has come to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from opconsole.cli.output import CommandContext, ExitStatus, counted, exit_of, plain
from opconsole.cli.shapes import task_ids
from opconsole.journal.records import Approval, ApprovalState, Run
from opconsole.reading import Reading
from opconsole.views import TaskView
from queues.states import RunState
from queues.tasks import TaskKind

if TYPE_CHECKING:  # whoever only looks does without the client
    from opconsole.client import Client

SHOWN = 10
"""Blocked tasks that are named; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """A task that cannot go on, whoever works on the queue."""

    task: TaskView
    root: TaskView | None
    """The task whose failure is in the way; None where the task's own reason says it all."""


async def advise(
    context: CommandContext,
    client: Client,
    project: str,
    failed: Iterable[Run],
    say: Callable[[str], None],
) -> tuple[Blocked, ...]:
    """Say how to decide what waits, what blocks what, and where to look; give what is blocked.

    *failed* are the runs that ended badly while somebody looked on.
    """
    snapshot = await client.snapshot()
    ids = task_ids(snapshot.tasks)
    for run, approval in await waiting_for_people(client, project):
        say(decision_advice(context, ids.get(run.key, run.id), run, approval))
    blocked = blocked_tasks(snapshot.tasks, project)
    for run in failed:
        name = ids.get(run.key, run.id)
        look = context.command(f"logs {name}")
        say(f"{plain(run.task)} {_word(run.state.value)}: {look} shows what happened")
    for one in blocked[:SHOWN]:
        say(_blocked_line(context, ids, one))
    if len(blocked) > SHOWN:
        say(f"and {counted(len(blocked) - SHOWN, 'more task')} blocked: {context.command('queue list')}")
    if any(one.root is not None for one in blocked):
        say(f"after a retry, go on with: {context.command(f'run --project {project}')}")
    return blocked


def decision_advice(context: CommandContext, name: str, run: Run, approval: Approval | None) -> str:
    """Say how to decide one run that waits for a person; *name* is the ID that commands take."""
    if approval is None:
        return (
            f"{plain(run.task)} is {run.state.value}: {plain(run.reason)}\n"
            f"  {context.command(f'decide {name} revert|override|abort --reason …')}"
        )
    return (
        f"{plain(run.task)} waits for approval ({plain(', '.join(approval.why))})\n"
        f"  {context.command(approve_words(name, run, approval))}\n"
        f"  {context.command(f'reject {name} --reason …')}"
    )


def approve_words(name: str, run: Run, approval: Approval) -> str:
    """Give the arguments that approve, with all that the tier asks for."""
    words = f"approve {name} --plan {approval.digest}"
    return f"{words} --reason … --environment {run.environment}" if approval.tier > 1 else words


async def waiting_for_people(client: Client, project: str) -> list[tuple[Run, Approval | None]]:
    """Give the project's runs that wait for a person: with the approval, or None for a decision."""
    found: list[tuple[Run, Approval | None]] = []
    for run in await asyncio.to_thread(client.reader.open_runs):
        if run.project != project:
            continue
        if run.state.undecided:
            found.append((run, None))
        elif run.state is RunState.WAITING:
            approvals = await asyncio.to_thread(client.reader.approvals_of, run.id)
            found += [(run, one) for one in approvals if one.state is ApprovalState.WAITING]
    return found


def starts_with(context: CommandContext, reading: Reading, project: str) -> str:
    """Say what starts a task that is being added to the project's queue."""
    if not reading.worker_alive:
        return f"it runs with: {context.command(f'run --project {project}')}"
    rows = reading.reader.queues() if reading.reader else {}
    if project in rows and rows[project].started:
        return "the worker starts it now, as soon as nothing is in its way"
    return f"the worker runs it once its queue is started: {context.command(f'queue start {project}')}"


def goes_on_with(context: CommandContext, reading: Reading, project: str) -> str:
    """Say what makes a run go on that was decided or is to be tried again."""
    if reading.worker_alive:
        return "the worker goes on with it"
    return f"it goes on with: {context.command(f'run --project {project}')}"


def blocked_tasks(tasks: Sequence[TaskView], project: str) -> tuple[Blocked, ...]:
    """Give the project's tasks that no worker will start: behind one that failed, or by their own reason.

    A task that was tried again and waits behind a failed one is among them.
    """
    behind: dict[str, list[TaskView]] = {}
    for task in tasks:
        if task.depends_on and _could_start(task):
            for key in task.depends_on:
                behind.setdefault(key, []).append(task)
    roots: dict[str, TaskView] = {}
    line = [task for task in tasks if task.run is not None and task.state in _FAILED]
    while line:
        before = line.pop()
        for task in behind.get(before.key, ()):
            if task.key not in roots:
                roots[task.key] = roots.get(before.key, before)
                line.append(task)
    return tuple(
        Blocked(task, roots.get(task.key))
        for task in tasks
        if task.project == project and (task.key in roots or _blocked_by_itself(task))
    )


def outcomes_of(states: Iterable[RunState], blocked: Sequence[Blocked]) -> list[ExitStatus]:
    """Give what a session's runs and the tasks it leaves blocked count for."""
    return [exit_of(state) for state in states] + [ExitStatus.FAILED] * bool(blocked)


def failed_state(state: RunState) -> bool:
    """Say whether a run in that state is over without success, so that what depends on it is blocked."""
    return state.value in _FAILED


def _blocked_line(context: CommandContext, ids: Mapping[str, str], blocked: Blocked) -> str:
    task, root = blocked.task, blocked.root
    if root is None:
        return f"{plain(task.task)} is blocked: {plain(task.reason)}"
    name = root.task if root.project == task.project else root.key
    retry = context.command(f"retry {ids[root.key]}")
    return f"{plain(task.task)} is blocked by {plain(name)} ({_word(root.state)}): {retry}"


def _could_start(task: TaskView) -> bool:
    """Say whether the dependencies decide of it: it has no run, or one that has not begun."""
    if task.kind == TaskKind.OTHER.value:
        return False
    return task.state == RunState.PENDING.value or (task.run is None and task.state in ("ready", "blocked"))


def _blocked_by_itself(task: TaskView) -> bool:
    """Say of a task without a run that its dependencies lead nowhere; its file's own word is no fault."""
    return (
        task.run is None
        and task.kind not in (TaskKind.OTHER.value, TaskKind.PROVISIONING.value)
        and task.state == "blocked"
        and not task.reason.startswith("its file says")
    )


def _word(state: str) -> str:
    return _SAID.get(state, state.replace("_", " "))


_FAILED = frozenset(
    state.value
    for state in (
        RunState.FAILED,
        RunState.ROLLED_BACK,
        RunState.REJECTED,
        RunState.CANCELLED,
        RunState.BLOCKED,
    )
)
_SAID = {"blocked": "blocked by guardrails"}
