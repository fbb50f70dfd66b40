"""The kinds of tasks. Alone in a file, since the console's first picture needs them and no task."""

from __future__ import annotations

from enum import StrEnum


class TaskKind(StrEnum):
    """What a task asks for; tasks of other kinds share the files, are listed, and never run."""

    DEPLOYMENT = "deployment"
    MIGRATION = "migration"
    ROLLBACK = "rollback"
    PROVISIONING = "provisioning"
    OTHER = "other"

    @property
    def ours(self) -> bool:
        """True for the kinds that opconsole runs."""
        return self is not TaskKind.OTHER
