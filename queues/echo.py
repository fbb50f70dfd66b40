"""Writes the journal's word back into work queue files: five fields of our own tasks, and nothing else.

The file is an echo. What cannot be written (a task that has gone, a file that somebody broke) is reported in
the result and never written over.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from queues.collector import collector_paused
from queues.json_text import (
    ArrayText,
    Change,
    Item,
    JsonTextError,
    Number,
    ObjectText,
    append_elements,
    apply,
    read_array,
    read_object,
    set_members,
)
from queues.queue_parser import FileFaultError, decode
from queues.rewrite import QueueWriteError, rewrite, sync_folder
from queues.task_fields import FieldFaultError, read_id, read_kind, read_project, show
from queues.tasks import FileStatus, TaskKind

STATUS_WORDS = ("pending", "in_progress", "complete", "blocked")


class DuplicateTaskError(ValueError):
    """An entry to be added has an id that the file, or another new entry, has already."""

    def __init__(self, path: Path, task_id: str) -> None:
        self.path = path
        self.task_id = task_id
        super().__init__(f"{path} has a task {show(task_id)} already; nothing was added: choose another id")


@dataclass(frozen=True, slots=True)
class EchoUpdate:
    """What the file is to say about one task."""

    task_id: str
    status: str
    """One of STATUS_WORDS; "complete" is written as the file spells it."""
    error: str | None = None
    """None: there is none; an ``error`` that the entry has becomes null."""
    attempts: int | None = None
    """None: leave it as it is."""
    last_attempt: str | None = None
    """ISO 8601 in UTC. None: leave it as it is."""
    completed_at: str | None = None
    """ISO 8601 in UTC. None: not completed; a ``completed_at`` that the entry has becomes null."""

    def __post_init__(self) -> None:
        if self.status not in STATUS_WORDS:
            raise ValueError(f"status is {self.status!r}; allowed: {', '.join(STATUS_WORDS)}")


@dataclass(frozen=True, slots=True)
class EchoResult:
    """What came of a write-back."""

    echoed: tuple[str, ...] = ()
    """The tasks that the file now tells the truth about, whether it had to be changed or not."""
    refused: tuple[tuple[str, str], ...] = ()
    """Tasks that could not be written, each with the reason (gone, of another kind, duplicate keys)."""
    problem: str | None = None
    """Why the file as a whole was left alone; then nothing was echoed."""
    written: bool = False
    merges: int = 0
    kept: tuple[Path, ...] = ()
    """Files beside this one that hold an edit of somebody else's which could not be merged."""


def write_echo(path: Path, updates: Sequence[EchoUpdate]) -> EchoResult:
    """Write the updates into the file, on top of what others made of it; blocks, so call it in a thread.

    Raises QueueWriteError when the file cannot be read or replaced, for example on a full disk; it is then as
    it was. A file that is no queue is no error: see EchoResult.problem.
    """
    echo = _Echo({update.task_id: update for update in updates})
    try:
        done = rewrite(path, echo.edit)
    except (JsonTextError, FileFaultError) as error:
        return EchoResult(problem=f"{path} was left alone, for it is no work queue: {error}")
    return EchoResult(echo.echoed, tuple(echo.refused.items()), None, done.written, done.merges, done.kept)


def append_tasks(path: Path, entries: Sequence[Mapping[str, object]]) -> None:
    """Add entries at the end of the file's list, laid out as the others are; blocks, call it in a thread.

    Raises DuplicateTaskError, FieldFaultError (an entry without a usable id), ValueError (a value that JSON
    does not have) or QueueWriteError; then nothing was added.
    """
    new_ids = [read_id(entry.get("id")) for entry in entries]

    def edit(data: bytes) -> bytes:
        text, root, tasks = _open(data)
        used = {task_id for element in tasks.elements if (task_id := _id(element))}
        for task_id in new_ids:
            if task_id in used:
                raise DuplicateTaskError(path, task_id)
            used.add(task_id)
        return apply(text, append_elements(text, root, tasks, entries)).encode("utf-8")

    try:
        rewrite(path, edit)
    except (JsonTextError, FileFaultError) as error:
        raise QueueWriteError(path, f"it is no work queue: {error}") from error


def entry_texts(data: bytes | None, entries: Sequence[Mapping[str, object]]) -> list[str]:
    """Give each entry as `append_tasks` would write it into a file of these bytes, without the file's margin.

    None, or a file that is no queue, stands for an empty queue as `create_queue` makes it.
    """
    try:
        text, root, tasks = _open(data if data is not None else _EMPTY.encode())
    except (JsonTextError, FileFaultError):
        text, root, tasks = _open(_EMPTY.encode())
    after, _, listed = _open(apply(text, append_elements(text, root, tasks, entries)).encode("utf-8"))
    added = listed.elements[len(tasks.elements) :]
    return [_without_margin(after[element.start : element.end]) for element in added]


def create_queue(path: Path, project: str) -> None:
    """Make an empty queue for a project; never overwrites. Raises QueueWriteError or FieldFaultError."""
    text = _empty(read_project(project))
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        descriptor = os.open(path, flags, 0o644)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)
    except OSError as error:
        raise QueueWriteError(path, error.strerror or str(error)) from error


def _empty(project: str) -> str:
    return json.dumps({"project": project, "features": []}, indent=2) + "\n"


def _without_margin(text: str) -> str:
    """Take off every line what stands before the closing bracket."""
    lines = text.splitlines()
    margin = lines[-1][: len(lines[-1]) - len(lines[-1].lstrip())]
    return "\n".join([lines[0], *(line.removeprefix(margin) for line in lines[1:])])


_EMPTY = _empty("project")


class _Echo:
    """Makes the updates in one version of the file; `edit` may be called for several."""

    def __init__(self, updates: Mapping[str, EchoUpdate]) -> None:
        self._updates = updates
        self.echoed: tuple[str, ...] = ()
        self.refused: dict[str, str] = {}

    def edit(self, data: bytes) -> bytes | None:
        text, _, tasks = _open(data)
        word = _complete_word(tasks)
        entries: dict[str, int] = {}
        for element in tasks.elements:
            task_id = _id(element)
            if task_id in self._updates:
                entries.setdefault(task_id, element.start)
        self.refused = {}
        changes: list[Change] = []
        for task_id, update in self._updates.items():
            start = entries.get(task_id)
            target = None if start is None else read_object(text, start)
            reason = _refusal(target)
            if target is None or reason:
                self.refused[task_id] = reason
            else:
                changes += set_members(text, target, _values(target, update, word))
        self.echoed = tuple(task_id for task_id in self._updates if task_id not in self.refused)
        return apply(text, changes).encode("utf-8") if changes else None


def _open(data: bytes) -> tuple[str, ObjectText, ArrayText]:
    """Find the list of tasks; raises JsonTextError or FileFaultError where it is not clear which it is."""
    text = decode(data)
    with collector_paused():
        root = read_object(text)
        if text[root.end :].strip(" \t\r\n"):
            raise JsonTextError("something follows the end of the document", root.end)
        for key in ("features", "tasks"):
            found = [member for member in root.members if member.key == key]
            if len(found) > 1:
                raise JsonTextError(f"the key {key} occurs twice", found[1].key_start)
            if found and isinstance(found[0].value, list):
                return text, root, read_array(text, found[0].start)
    raise JsonTextError("no list of tasks", root.start)


def _id(element: Item) -> str:
    """Give the id of an entry, "" for one without."""
    task_id = element.value.get("id") if isinstance(element.value, dict) else ""
    return task_id if isinstance(task_id, str) and not isinstance(task_id, Number) else ""


def _refusal(target: ObjectText | None) -> str:
    """Say why an entry must not be written, or ""."""
    if target is None:
        return "the file has no such task any more"
    if len({member.key for member in target.members}) != len(target.members):
        return "the task has duplicate keys"
    try:
        kind = read_kind({member.key: member.value for member in target.members})
    except FieldFaultError as fault:
        return str(fault)
    return "" if kind is not TaskKind.OTHER else "the task is of a kind that is not ours to change"


def _values(target: ObjectText, update: EchoUpdate, word: str) -> dict[str, object]:
    """Say which fields the entry must have with which values; none of the others is touched."""
    values: dict[str, object] = {"status": word if update.status == "complete" else update.status}
    status = target.last("status")
    if update.status == "complete" and status is not None and status.value in ("complete", "completed"):
        del values["status"]
    emptied = {"error": update.error, "completed_at": update.completed_at}
    kept = {"attempts": update.attempts, "last_attempt": update.last_attempt}
    values |= {name: value for name, value in emptied.items() if value is not None or target.last(name)}
    return values | {name: value for name, value in kept.items() if value is not None}


def _complete_word(tasks: ArrayText) -> str:
    words = [one.value.get("status") for one in tasks.elements if isinstance(one.value, dict)]
    long, short = FileStatus.COMPLETED.value, FileStatus.COMPLETE.value
    return long if words.count(long) > words.count(short) else short
