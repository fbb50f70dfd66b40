"""Adds entries to a project's queue file, making one where there is none; says where a task stands in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from opconsole.workspace import Workspace
from queues.echo import append_tasks, create_queue
from queues.json_text import Finder, Lines
from queues.queue_file import read_bytes, read_queue
from queues.queue_parser import FileFaultError, decode


def add_entries(workspace: Workspace, project: str, entries: Sequence[Mapping[str, object]]) -> None:
    """Append entries to the project's queue: all of them, or none; blocks, and starts nothing.

    Raises UnknownProjectError, DuplicateTaskError, FieldFaultError or QueueWriteError.
    """
    append_tasks(_made(workspace, project), entries)


def place_in_queue(workspace: Workspace, project: str, task: str | None) -> tuple[Path, int]:
    """Give the project's queue file and the line, from 1, of a task in it; blocks.

    The line is that of the first fault where the file cannot be used, and 1 for a task that is not there.
    Makes an empty queue where there is none. Raises UnknownProjectError or QueueWriteError.
    """
    path = _made(workspace, project)
    file = read_queue(path, project=project, environments=workspace.environments(project))
    position = next((one.position for one in file.tasks if one.id == task), None)
    if position is None:
        at_fault = [error.line for error in file.errors if file.unusable or error.task == task]
        return path, next(iter(at_fault), 1)
    with suppress(FileFaultError):  # replaced since
        text = decode(read_bytes(path))
        return path, Lines(text).number(Finder(text).place((file.list_key, position)))
    return path, 1


def _made(workspace: Workspace, project: str) -> Path:
    path = workspace.queue_path(project)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        create_queue(path, project)
    return path
