"""Outcomes: how a run stands in the eyes of the scheduler, by its record alone."""

from __future__ import annotations

from opconsole.journal.records import Run
from queues.outcomes import Outcome, TaskState
from queues.states import RunState
from queues.tasks import TaskKind

TO_BE_VERIFIED = "; manual verification required"
"""Ends the reason of a success in production: the guide's own words."""


def ended(run: Run) -> Outcome:
    """Say how a run stands now that its dispatch is over."""
    if run.state is RunState.SUCCEEDED:
        return Outcome(TaskState.SUCCEEDED)
    if run.state.final:
        return Outcome(TaskState.FAILED, run.reason, word=run.state.value.replace("_", " "))
    if run.state.undecided or has_effects(run):
        return Outcome(TaskState.HELD, run.reason)
    return Outcome(TaskState.PARKED, run.reason)


def has_effects(run: Run) -> bool:
    """Say of a waiting run that it holds its environment: it waits to take its effects back."""
    if run.state is not RunState.WAITING or run.kind == TaskKind.ROLLBACK:
        return False
    return run.release is not None or run.revision_after != run.revision_before
