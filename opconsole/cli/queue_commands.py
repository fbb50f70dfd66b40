"""The commands ``queue list``, ``show``, ``validate`` and ``graph``: looking into queues."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from opconsole.cli.output import (
    CommandContext,
    ExitStatus,
    NoWorkspaceError,
    counted,
    duration_text,
    json_text,
    plain,
    table,
)
from queues.graph import NAMES_SHOWN, Graph, path_text, short_name
from queues.json_text import Finder, Lines
from queues.queue_file import QueueFile, QueueFileError, parse_queue, read_bytes, read_queue
from queues.queue_parser import FileFaultError, decode

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from opconsole.workspace import Workspace
    from queues.tasks import Task


def list_tasks(context: CommandContext, project: str | None) -> int:
    """List the tasks of the workspace's queues, or of one project's, and where each stands."""
    # With a FILE no workspace is needed, and without one neither journal nor settings are loaded.
    from opconsole.cli.shapes import seconds_between, task_ids, task_json  # noqa: PLC0415
    from opconsole.cli.show import verification  # noqa: PLC0415
    from opconsole.reading import open_reading  # noqa: PLC0415

    workspace = context.workspace()
    if project is not None:
        workspace.project(project)
    with closing(open_reading(workspace)) as reading:
        snapshot = reading.snapshot()
        latest = {} if context.json or reading.reader is None else reading.reader.latest_runs()
    views = [view for view in snapshot.tasks if project in (None, view.project)]
    if context.json:
        ids = task_ids(snapshot.tasks)
        context.document([task_json(view, ids[view.key]) for view in views])
    elif views:
        rows = [
            (
                plain(view.project),
                plain(view.task),
                context.state(plain(view.state))
                + verification(latest.get((view.project, view.task)), unverified=view.unverified),
                plain(view.kind),
                plain(view.environment or "-"),
                plain(view.version or "-"),
                plain(view.gate or "-"),
                duration_text(seconds_between(view.started_at, view.finished_at)) or "-",
                plain(view.waits_for or view.reason, 200) or "-",
            )
            for view in views
        ]
        headings = (
            "PROJECT",
            "TASK",
            "STATE",
            "KIND",
            "ENVIRONMENT",
            "VERSION",
            "GATE",
            "TOOK",
            "WAITS FOR",
        )
        context.say(table(headings, rows, context.width))
    else:
        context.say(f"There are no tasks yet; `{context.command('queue add FILE')}` adds some.")
    for queue in snapshot.queues:
        if queue.faults and queue.file.exists() and project in (None, queue.project):
            context.warn(
                f"{plain(str(queue.file))}: {counted(len(queue.faults), 'fault')}; "
                f"see `{context.command('queue validate')}`"
            )
    return ExitStatus.DONE


def show_task(context: CommandContext, text: str) -> int:
    """Show one task: where it stands, and its entry as it stands in the file."""
    from opconsole.cli.shapes import task_ids, task_json  # noqa: PLC0415
    from opconsole.reading import open_reading  # noqa: PLC0415

    with closing(open_reading(context.workspace())) as reading:
        view = reading.find_task(text)
        entry = reading.task(view.project, view.task)
        ids = task_ids(reading.snapshot().tasks)
    shape = task_json(view, ids[view.key])
    raw = dict(entry.raw) if entry else None
    if context.json:
        context.document({**shape, "entry": raw})
        return ExitStatus.DONE
    context.say(plain(f"{view.key}: {view.description}" if view.description else view.key))
    for name in ("state", "reason", "waits_for", "kind", "environment", "gate", "version", "run", "attempt"):
        if shape[name] not in (None, "", 0):
            context.say(f"  {name.replace('_', ' ')}: {plain(str(shape[name]))}")
    if view.depends_on:
        names = (key.removeprefix(f"{view.project}:") for key in view.depends_on)
        context.say(f"  depends on: {plain(', '.join(names))}")
    if raw is not None:
        context.say("  entry:")
        for line in json_text(raw).split("\n"):
            context.say(f"    {line}")
    return ExitStatus.DONE


def validate(context: CommandContext, files: Sequence[Path]) -> int:
    """Name every fault of these queue files, or of the workspace's."""
    checked = (
        [_checked_file(context, file) for file in files] if files else _checked_workspace(context.workspace())
    )
    if context.json:
        context.document([one.as_json() for one in checked])
    for one in checked:
        if not context.json:
            for error in one.errors:
                context.say(fault_line(one.file, error))
        faults = counted(len(one.errors), "fault") if one.errors else "valid"
        context.say(f"{plain(one.file)}: {counted(one.tasks, 'usable task')}, {faults}")
    if not files:
        from opconsole.cli.show import warn_of_missing_folders  # noqa: PLC0415 (loads the journal)

        warn_of_missing_folders(context, context.workspace())
    if not checked:
        context.say("The settings name no project yet, so there is no queue.")
    return ExitStatus.USAGE if any(one.errors for one in checked) else ExitStatus.DONE


def graph(context: CommandContext, file: Path | None) -> int:
    """Show the levels in which tasks may run, what each waits for, and cycles."""
    if file is not None:
        queues = [_read(context, file)]
    else:
        workspace = context.workspace()
        queues = [
            read_queue(workspace.queue_path(name), project=name, environments=workspace.environments(name))
            for name in workspace.settings.projects
        ]
    whole = Graph(task for queue in queues for task in queue.tasks)
    document = whole.order_json(queues[0].project if len(queues) == 1 else None)
    if context.json:
        context.document(document)
    else:
        for number, level in enumerate(document["order"], 1):
            context.say(f"{number}. {plain(', '.join(level))}")
        if document["edges"]:
            context.say("")
            context.say(
                table(("FIRST", "THEN"), [(plain(a), plain(b)) for a, b in document["edges"]], context.width)
            )
    for cycle in document["cycles"]:
        context.warn(f"cycle: {plain(path_text(cycle))}; these tasks never run, nor what waits for them")
    for task, missing in document.get("unknown", []):
        context.warn(f"{plain(task)} depends on {plain(missing)}, which no queue here has")
    errors = [(queue.name, error) for queue in queues for error in queue.errors]
    for name, error in errors[:NAMES_SHOWN]:
        context.warn(f"{plain(name)}:{error.line}: {plain(error.message)}")
    return ExitStatus.USAGE if errors else ExitStatus.DONE


@dataclass(frozen=True, slots=True)
class Checked:
    """What is to be said of one queue file."""

    file: str
    tasks: int
    """The usable ones."""
    errors: tuple[QueueFileError, ...]

    def as_json(self) -> dict[str, object]:
        """Give it as the contract has it."""
        return {
            "file": self.file,
            "valid": not self.errors,
            "tasks": self.tasks,
            "errors": [error_json(error) for error in self.errors],
        }


def fault_line(file: str, error: QueueFileError) -> str:
    """Give one fault of a queue file as a line: file, line, task, and what is wrong."""
    task = f"task {plain(error.task)}: " if error.task else ""
    return f"{plain(file)}:{error.line}: {task}{plain(error.message)}"


def error_json(error: QueueFileError) -> dict[str, object]:
    """Give one fault of a queue file as the contract has it."""
    return {
        "line": error.line,
        "task": error.task,
        "field": error.field,
        "found": error.found,
        "allowed": error.allowed,
        "message": error.message,
    }


def _checked_file(context: CommandContext, file: Path) -> Checked:
    queue = _read(context, file)
    cycles = _cycle_errors(queue, Graph(queue.tasks))
    return _joined(queue, cycles)


def _checked_workspace(workspace: Workspace) -> list[Checked]:
    """Check all queues together: a dependency may lead from one into another."""
    queues = [
        read_queue(workspace.queue_path(name), project=name, environments=workspace.environments(name))
        if workspace.queue_path(name).exists()
        else QueueFile(str(workspace.queue_path(name)), name)  # a project need not have one yet
        for name in workspace.settings.projects
    ]
    whole = Graph(task for queue in queues for task in queue.tasks)
    return [
        _joined(queue, [*_cycle_errors(queue, whole), *_unknown_errors(queue, whole)]) for queue in queues
    ]


def _joined(queue: QueueFile, more: Sequence[QueueFileError]) -> Checked:
    errors = tuple(sorted((*queue.errors, *more), key=lambda error: error.line))
    unusable = {error.task for error in more}
    return Checked(queue.name, len(queue.tasks) - len(unusable), errors)


def _read(context: CommandContext, file: Path) -> QueueFile:
    """Read a file by the rules of its project where the workspace has it, else by the guide's."""
    from opconsole.settings.errors import SettingsError  # noqa: PLC0415 (without a FILE nothing asks for it)

    try:
        workspace = context.workspace()
    except NoWorkspaceError:
        return read_queue(file)
    except SettingsError as error:
        count = counted(len(error.faults), "fault")
        context.warn(f"the settings around it have {count} and are left aside; {plain(str(error.faults[0]))}")
        return read_queue(file)
    for name in workspace.settings.projects:
        if workspace.queue_path(name).resolve() == file.resolve():
            return read_queue(file, project=name, environments=workspace.environments(name))
    return read_queue(file)


def _cycle_errors(queue: QueueFile, whole: Graph[Task]) -> list[QueueFileError]:
    members = {key: cycle for cycle in whole.cycles for key in cycle}
    wrong = [(task.id, task.position, members[task.key]) for task in queue.tasks if task.key in members]
    lines = _lines_of(queue, [position for _, position, _ in wrong])
    return [
        _link_error(
            queue,
            line,
            task,
            f"a cycle: {path_text([short_name(key, queue.project) for key in cycle])}",
            "dependencies that end somewhere",
        )
        for (task, _, cycle), line in zip(wrong, lines, strict=True)
    ]


def _unknown_errors(queue: QueueFile, whole: Graph[Task]) -> list[QueueFileError]:
    """Name dependencies on tasks of other queues; those within the file it has told of itself."""
    tasks = {task.key: task for task in queue.tasks}
    inside = f"{queue.project}:"
    wrong = [
        (tasks[key], missing)
        for key, missing in whole.unknown
        if key in tasks and not missing.startswith(inside)
    ]
    lines = _lines_of(queue, [task.position for task, _ in wrong])
    return [
        _link_error(queue, line, task.id, f"{missing}, which no queue has", "the id of a task")
        for (task, missing), line in zip(wrong, lines, strict=True)
    ]


def _link_error(queue: QueueFile, line: int, task: str, found: str, allowed: str) -> QueueFileError:
    message = f"depends_on: {found}; allowed: {allowed}"
    return QueueFileError(queue.name, line, task, "depends_on", found, allowed, message)


def _lines_of(queue: QueueFile, positions: Iterable[int]) -> list[int]:
    """Find the lines of entries in the file; 1 where it was changed meanwhile."""
    wanted = list(positions)
    if not wanted or queue.path is None:
        return [1] * len(wanted)
    try:
        data = read_bytes(queue.path)
        text = decode(data)
    except FileFaultError:
        return [1] * len(wanted)
    if parse_queue(data, name=queue.name).digest != queue.digest:
        return [1] * len(wanted)
    finder, lines = Finder(text), Lines(text)
    return [lines.number(finder.place((queue.list_key, position))) for position in wanted]
