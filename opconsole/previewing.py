"""What tasks would be, before they are added: what each does, asks and costs, and what would keep it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from guardrails.environments import GateKind
from guardrails.sanitise import sanitise
from opconsole.console import Planned, Preview
from opconsole.entries import EntriesError, Given, as_given, given_entries, judge
from opconsole.gate_words import gate_words
from opconsole.journal.records import ReleaseRow
from opconsole.knowing import versions_of
from opconsole.reading import Reading
from opconsole.runs import environment_of
from opconsole.settings.model import Source
from opconsole.standing_rules import frozen_words
from opconsole.views import TaskView
from queues.echo import entry_texts
from queues.graph import short_name
from queues.queue_file import QueueFile, QueueFileError, read_bytes, read_queue
from queues.queue_parser import FileFaultError
from queues.sentences.outcome import Outcome, PlannedTask, Result
from queues.tasks import FileStatus, MigrationAction, Task, TaskKind

NAME = "the entries"
"""What a text that comes from no file is called."""


async def preview_text(reading: Reading, text: str, project: str | None) -> Preview:
    """Say what entries given as JSON come to: one, a list of them, or a queue file."""
    try:
        given = await asyncio.to_thread(given_entries, text)
    except EntriesError as error:
        where = f"line {error.line}: " if error.line is not None else ""
        return _faulty((f"{where}{error}",))
    known = tuple(reading.workspace.settings.projects)
    name = given.project or project or (known[0] if len(known) == 1 else None)
    allowed = ", ".join(known) or "none is configured yet: add one to opconsole.toml"
    if name is None:
        return _faulty((f"project: nothing says whose queue is meant; allowed: {allowed}",))
    if name not in known:
        return _faulty((f"project: {name!a} is in no settings; allowed: {allowed}",))
    judged = await _judged(reading, name, given)
    if isinstance(judged, tuple):
        return _faulty(tuple(map(_fault_line, judged)))
    planned = await _planned(reading, name, judged.tasks, judged.present)
    tasks = tuple(PlannedTask(name, task.raw, _gate(reading, task)) for task in judged.tasks)
    return Preview("", (), len(tasks), (name,), Outcome(Result.TASKS, tasks), planned)


async def preview_outcome(reading: Reading, text: str, outcome: Outcome, lines: tuple[str, ...]) -> Preview:
    """Say what a sentence comes to: its tasks, judged by the same rules as entries that are given."""
    projects = tuple(dict.fromkeys(task.project for task in outcome.tasks))
    planned: list[Planned] = []
    faults: list[str] = []
    for project in projects:
        given = as_given([task.entry for task in outcome.tasks if task.project == project])
        judged = await _judged(reading, project, given)
        if isinstance(judged, tuple):
            faults += map(_fault_line, judged)
        else:
            planned += await _planned(reading, project, judged.tasks, judged.present)
    if faults:
        return replace(_faulty(tuple(faults)), text=text)
    if planned:  # the tasks are told one by one; what remains are the sentence's own notes
        lines = tuple(sanitise(line, single_line=True) for line in outcome.message.split("\n") if line)
    return Preview(text, lines, len(planned), projects, outcome, tuple(planned), (), outcome.missing)


class _Accepted:
    """Entries that can stand in their queue, and the queue as it was for that."""

    def __init__(self, tasks: tuple[Task, ...], present: QueueFile | None) -> None:
        self.tasks = tasks
        self.present = present


async def _judged(reading: Reading, project: str, given: Given) -> _Accepted | tuple[QueueFileError, ...]:
    """Judge entries in a thread; give what is wrong with them, or the tasks."""

    def work() -> _Accepted | tuple[QueueFileError, ...]:
        path, places = reading.workspace.queue_path(project), reading.workspace.environments(project)
        present = read_queue(path, project=project, environments=places) if path.exists() else None
        if present is not None and present.unusable:
            return present.errors  # nothing can be added to it before it is mended
        judged = judge(given, name=NAME, project=project, environments=places, present=present)
        return judged.errors or _Accepted(judged.tasks, present)

    return await asyncio.to_thread(work)


async def _planned(
    reading: Reading, project: str, tasks: Sequence[Task], present: QueueFile | None
) -> tuple[Planned, ...]:
    """Show tasks that can be added; git is asked for the project's tags where a version is named."""
    named = any(task.version is not None for task in tasks)
    tags = await versions_of(reading, project) if named else None

    def work() -> tuple[Planned, ...]:
        views = {view.key: view for view in reading.snapshot().tasks} if reading.reader or present else {}
        return tuple(
            Planned(
                project=project,
                task=task.id,
                what=_what(task),
                facts=tuple(_facts(reading, task)),
                warnings=tuple(_warnings(reading, task, tags, views, {one.key for one in tasks})),
                json=text,
            )
            for task, text in zip(tasks, _texts(reading, project, tasks), strict=True)
        )

    return await asyncio.to_thread(work)


def _texts(reading: Reading, project: str, tasks: Sequence[Task]) -> list[str]:
    data: bytes | None = None
    with suppress(FileFaultError):  # there is none yet
        data = read_bytes(reading.workspace.queue_path(project))
    return entry_texts(data, [task.raw for task in tasks])


def _what(task: Task) -> str:
    """Say what a task does."""
    if task.description:
        return task.description
    version = f" {task.version}" if task.version else ""
    return f"{task.kind.value}{version}{f' in {task.environment}' if task.environment else ''}"


def _facts(reading: Reading, task: Task) -> Iterator[tuple[str, str]]:
    gate = _gate(reading, task)
    kind = task.kind.value
    if task.kind is TaskKind.MIGRATION and task.action is not MigrationAction.RUN:
        kind = f"{kind}: {task.action.value}"
    yield "Kind", kind
    if task.environment is not None:
        yield "Environment", f"{task.environment} (gate: {gate.value})" if gate else task.environment
    serves = _serving(reading, task)
    if task.version is not None:
        yield "Version", f"{task.version}; {serves or 'nothing'} serves there now"
    elif task.kind is TaskKind.ROLLBACK:
        yield "Version", f"the release before {serves or 'the present one'}"
    if task.run_migrations or task.kind is TaskKind.MIGRATION:
        yield "Migrations", ", ".join(_migrations(task))
    if asks := gate_words(reading, task.project, task.raw):
        yield "Gate", asks
    if task.approvers:
        yield "Approvers", ", ".join(task.approvers)
    if task.depends_on:
        yield "Waits for", ", ".join(short_name(key, task.project) for key in task.depends_on)
    if task.kind is TaskKind.PROVISIONING:
        yield from _provisioning(reading, task)[0]


def _migrations(task: Task) -> Iterator[str]:
    if task.kind is TaskKind.DEPLOYMENT:
        yield "run with the deployment"
    yield f"from {task.migrations_path}" if task.migrations_path else "from where the settings say"
    if task.revision is not None:
        yield f"to revision {task.revision}"


def _provisioning(reading: Reading, task: Task) -> tuple[list[tuple[str, str]], list[str]]:
    """Give what a request comes to, and what its review would hold against it."""
    from opconsole.provisioning.request import (  # noqa: PLC0415 (loads prices, for requests alone)
        RequestError,
        work_out,
    )

    try:
        request = work_out(reading.workspace, task)
    except RequestError as error:
        return [], [f"{one.message}; {one.fix}" for one in error.findings]
    said = request.case.to_json()
    resource, cost = request.resource, request.cost
    facts = [
        ("Resource", f"{resource.to_json().get('type')} {resource.to_json().get('name')}"),
        ("Cost", f"${cost.to_json().get('monthly_usd')} a month (estimate)"),
        ("Approvers", _people(request.needed.approvals, request.needed.seniors)),
    ]
    facts += [(name.replace("_", " ").capitalize(), _case_words(said[name])) for name in _CASE]
    return facts, [f"{one.message}; {one.fix}" for one in request.findings]


def _people(approvals: int, seniors: int) -> str:
    senior = f", {seniors} of them senior" if seniors else ""
    return f"{approvals} wanted for a cost like that{senior}"


def _case_words(value: object) -> str:
    return " / ".join(map(str, value)) if isinstance(value, list) else str(value)


def _warnings(
    reading: Reading,
    task: Task,
    tags: tuple[str, ...] | None,
    views: Mapping[str, TaskView],
    new: set[object],
) -> Iterator[str]:
    """Say what would keep a task from running as it stands."""
    if task.kind is TaskKind.OTHER:
        kinds = ", ".join(kind.value for kind in TaskKind if kind.ours)
        yield f"its agent_type is none that opconsole runs: it is listed and never runs; allowed: {kinds}"
        return
    if task.status is not FileStatus.PENDING:
        yield f"its status is {task.status.value}: only a task that is pending starts"
    yield from _release_warnings(reading, task, tags)
    if task.environment is not None:
        frozen = reading.workspace.freeze(task.project, task.environment, datetime.now().astimezone())
        if frozen:
            yield f"{task.environment} is {frozen}: it would wait for the end of that"
    if words := frozen_words(reading.reader):
        yield f"{words}: it would wait for the end of that"
    for key in task.depends_on:
        view = views.get(key)
        if key in new:
            continue
        if view is None:
            yield f"it waits for {key}, which is in no queue"
        elif view.state in _STUCK:
            yield f"it waits for {short_name(key, task.project)}, which is {view.state.replace('_', ' ')}"
    if task.kind is TaskKind.PROVISIONING:
        yield from _provisioning(reading, task)[1]


def _release_warnings(reading: Reading, task: Task, tags: tuple[str, ...] | None) -> Iterator[str]:
    """Compare a version with the project's tags and with what the journal knows of the environment."""
    if task.environment is None:
        return
    if task.kind is TaskKind.ROLLBACK:
        known = [one.version for one in _releases(reading, task)]
        serves = _serving(reading, task)
        before = list(dict.fromkeys(version for version in known if version != serves))
        on_record = f"on record are: {', '.join(before[:5])}" if before else "there is none on record"
        if task.version is None and not before:
            yield f"{task.environment} has no release before the present one: there is no way back"
        elif task.version is not None and task.version not in before:
            yield f"no release {task.version} that {task.environment} could go back to; {on_record}"
        return
    if task.version is None:
        return
    if task.kind is TaskKind.DEPLOYMENT and task.version == _serving(reading, task):
        yield f"{task.version} serves in {task.environment} already"
    git = reading.workspace.project(task.project).source is not Source.FOLDER
    if git and tags is not None and task.version not in tags and _gate(reading, task) in _TAGGED:
        near = f"; the newest are {', '.join(tags[:3])}" if tags else "; there are none yet"
        yield f"no tag names {task.version}: the run fails until there is one{near}"


def _releases(reading: Reading, task: Task) -> Sequence[ReleaseRow]:
    if reading.reader is None or task.environment is None:
        return ()
    return reading.reader.releases(task.project, task.environment)


def _serving(reading: Reading, task: Task) -> str | None:
    return next((one.version for one in _releases(reading, task) if one.current), None)


def _gate(reading: Reading, task: Task) -> GateKind | None:
    place = environment_of(task)
    return reading.workspace.environments(task.project).get(place)


def _fault_line(error: QueueFileError) -> str:
    task = f"{error.task}: " if error.task else ""
    file = "" if error.file == NAME else f"{error.file}, "
    return f"{file}line {error.line}: {task}{error.message}"


def _faulty(faults: tuple[str, ...]) -> Preview:
    return Preview("", (), 0, (), None, (), faults)


_CASE = ("justification", "alternatives", "risk_assessment")
_STUCK = frozenset(
    {"failed", "blocked", "rejected", "cancelled", "rolled_back", "halted", "interrupted", "invalid"}
)
_TAGGED = (GateKind.STAGING, GateKind.PRODUCTION)
