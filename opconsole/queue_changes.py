"""What somebody changed in the queue files while the console was open, until a person has looked at it."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

from opconsole.console import Changed, QueueChanges
from opconsole.reading import Reading
from opconsole.view_making import ENTRY_CHANGED, ENTRY_CHANGED_RUNNING
from opconsole.views import QueueView, Snapshot, TaskView
from queues.difference import ABSENT, FieldChange, QueueDifference, TaskEdit, difference
from queues.echo import STATUS_WORDS
from queues.json_text import dump
from queues.queue_file import QueueFile
from queues.states import RunState
from queues.tasks import FileStatus, Task


@dataclass(slots=True)
class _Watched:
    """One project's file."""

    seen: tuple[Task, ...]
    """The tasks as they were when somebody looked last."""
    digest: str
    own: set[str] = field(default_factory=set)
    """Ids that this console added itself."""
    found: QueueDifference = field(default_factory=QueueDifference)


class QueueWatch:
    """Compares the queue files with what they were when a person looked. May block: ask it in a thread."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._watched: dict[str, _Watched] = {}
        self._lock = threading.Lock()

    def look(self, snapshot: Snapshot) -> Snapshot:
        """Say of each queue in a snapshot what was changed since somebody looked."""
        with self._lock:
            files = self._reading.queue_files()
            views = {view.key: view for view in snapshot.tasks} if self._compare(files) else {}
            queues = tuple(self._told(queue, views) for queue in snapshot.queues)
        return snapshot if queues == snapshot.queues else replace(snapshot, queues=queues)

    def changes(self, snapshot: Snapshot) -> tuple[QueueChanges, ...]:
        """Give the differences, of those projects that have any or whose file is at fault."""
        with self._lock:
            files = self._reading.queue_files()
            self._compare(files)
            views = {view.key: view for view in snapshot.tasks}
            told = [
                QueueChanges(
                    project=queue.project,
                    file=queue.file,
                    tasks=tuple(_changed(self._watched[queue.project], views)),
                    faults=queue.faults,
                    broken=files[queue.project].unusable,
                )
                for queue in snapshot.queues
                if queue.project in self._watched
            ]
        return tuple(one for one in told if one.tasks or one.faults)

    def seen(self, project: str) -> None:
        """Take a file as it is now for looked at."""
        with self._lock:
            self._watched.pop(project, None)
            self._compare(self._reading.queue_files())

    def expect(self, project: str, tasks: Collection[str]) -> None:
        """Tell of tasks that this console added itself: that is no news."""
        with self._lock:
            if project in self._watched:
                self._watched[project].own.update(tasks)
                self._watched[project].digest = ""

    def _compare(self, files: Mapping[str, QueueFile]) -> bool:
        """Compare what has changed since the last time; say whether anything differs."""
        for project, file in files.items():
            known = self._watched.get(project)
            if known is None:
                self._watched[project] = _Watched(file.tasks, file.digest)
            elif file.digest != known.digest:
                found = difference(known.seen, file.tasks)
                added = tuple(task for task in found.added if task.id not in known.own)
                known.found, known.digest = replace(found, added=added), file.digest
        return any(one.found for one in self._watched.values())

    def _told(self, queue: QueueView, views: Mapping[str, TaskView]) -> QueueView:
        watched = self._watched.get(queue.project)
        if watched is None or not watched.found:
            return replace(queue, changed="")
        edits = [edit for edit in watched.found.edited if _person_s(edit, views.get(edit.after.key))]
        found = (("added", watched.found.added), ("removed", watched.found.removed), ("changed", edits))
        counts = [f"{len(tasks):,} {how}" for how, tasks in found if tasks]
        return replace(queue, changed=", ".join(counts))


def _changed(watched: _Watched, views: Mapping[str, TaskView]) -> Iterator[Changed]:
    found = watched.found
    for task in found.added:
        yield Changed(task.project, task.id, "added", notes=tuple(_of_added(task, views.get(task.key))))
    for task in found.removed:
        view = views.get(task.key)
        open_run = view is not None and view.run is not None and view.finished_at is None
        note = "its run is not over: put it back, or cancel the run"
        yield Changed(task.project, task.id, "removed", notes=(note,) if open_run else ())
    for edit in found.edited:
        view = views.get(edit.after.key)
        if fields := _person_s(edit, view):
            said = tuple((one.field, _text(one.before), _text(one.after)) for one in fields)
            said_of_it = tuple(_of_edit(edit, fields, view))
            yield Changed(edit.after.project, edit.after.id, "changed", said, said_of_it)


def _of_added(task: Task, view: TaskView | None) -> Iterator[str]:
    if task.kind.ours and (contradiction := _contradiction(task.status, view)):
        yield contradiction
    if view is not None and view.reason.startswith(ENTRY_CHANGED):
        yield ENTRY_CHANGED


def _of_edit(edit: TaskEdit, fields: list[FieldChange], view: TaskView | None) -> Iterator[str]:
    names = {one.field for one in fields}
    contradiction = _contradiction(edit.after.status, view) if edit.after.kind.ours else ""
    if contradiction and "status" in names:
        yield contradiction
    if names - {"status"} and view is not None and view.run is not None:
        if view.state == RunState.WAITING:
            yield ENTRY_CHANGED
        elif view.state == RunState.RUNNING:
            yield ENTRY_CHANGED_RUNNING


def _person_s(edit: TaskEdit, view: TaskView | None) -> list[FieldChange]:
    """Give the changes that a person made."""
    return [change for change in edit.fields if not _is_echo(change, view)]


def _is_echo(change: FieldChange, view: TaskView | None) -> bool:
    """Say whether a change of status is what opconsole itself wrote, or is about to replace."""
    if change.field != "status" or view is None or view.run is None:
        return False
    word = _word(view)
    after = "complete" if change.after == "completed" else change.after
    return after == word or (after == "in_progress" and after in STATUS_WORDS)


def _contradiction(status: FileStatus, view: TaskView | None) -> str:
    """Say where the journal knows better than the file."""
    if view is None or view.run is None:
        if status.done:
            return "the file calls it complete; the journal has no run of it"
        return "" if status is FileStatus.PENDING else f"its status is {status.value}: only pending starts"
    word = "complete" if status.done else status.value
    echo_to_come = status is FileStatus.PENDING and view.finished_at is None
    if word == _word(view) or echo_to_come:
        return ""
    said = view.state.replace("_", " ")
    return f"the file says {status.value}, the journal says {said}: the journal's word counts"


def _word(view: TaskView) -> str:
    """Give the status that opconsole writes for a task that has a run."""
    return RunState(view.state).file_status if view.state in set(RunState) else "in_progress"


def _text(value: object) -> str:
    return "nothing" if value is ABSENT else dump(value, escaped=False)
