"""Makes the views of tasks: of a run, of plain values, and of another view with one word changed."""

from __future__ import annotations

from dataclasses import fields, make_dataclass, replace
from operator import attrgetter
from typing import cast

from guardrails.environments import GateKind
from opconsole.journal.records import Run
from opconsole.outcomes import TO_BE_VERIFIED
from opconsole.plans import entry_digest
from opconsole.views import TaskView
from opconsole.workspace import Workspace
from queues.states import RunState
from queues.tasks import Task

CANCELLING = "cancelling"
"""The word for a run that a person cancelled and that is not over yet."""
ENTRY_CHANGED = "its entry changed: its approval will be void"
"""Of a run that waits, and whose plan is for another entry than the file has now."""
ENTRY_CHANGED_RUNNING = "its entry changed: this run goes on by the plan that it has"
ENTRY_GONE = "its entry is gone from the queue file"
ENTRY_FAULTY = "its entry in the queue file has a fault"
ENTRY_UNREADABLE = "its queue file cannot be used now"
LEFT_BEHIND = "the process that worked on it is gone"


def seen(run: Run, *, worker_alive: bool) -> Run:
    """Give a run as people should see it: with nobody working on it, it is interrupted and not running."""
    if worker_alive or run.state not in (RunState.PREFLIGHT, RunState.RUNNING):
        return run
    return replace(run, state=RunState.INTERRUPTED, reason=LEFT_BEHIND)


def state_word(run: Run) -> str:
    """Give the word for a run's state: its own, or that its cancel is under way."""
    return CANCELLING if run.cancelling else run.state.value


def unverified(run: Run, gate: GateKind | None) -> bool:
    """Say whether a production run succeeded and nobody has recorded its verification yet."""
    return run.state is RunState.SUCCEEDED and gate is GateKind.PRODUCTION and run.verified_at is None


def is_unverified(workspace: Workspace, run: Run) -> bool:
    """Say whether a production run waits for its verification; environments that are gone have no gate."""
    project = workspace.settings.projects.get(run.project)
    environment = project.environments.get(run.environment) if project else None
    return unverified(run, environment.gate if environment else None)


def run_reason(task: Task, run: Run) -> str:
    """Say why a task's run is in its state, and what its file's word does not change about that."""
    reason = run.reason
    if run.verified_at is not None:
        reason = f"{reason.removesuffix(TO_BE_VERIFIED)}; verified by {run.verified_by or 'somebody'}"
    if note := entry_note(task, run):
        return f"{note}; {reason}" if reason else note
    if run.state.final and task.raw.get("status") in (None, "pending"):
        again = "its file says pending: retry runs it again"
        return f"{reason}; {again}" if reason else again
    return reason


def entry_note(task: Task, run: Run) -> str:
    """Say what an edit of its entry means for a run that is not over; empty: its plan is for this entry."""
    sealed = run.plan.get("entry") if run.plan is not None and not run.state.final else None
    if sealed is None or sealed == entry_digest(task):
        return ""
    return ENTRY_CHANGED if run.state is RunState.WAITING else ENTRY_CHANGED_RUNNING


def view_of_run(run: Run, task: Task | None, gate: GateKind | None, reason: str, waits_for: str) -> TaskView:
    """Give the view of a task that has a run; *task* is None where its entry is gone."""
    return TaskView(
        project=run.project,
        task=run.task,
        kind=run.kind,
        description=task.description if task else "",
        environment=run.environment,
        version=run.version,
        state=state_word(run),
        reason=f"{run.cancel_by or 'somebody'} asked to cancel it" if run.cancelling else reason,
        waits_for=waits_for,
        gate=gate.value if gate else None,
        depends_on=task.depends_on if task else (),
        priority=task.priority if task else 2,
        run=run.id,
        attempt=run.attempt,
        unverified=unverified(run, gate),
        started_at=run.started_at,
        finished_at=run.finished_at,
    )


def make_view(*values: object) -> TaskView:
    """Make a TaskView of all its fields in their order; `queues.task_fields` makes its tasks like this."""
    draft = _Draft(*values)
    draft.__class__ = TaskView
    return cast("TaskView", draft)


def waiting_for(view: TaskView, what: str) -> TaskView:
    """Give the view of a task that waits for something else now."""
    draft = _Draft(*_values(view))
    draft.waits_for = what
    draft.__class__ = TaskView
    return cast("TaskView", draft)


# A view before it is frozen: the same fields in the same slots. Its constructor takes a fifth of the time.
_FIELDS = [part.name for part in fields(TaskView)]
_Draft = make_dataclass("_Draft", _FIELDS, slots=True)
_values = attrgetter(*_FIELDS)
