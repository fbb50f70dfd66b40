"""Entries given as JSON, judged as they would stand in their queue: for commands and screens alike."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from guardrails.environments import GateKind
from queues.graph import Graph, path_text, short_name
from queues.json_text import BOM, Finder, JsonTextError, Lines, read_array, read_object
from queues.queue_file import QueueFile, QueueFileError, parse_queue
from queues.queue_parser import list_key_of
from queues.task_fields import show
from queues.tasks import Task

KINDS_OF_TEXT = "a task, a list of tasks, or a queue file"


class EntriesError(ValueError):
    """A text that is no JSON of entries; *line* says where, from 1; None: it is about the whole."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        self.line = line
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Given:
    """What a text holds."""

    text: str
    """The elements of a list of tasks, as they stand in the text."""
    line: int
    """The line on which they begin."""
    project: str | None
    """The project that the text itself names."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What entries would be in their queue, or what is wrong with them."""

    tasks: tuple[Task, ...] = ()
    errors: tuple[QueueFileError, ...] = ()


def given_entries(text: str) -> Given:
    """Find the entries in a text: one, a list of them, or those of a queue file. Raises EntriesError."""
    text = text.removeprefix(BOM)
    try:
        value = json.loads(text)
        if isinstance(value, list):
            array = read_array(text)
            return Given(text[array.start + 1 : array.end - 1], Lines(text).number(array.start), None)
        if isinstance(value, dict):
            return _of_object(text, value)
    except json.JSONDecodeError as error:
        raise EntriesError(f"no JSON: {error.msg}", error.lineno) from error
    except (ValueError, RecursionError, JsonTextError) as error:
        raise EntriesError("no JSON that could be read") from error
    raise EntriesError(f"found {show(value)}; allowed: {KINDS_OF_TEXT}")


def judge(
    given: Given,
    *,
    name: str,
    project: str,
    environments: Mapping[str, GateKind],
    present: QueueFile | None,
) -> Judged:
    """Read entries as they would stand in a queue: behind the ids that it has already.

    *name* is what the text is called in errors; *present* is the queue as it is, None where there is none.
    """
    taken = {task.id for task in present.tasks} if present else set()
    taken |= {error.task for error in present.errors if error.task is not None} if present else set()
    stubs = ",".join(json.dumps({"id": one}) for one in sorted(taken))
    comma = "," if stubs and given.text.strip() else ""
    head = f'{{"project":{json.dumps(project)},"features":[{stubs}{comma}'
    text = "\n" * (given.line - 1) + head + given.text + "]}"
    parsed = parse_queue(text.encode("utf-8"), name=name, project=project, environments=environments)
    errors = [_plainer(error, taken) for error in parsed.errors]
    tasks = tuple(task for task in parsed.tasks if task.position >= len(taken))
    errors += _cycles(name, text, present, tasks)
    if not errors and not tasks:
        errors.append(fault(name, 1, None, field="file", found="no task", allowed=KINDS_OF_TEXT))
    return Judged(tasks, tuple(errors))


def as_given(entries: Sequence[Mapping[str, object]]) -> Given:
    """Give entries that are values as if somebody had written them."""
    return given_entries(json.dumps([dict(entry) for entry in entries], indent=2, ensure_ascii=False))


def fault(name: str, line: int, task: str | None, *, field: str, found: str, allowed: str) -> QueueFileError:
    """Give a fault in the words that the reader of queue files has for one."""
    message = f"{field}: {found}; allowed: {allowed}"
    return QueueFileError(name, line, task, field, found, allowed, message)


def _of_object(text: str, value: dict[str, object]) -> Given:
    key = list_key_of(value)
    root = read_object(text)
    lines = Lines(text)
    member = root.last(key) if key is not None else None
    if member is None:
        return Given(text[root.start : root.end], lines.number(root.start), None)
    array = read_array(text, member.start)
    said = value.get("project")
    inner = text[array.start + 1 : array.end - 1]
    return Given(inner, lines.number(array.start), said if isinstance(said, str) else None)


def _plainer(error: QueueFileError, taken: set[str]) -> QueueFileError:
    if error.field == "id" and error.task in taken:
        return replace(error, message=f"id: the queue has a task {show(error.task)} already")
    return error


def _cycles(name: str, text: str, present: QueueFile | None, tasks: tuple[Task, ...]) -> list[QueueFileError]:
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
                fault(name, line, first.id, field="depends_on", found=f"a cycle: {names}", allowed="no cycle")
            )
    return errors
