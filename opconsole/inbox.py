"""What waits for a person: approvals, a looser policy, stuck runs, and verifications, as one list."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from guardrails.gates import Tier
from opconsole.journal.records import Approval, PolicyRow, Run
from opconsole.views import TaskView
from queues.states import RunState


class Wanted(StrEnum):
    """What a person is to do."""

    APPROVE = "approve"
    DECIDE = "decide"  # revert, override or abort
    VERIFY = "verify"


_ORDER = (Wanted.DECIDE, Wanted.APPROVE, Wanted.VERIFY)


@dataclass(frozen=True, slots=True)
class WaitingPolicy:
    """What the settings loosen and nobody approved yet."""

    row: PolicyRow
    signed: bool
    """Whether its approval must be signed, by the policy before it."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """One thing that waits for a person."""

    wanted: Wanted
    task: TaskView | None
    """None where it is about the policy and no task's."""
    since: datetime | None
    by: str
    """Who asked; empty where nobody did."""
    why: str
    approval: Approval | None = None
    """The plan that is to be approved; None for the other kinds."""
    policy: WaitingPolicy | None = None
    """The policy that is to be approved."""

    @property
    def key(self) -> str:
        """``project:task``, for a task waits for one thing at a time; a policy's id."""
        return self.task.key if self.task else self.name

    @property
    def name(self) -> str:
        """The task's id, or the policy's."""
        return self.task.task if self.task else self.policy.row.id if self.policy else ""

    @property
    def run(self) -> str | None:
        """The run that waits."""
        return self.task.run if self.task else None

    @property
    def tier(self) -> int | None:
        """How much its approval asks for."""
        if self.policy is not None:
            return Tier.REASONED
        return self.approval.tier if self.approval else None

    @property
    def expires(self) -> datetime | None:
        """When it counts as rejected; None: never."""
        return self.approval.expires_at if self.approval else None


def inbox(
    tasks: Iterable[TaskView],
    approvals: Sequence[tuple[Approval, Run]],
    policy: WaitingPolicy | None = None,
) -> tuple[Waiting, ...]:
    """Give what waits for a person: what is stuck first, then by what is waited for, the oldest first."""
    asked = {run.id: (approval, run) for approval, run in approvals}
    found = [one for task in tasks if (one := _waiting(task, asked)) is not None]
    if policy is not None:
        row, why = policy.row, "; ".join(policy.row.loosens)
        found.append(Waiting(Wanted.APPROVE, None, row.seen_at, row.seen_by, why, policy=policy))
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
