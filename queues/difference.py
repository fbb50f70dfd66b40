"""How two versions of a work queue file differ: which tasks came, went, or were edited, field by field.

Pure. What opconsole itself writes into the file is no edit. The status stays in the comparison, for people
write it, too; whether the journal says the same is for the journal's reader to tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from queues.tasks import Task

ECHOED = frozenset({"error", "attempts", "last_attempt", "completed_at"})
"""Fields that opconsole writes beside the status; nobody's edit of them means anything."""


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field of an entry, before and after."""

    field: str
    before: object
    """ABSENT where the entry had no such field."""
    after: object


class _Absent:
    """Stands for a field that an entry does not have; null is a value."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = _Absent()


@dataclass(frozen=True, slots=True)
class TaskEdit:
    """A task that both versions have, and that differs."""

    before: Task
    after: Task
    fields: tuple[FieldChange, ...]
    """In the order of the entry as it was, new fields behind them."""


@dataclass(frozen=True, slots=True)
class QueueDifference:
    """What became of a queue's tasks; each in the order of its file."""

    added: tuple[Task, ...] = ()
    removed: tuple[Task, ...] = ()
    edited: tuple[TaskEdit, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.edited)


def difference(before: Sequence[Task], after: Sequence[Task]) -> QueueDifference:
    """Compare the tasks of two versions of one queue. Their places in the file do not matter.

    >>> from queues.tasks import TaskKind
    >>> old = Task("shop", "A", TaskKind.OTHER, raw={"id": "A", "n": 1})
    >>> new = Task("shop", "A", TaskKind.OTHER, raw={"id": "A", "n": 2})
    >>> difference([old], [new]).edited[0].fields
    (FieldChange(field='n', before=1, after=2),)
    """
    old = {task.id: task for task in before}
    new = {task.id: task for task in after}
    edits = ((old[task.id], task) for task in after if task.id in old and _differ(old[task.id], task))
    return QueueDifference(
        added=tuple(task for task in after if task.id not in old),
        removed=tuple(task for task in before if task.id not in new),
        edited=tuple(
            TaskEdit(one, other, fields)
            for one, other in edits
            if (fields := tuple(_changes(one.raw, other.raw)))
        ),
    )


def _differ(one: Task, other: Task) -> bool:
    """Say quickly whether two entries may differ; most do not."""
    before, after = one.raw, other.raw
    return before != after or [*map(type, before.values())] != [*map(type, after.values())]


def _changes(before: Mapping[str, object], after: Mapping[str, object]) -> Iterator[FieldChange]:
    for name in {**before, **after}:
        was, now = before.get(name, ABSENT), after.get(name, ABSENT)
        # In Python 1 is True; in a file it is not.
        if name not in ECHOED and (was != now or was.__class__ is not now.__class__):
            yield FieldChange(name, was, now)
