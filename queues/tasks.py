"""A task: one entry of a work queue file, read into the fields that opconsole knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NewType

from queues.kinds import TaskKind

__all__ = ["FileStatus", "MigrationAction", "Task", "TaskKey", "TaskKind", "task_key"]

TaskKey = NewType("TaskKey", str)
"""A task's name across the workspace: ``project:ID``."""


class MigrationAction(StrEnum):
    """What a migration task does."""

    RUN = "run"
    VALIDATE = "validate"
    DOWNGRADE = "downgrade"


class FileStatus(StrEnum):
    """The status words seen in work queue files; an absent status counts as pending."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    COMPLETE = "complete"
    COMPLETED = "completed"
    BLOCKED = "blocked"
    PARKED = "parked"
    FAILED = "failed"

    @property
    def done(self) -> bool:
        """True for either spelling of complete."""
        return self in (FileStatus.COMPLETE, FileStatus.COMPLETED)


def task_key(project: str, task_id: str) -> TaskKey:
    """Name a task across the workspace."""
    return TaskKey(f"{project}:{task_id}")


@dataclass(frozen=True, slots=True)
class Task:
    """One usable entry of a queue. What a field means is the guide's and the policy's word for it."""

    project: str
    id: str
    kind: TaskKind
    description: str = ""
    status: FileStatus = FileStatus.PENDING
    environment: str | None = None
    """Lower case, aliases resolved; whether the project has it is for the settings to say."""
    version: str | None = None
    """Without a leading ``v``; None where the kind allows it."""
    action: MigrationAction = MigrationAction.RUN
    revision: str | None = None
    """Of a migration: the revision to migrate to, forward or back; None: the head, or one back."""
    run_migrations: bool = False
    migrations_path: str | None = None
    """Relative to the project; beats the settings."""
    depends_on: tuple[TaskKey, ...] = ()
    priority: int = 2
    """0 is the most urgent; 2 where the file says nothing."""
    requires_approval: bool = False
    approvers: tuple[str, ...] = ()
    """The names of ``requires_approval`` where it is a list."""
    max_iterations: int | None = None
    completion_promise: str | None = None
    resource: object = None
    """Of provisioning: text ("S3 bucket for user uploads") or an object with type, name and properties."""
    business_case: object = None
    """Of provisioning: an object or text with justification, cost, alternatives and risks."""
    position: int = 0
    """Its place in the file, from 0: earlier entries go first among equals."""
    raw: Mapping[str, object] = field(default_factory=dict, compare=False, repr=False)
    """The entry as it stands in the file, every field of it."""
    key: TaskKey = field(init=False, compare=False, repr=False)
    """The task's name across the workspace."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", task_key(self.project, self.id))
