"""Where a run's time went: at work, and waiting for a person's approval."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from opconsole.journal.records import Approval, StepRow


def worked(steps: Iterable[StepRow]) -> float | None:
    """Give the seconds that steps took together; None where none has ended."""
    ended = [
        (step.finished_at - step.started_at).total_seconds()
        for step in steps
        if step.started_at is not None and step.finished_at is not None
    ]
    return round(sum(ended), 3) if ended else None


def waited(approvals: Iterable[Approval], finished_at: datetime | None) -> float:
    """Give the seconds of waiting for a person's approval; one that still waits counts once it is over."""
    ends = [(one.requested_at, one.decided_at or finished_at) for one in approvals]
    return round(sum(max(0.0, (end - asked).total_seconds()) for asked, end in ends if end is not None), 3)
