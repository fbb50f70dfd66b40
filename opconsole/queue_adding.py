"""Adds entries to a project's queue file, making the file where there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from opconsole.workspace import Workspace
from queues.echo import append_tasks, create_queue


def add_entries(workspace: Workspace, project: str, entries: Sequence[Mapping[str, object]]) -> None:
    """Append entries to the project's queue: all of them, or none; blocks, and starts nothing.

    Raises UnknownProjectError, DuplicateTaskError, FieldFaultError or QueueWriteError.
    """
    path = workspace.queue_path(project)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        create_queue(path, project)
    append_tasks(path, entries)
