"""The command ``queue add``: the tasks of a file appended to their project's queue, all of them or none."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from opconsole.cli.advice import starts_with
from opconsole.cli.output import CommandContext, ExitStatus, UsageError, plain
from opconsole.cli.queue_commands import error_json, fault_line
from opconsole.queue_adding import add_entries
from opconsole.reading import open_reading
from opconsole.workspace import Workspace
from queues.echo import DuplicateTaskError
from queues.graph import Graph, path_text, short_name
from queues.json_text import BOM, Finder, JsonTextError, Lines, read_array, read_object
from queues.queue_file import QueueFile, QueueFileError, parse_queue, project_of, read_bytes, read_queue
from queues.queue_parser import FileFaultError, decode, list_key_of
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
    errors, tasks = _judge(workspace, file, given, name, present)
    if not errors and not tasks:
        errors = (
            _error(
                file,
                1,
                None,
                field="file",
                found="no task",
                allowed="a task, a list of tasks, or a queue file",
            ),
        )
    if not errors:
        errors = _append(workspace, name, tasks)
    return _tell(context, workspace, file, project=name, errors=errors, tasks=tasks)


@dataclass(frozen=True, slots=True)
class _Given:
    """What the file holds."""

    text: str
    """The elements of a list of tasks, as they stand in the file."""
    line: int
    """The line on which they begin."""
    project: str | None


def _read(file: Path) -> _Given:
    """Find the entries in the file. Raises UsageError for what is no JSON of that kind."""
    try:
        text = decode(read_bytes(file)).removeprefix(BOM)
        value = json.loads(text)
        if isinstance(value, list):
            array = read_array(text)
            return _Given(text[array.start + 1 : array.end - 1], Lines(text).number(array.start), None)
        if isinstance(value, dict):
            return _read_object(text, value)
    except FileFaultError as fault:
        raise UsageError(
            f"{plain(str(file))}: {plain(fault.found)}; allowed: {fault.allowed}; nothing was added"
        ) from fault
    except json.JSONDecodeError as error:
        raise UsageError(
            f"{plain(str(file))}:{error.lineno}: no JSON: {error.msg}; nothing was added"
        ) from error
    except (ValueError, RecursionError, JsonTextError) as error:
        raise UsageError(f"{plain(str(file))}: no JSON that could be read; nothing was added") from error
    raise UsageError(
        f"{plain(str(file))}: found {show(value)}; allowed: a task, a list of tasks, or a queue file"
    )


def _read_object(text: str, value: dict[str, object]) -> _Given:
    key = list_key_of(value)
    root = read_object(text)
    lines = Lines(text)
    member = root.last(key) if key is not None else None
    if member is None:
        return _Given(text[root.start : root.end], lines.number(root.start), None)
    array = read_array(text, member.start)
    said = value.get("project")
    inner = text[array.start + 1 : array.end - 1]
    return _Given(inner, lines.number(array.start), said if isinstance(said, str) else None)


def _project(workspace: Workspace, file: Path, given: _Given, named: str | None) -> str:
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


def _judge(
    workspace: Workspace, file: Path, given: _Given, project: str, present: QueueFile | None
) -> tuple[tuple[QueueFileError, ...], tuple[Task, ...]]:
    """Read the entries as they would stand in the queue: behind the ids that it has already."""
    taken = {task.id for task in present.tasks} if present else set()
    taken |= {error.task for error in present.errors if error.task is not None} if present else set()
    stubs = ",".join(json.dumps({"id": one}) for one in sorted(taken))
    comma = "," if stubs and given.text.strip() else ""
    head = f'{{"project":{json.dumps(project)},"features":[{stubs}{comma}'
    text = "\n" * (given.line - 1) + head + given.text + "]}"
    parsed = parse_queue(
        text.encode("utf-8"),
        name=str(file),
        project=project,
        environments=workspace.environments(project),
    )
    errors = [_plainer(error, file, taken) for error in parsed.errors]
    tasks = tuple(task for task in parsed.tasks if task.position >= len(taken))
    errors += _cycles(file, text, present, tasks)
    return tuple(errors), tasks


def _plainer(error: QueueFileError, file: Path, taken: set[str]) -> QueueFileError:
    if error.field == "id" and error.task in taken:
        message = f"id: the queue has a task {show(error.task)} already"
        return replace(error, file=str(file), message=message)
    return replace(error, file=str(file))


def _cycles(
    file: Path, text: str, present: QueueFile | None, tasks: tuple[Task, ...]
) -> list[QueueFileError]:
    """Name the cycles that the new tasks would close."""
    new = {task.key: task for task in tasks}
    whole = Graph([*(present.tasks if present else ()), *tasks])
    finder, lines = Finder(text), Lines(text)
    errors = []
    for cycle in whole.cycles:
        first = next((new[key] for key in cycle if key in new), None)
        if first is not None:
            line = lines.number(finder.place(("features", first.position)))
            names = path_text([short_name(key, first.project) for key in cycle])
            errors.append(
                _error(
                    file, line, first.id, field="depends_on", found=f"a cycle: {names}", allowed="no cycle"
                )
            )
    return errors


def _append(workspace: Workspace, project: str, tasks: tuple[Task, ...]) -> tuple[QueueFileError, ...]:
    """Add the entries under the file's lock; what another one added meanwhile may still refuse them."""
    try:
        add_entries(workspace, project, [task.raw for task in tasks])
    except DuplicateTaskError as error:
        return (
            _error(
                workspace.queue_path(project),
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


def _error(
    file: Path, line: int, task: str | None, *, field: str, found: str, allowed: str
) -> QueueFileError:
    message = f"{field}: {found}; allowed: {allowed}"
    return QueueFileError(str(file), line, task, field, found, allowed, message)
