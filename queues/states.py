"""The states of runs and tasks, and the words a work queue file has for them."""

from __future__ import annotations

from enum import StrEnum


class RunState(StrEnum):
    """Where one attempt at a task stands."""

    PENDING = "pending"  # created, nothing done yet
    PREFLIGHT = "preflight"  # reading, testing, building; nothing outside the workspace changes
    WAITING = "waiting"  # for a person's approval; holds no lock, no process and no worker slot
    RUNNING = "running"  # effects are taking place, or may be
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ROLLED_BACK = "rolled_back"  # failed, and the previous release is back
    REJECTED = "rejected"  # a person said no, or the request expired
    BLOCKED = "blocked"  # stopped by guardrails, or by a dependency that failed
    HALTED = "halted"  # failed where only a person may go on: revert, override or abort
    INTERRUPTED = "interrupted"  # a crash left something unknown: a person must decide
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """True when nothing will happen any more unless somebody asks for a new attempt."""
        return self in _FINAL

    @property
    def undecided(self) -> bool:
        """True when a person must say revert, override or abort."""
        return self in (RunState.HALTED, RunState.INTERRUPTED)

    @property
    def file_status(self) -> str:
        """The word for this state in a work queue file ("complete" stands for either spelling)."""
        if self is RunState.PENDING:
            return "pending"
        if self is RunState.SUCCEEDED:
            return "complete"
        return "blocked" if self.final else "in_progress"


_FINAL = frozenset(
    {
        RunState.SUCCEEDED,
        RunState.FAILED,
        RunState.ROLLED_BACK,
        RunState.REJECTED,
        RunState.BLOCKED,
        RunState.CANCELLED,
    }
)
