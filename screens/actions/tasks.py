"""What can be done with the selected task and its queue: the actions menu, each only while it is valid."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from queues.kinds import TaskKind
from queues.states import RunState
from screens.actions.model import Action, Scope, Situation

if TYPE_CHECKING:  # the console's first picture loads only what it shows
    from opconsole.views import TaskView


def _runs(situation: Situation) -> bool:
    task = situation.task
    return task is not None and task.kind in set(TaskKind) and task.kind != TaskKind.OTHER


def _can_approve(situation: Situation) -> bool:
    return situation.policy is not None or (situation.run is not None and situation.run.waiting is not None)


def _can_promote(situation: Situation) -> bool:
    here, there = situation.environment, situation.after
    return here is not None and there is not None and here.version not in (None, there.version)


def _any_marked(situation: Situation) -> bool:
    return bool(situation.marked)


def _can_retry_marked(situation: Situation) -> bool:
    return any(can_retry(task) for task in situation.marked_tasks)


def _can_cancel_marked(situation: Situation) -> bool:
    return any(can_cancel(task) for task in situation.marked_tasks)


def can_retry(task: TaskView) -> bool:
    """Say whether a task's latest run is over and did not succeed."""
    state = RunState(task.state) if task.run is not None and task.state in set(RunState) else None
    return state is not None and state.final and state is not RunState.SUCCEEDED


def can_cancel(task: TaskView) -> bool:
    """Say whether a task's latest run can still be stopped."""
    state = RunState(task.state) if task.run is not None and task.state in set(RunState) else None
    return state is not None and not state.final and not state.undecided


def _can_revert(situation: Situation) -> bool:
    waiting = situation.run.waiting if situation.run is not None else None
    return waiting is not None and waiting.purpose == "go-ahead"


def _can_decide(situation: Situation) -> bool:
    return situation.run is not None and situation.run.run.state.undecided


def _can_verify(situation: Situation) -> bool:
    task = situation.task
    return task is not None and task.unverified and task.run is not None


def _can_retry(situation: Situation) -> bool:
    state = situation.state
    return _runs(situation) and state is not None and state.final and state is not RunState.SUCCEEDED


def _can_cancel(situation: Situation) -> bool:
    state = situation.state
    return state is not None and not state.final and not state.undecided


def _can_exempt(situation: Situation) -> bool:
    finding = situation.finding
    return finding is not None and finding.verdict != "exempt" and situation.state is RunState.BLOCKED


def _can_start(situation: Situation) -> bool:
    return situation.queue is not None and not situation.queue.started


def _can_pause(situation: Situation) -> bool:
    return situation.queue is not None and situation.queue.started


def _task(name: str, title: str, key: str, help_: str, valid: Callable[[Situation], bool]) -> Action:
    return Action(name, title, (key,), Scope.TASK, help_, changes=True, valid=valid)


TASK_ACTIONS: tuple[Action, ...] = (
    _task(
        "approve-marked",
        "Approve the marked …",
        "m",
        "Look at all that is marked, then let it happen.",
        _any_marked,
    ),
    _task(
        "retry-marked",
        "Run the marked again …",
        "R",
        "Make a new attempt at each that ended without success.",
        _can_retry_marked,
    ),
    _task(
        "cancel-marked",
        "Cancel the marked …",
        "C",
        "Stop the run of each at its next safe point.",
        _can_cancel_marked,
    ),
    _task("approve", "Approve …", "p", "Look at the plan, then let it happen.", _can_approve),
    _task("promote", "Promote …", "g", "Deploy what runs here to the next environment.", _can_promote),
    _task("reject", "Reject …", "x", "Say no to the plan, with a reason.", _can_approve),
    _task("revert", "Revert the cascade …", "b", "Say no, and take back what went before.", _can_revert),
    _task("decide", "Revert, override or abort …", "d", "Say how a stuck run ends.", _can_decide),
    _task("verify", "Record the verification …", "v", "Say that production was looked at.", _can_verify),
    _task("retry", "Run again …", "r", "Make a new attempt at the task.", _can_retry),
    _task("cancel", "Cancel the run …", "c", "Stop the run at its next safe point.", _can_cancel),
    _task(
        "exempt",
        "Exempt the finding …",
        "e",
        "Write a comment with the reason into the project.",
        _can_exempt,
    ),
    _task("start-queue", "Start the queue …", "s", "Let the worker run what is ready.", _can_start),
    _task("pause-queue", "Pause the queue …", "u", "Let nothing new begin.", _can_pause),
)
