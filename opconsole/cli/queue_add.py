"""The command ``queue add``: the tasks of a file appended to their project's queue, all of them or none."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from opconsole.cli.advice import starts_with
from opconsole.cli.output import CommandContext, ExitStatus, UsageError, plain
from opconsole.cli.queue_commands import error_json, fault_line
from opconsole.entries import EntriesError, Given, fault, given_entries, judge
from opconsole.queue_adding import add_entries
from opconsole.reading import open_reading
from opconsole.workspace import Workspace
from queues.echo import DuplicateTaskError
from queues.queue_file import QueueFileError, project_of, read_bytes, read_queue
from queues.queue_parser import FileFaultError, decode
from queues.task_fields import show
from queues.tasks import Task, task_key


def add_tasks(context: CommandContext, file: Path, project: str | None) -> int:
    """Add a file's tasks to a queue, if every one of them could stand there; starts nothing."""
    workspace = context.workspace()
    given = _read(file)
    name = _project(workspace, file, given, project)
    path = workspace.queue_path(name)
    present = (
        read_queue(path, project=name, environments=workspace.environments(name)) if path.exists() else None
    )
    environments = workspace.environments(name)
    judged = judge(given, name=str(file), project=name, environments=environments, present=present)
    errors, tasks = judged.errors, judged.tasks
    if not errors:
        errors = _append(workspace, name, tasks)
    return _tell(context, workspace, file, project=name, errors=errors, tasks=tasks)


def _read(file: Path) -> Given:
    """Find the entries in the file. Raises UsageError for what is no JSON of that kind."""
    try:
        return given_entries(decode(read_bytes(file)))
    except FileFaultError as wrong:
        raise UsageError(
            f"{plain(str(file))}: {plain(wrong.found)}; allowed: {wrong.allowed}; nothing was added"
        ) from wrong
    except EntriesError as error:
        line = f":{error.line}" if error.line is not None else ""
        raise UsageError(f"{plain(str(file))}{line}: {error}; nothing was added") from error


def _project(workspace: Workspace, file: Path, given: Given, named: str | None) -> str:
    """Say whose queue is meant: the option's, the file's, the file name's, or the only one there is."""
    said = given.project or project_of(file.name)
    if named is not None and given.project is not None and named != given.project:
        raise UsageError(
            f"{plain(str(file))} is of project {show(given.project)}, not {show(named)}; nothing was added"
        )
    known = tuple(workspace.settings.projects)
    name = named or said or (known[0] if len(known) == 1 else None)
    if name is None:
        raise UsageError(
            f"name the project with --project; allowed: {', '.join(known) or 'none is configured yet'}"
        )
    workspace.project(name)
    return name


def _append(workspace: Workspace, project: str, tasks: tuple[Task, ...]) -> tuple[QueueFileError, ...]:
    """Add the entries under the file's lock; what another one added meanwhile may still refuse them."""
    try:
        add_entries(workspace, project, [task.raw for task in tasks])
    except DuplicateTaskError as error:
        return (
            fault(
                str(workspace.queue_path(project)),
                1,
                error.task_id,
                field="id",
                found=show(error.task_id),
                allowed="an id that no other task has",
            ),
        )
    return ()


def _tell(
    context: CommandContext,
    workspace: Workspace,
    file: Path,
    *,
    project: str,
    errors: tuple[QueueFileError, ...],
    tasks: tuple[Task, ...],
) -> int:
    path = workspace.queue_path(project)
    for error in errors:
        context.warn(fault_line(str(file), error))
    if errors:
        context.warn("nothing was added")
    else:
        names = ", ".join(task.id for task in tasks)
        context.say(f"added {plain(names)} to {plain(str(path))}")
        with closing(open_reading(workspace)) as reading:
            context.say(starts_with(context, reading, project))
    if context.json:
        context.document(
            {
                "file": str(path),
                "project": project,
                "added": [] if errors else [str(task_key(project, task.id)) for task in tasks],
                "errors": [error_json(error) for error in errors],
            }
        )
    return ExitStatus.USAGE if errors else ExitStatus.DONE
