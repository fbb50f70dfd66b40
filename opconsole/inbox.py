"""What waits for a person: approvals, decisions about stuck runs, and verifications, as one list."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from opconsole.journal.records import Approval, Run
from opconsole.views import TaskView
from queues.states import RunState


class Wanted(StrEnum):
    """What a person is to do."""

    APPROVE = "approve"
    DECIDE = "decide"  # revert, override or abort
    VERIFY = "verify"


_ORDER = (Wanted.DECIDE, Wanted.APPROVE, Wanted.VERIFY)


@dataclass(frozen=True, slots=True)
class Waiting:
    """One thing that waits for a person."""

    wanted: Wanted
    task: TaskView
    since: datetime | None
    by: str
    """Who asked; empty where nobody did."""
    why: str
    approval: Approval | None = None
    """What is to be approved; None for the other kinds."""

    @property
    def key(self) -> str:
        """``project:task``: a task waits for one thing at a time."""
        return self.task.key

    @property
    def tier(self) -> int | None:
        """How much its approval asks for."""
        return self.approval.tier if self.approval else None

    @property
    def expires(self) -> datetime | None:
        """When it counts as rejected; None: never."""
        return self.approval.expires_at if self.approval else None


def inbox(tasks: Iterable[TaskView], approvals: Sequence[tuple[Approval, Run]]) -> tuple[Waiting, ...]:
    """Give what waits for a person: what is stuck first, then by what is waited for, the oldest first."""
    asked = {run.id: (approval, run) for approval, run in approvals}
    found = [one for task in tasks if (one := _waiting(task, asked)) is not None]
    return tuple(sorted(found, key=lambda one: (_ORDER.index(one.wanted), _age(one.since), one.key)))


def _waiting(task: TaskView, asked: dict[str, tuple[Approval, Run]]) -> Waiting | None:
    if task.run in asked and task.run is not None:
        approval, _ = asked[task.run]
        why = ", ".join(approval.why)
        return Waiting(Wanted.APPROVE, task, approval.requested_at, approval.requested_by, why, approval)
    if task.state in (RunState.HALTED, RunState.INTERRUPTED):
        return Waiting(Wanted.DECIDE, task, task.started_at, "", task.reason)
    if task.unverified:
        return Waiting(Wanted.VERIFY, task, task.finished_at, "", "nobody has looked at it yet")
    return None


def _age(since: datetime | None) -> float:
    return since.timestamp() if since else 0.0
