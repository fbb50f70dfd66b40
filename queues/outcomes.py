"""The words between scheduler, dispatcher and journal: states, outcomes, and how a task stands."""

from __future__ import annotations

from collections.abc import Coroutine, Hashable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from queues.tasks import Task


class TaskState(StrEnum):
    """Where a task stands in the eyes of the scheduler."""

    PENDING = "pending"  # waits for its dependencies; or of another kind, and met when its file says so
    READY = "ready"  # waits for a slot, its lane, or for somebody to start its queue
    RUNNING = "running"  # the dispatcher has it
    PARKED = "parked"  # waits for a person; frees its slot and its lane
    HELD = "held"  # waits for a person; frees its slot and keeps its lane
    SUCCEEDED = "succeeded"
    CLAIMED = "claimed"  # its file says complete and the journal knows nothing of it
    FAILED = "failed"  # final without success, with a reason; runs again only by `Scheduler.retry`
    BLOCKED = "blocked"  # by a dependency, a cycle or an unknown id, with a reason


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a dispatch ended: SUCCEEDED, FAILED, PARKED or HELD."""

    state: TaskState
    reason: str = ""
    """Why, as a person should read it: ``health check: HTTP 500``."""
    word: str = ""
    """What to call a failure where it has a better name: rejected, cancelled, rolled back."""

    def __post_init__(self) -> None:
        _require(self, _OUTCOMES)


@dataclass(frozen=True, slots=True)
class Standing:
    """What the journal says of a task when it is loaded.

    PENDING: never run, or to be run again. An open run that may go on at once is loaded as PARKED or,
    where its effects have begun, as HELD, and resumed.
    """

    state: TaskState = TaskState.PENDING
    reason: str = ""
    word: str = ""

    def __post_init__(self) -> None:
        _require(self, _STANDINGS)


class Dispatcher(Protocol):
    """Runs tasks. Exceptions of `dispatch` count as a failure of the task."""

    def lane(self, task: Task) -> Hashable | None:
        """Return what only one run may have at a time: (project, environment). None where nothing is shared.

        Pure, quick, and never raises.
        """

    def dispatch(self, task: Task) -> Coroutine[Any, Any, Outcome]:
        """Run the task's attempt, or go on with the open one, as far as nobody has to decide."""


class SchedulerError(Exception):
    """Something was asked of a task that its state does not allow."""


_OUTCOMES = frozenset({TaskState.SUCCEEDED, TaskState.FAILED, TaskState.PARKED, TaskState.HELD})
_STANDINGS = frozenset(TaskState) - {TaskState.READY, TaskState.RUNNING, TaskState.BLOCKED}


def _require(said: Outcome | Standing, allowed: frozenset[TaskState]) -> None:
    if said.state not in allowed:
        names = ", ".join(sorted(allowed))
        raise ValueError(f"{type(said).__name__} cannot be {said.state}; it is one of {names}")
