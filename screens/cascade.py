"""The cascade that a task belongs to: the tasks connected with it by ``depends_on``, on one time axis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.cells import cell_len
from textual.content import Content

from opconsole.views import TaskView
from screens.look import Role, task_mark
from screens.words import Piece, clip, content, duration, moment, safe

SHOWN = 12
"""Tasks of a cascade that are shown at most: the nearest."""
NAME = 20
NARROWEST = 12
"""Cells of the axis at least; without that room only the names are shown."""


class Cascades:
    """Finds the tasks connected with one, again and again, among very many that seldom change."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}
        self._after: dict[str, list[str]] = {}
        self._known: tuple[str, tuple[int, ...]] | None = None
        self._size = -1

    def of(self, key: str, tasks: Sequence[TaskView]) -> tuple[TaskView, ...]:
        """Give the tasks connected with the one of that key, it included, in the order of the queue."""
        if self._known is not None and self._known[0] == key and self._size == len(tasks):
            found = [tasks[place] for place in self._known[1]]
            if all(
                self._places.get(one.key) == place for one, place in zip(found, self._known[1], strict=True)
            ):
                return tuple(found)
        if self._size != len(tasks) or not self._true(key, tasks):
            self._index(tasks)
        places = tuple(sorted(self._places[name] for name in self._near(key, tasks)))
        self._known = key, places
        return tuple(tasks[place] for place in places)

    def _true(self, key: str, tasks: Sequence[TaskView]) -> bool:
        place = self._places.get(key)
        return place is not None and tasks[place].key == key

    def _index(self, tasks: Sequence[TaskView]) -> None:
        self._size, self._places, self._after = len(tasks), {}, {}
        for place, task in enumerate(tasks):
            key = task.key
            self._places[key] = place
            for before in task.depends_on:
                self._after.setdefault(before, []).append(key)

    def _near(self, key: str, tasks: Sequence[TaskView]) -> list[str]:
        found = dict.fromkeys([key] if key in self._places else [])
        line = list(found)
        for here in line:  # grows while it is read
            for other in (*tasks[self._places[here]].depends_on, *self._after.get(here, ())):
                if len(found) < SHOWN and other in self._places and other not in found:
                    found[other] = None
                    line.append(other)
        return list(found)


def draw_cascade(chosen: str, tasks: Sequence[TaskView], now: datetime, width: int) -> Iterator[Content]:
    """Draw the tasks under each other, each with the time that it ran; nothing where there is but one."""
    if len(tasks) < 2:
        return
    yield content("")
    yield content(("Cascade", Role.MUTED))
    room = min(NAME, max(cell_len(safe(task.task)) for task in tasks))
    starts = [task.started_at for task in tasks if task.started_at]
    first = min(starts, default=now)
    last = max([task.finished_at or now for task in tasks if task.started_at], default=now)
    axis = width - room - 6
    span = (last - first).total_seconds()
    for task in tasks:
        look = task_mark(task)
        name = clip(task.task, room)
        name += " " * (room - cell_len(name))
        pieces: list[Piece] = [
            "› " if task.key == chosen else "  ",
            (look.glyph, look.role),
            " ",
            (name, Role.STRONG if task.key == chosen else Role.PLAIN),
            "  ",
        ]
        if axis >= NARROWEST and starts:
            pieces += _bar(task, first, span, now, axis)
        else:
            pieces.append((look.word, Role.MUTED))
        yield content(*pieces)
    if axis >= NARROWEST and starts:
        left, right = moment(first, now), f"{duration(span)} in all"
        gap = max(1, axis - cell_len(left) - cell_len(right))
        yield content(" " * (room + 6), (f"{left}{' ' * gap}{right}", Role.MUTED))


def _bar(task: TaskView, first: datetime, span: float, now: datetime, axis: int) -> Iterator[Piece]:
    if task.started_at is None:
        yield (
            clip(f"waits for {task.waits_for}" if task.waits_for else task_mark(task).word, axis),
            Role.MUTED,
        )
        return
    scale = axis / span if span > 0 else 0.0
    start = min(axis - 1, int((task.started_at - first).total_seconds() * scale))
    end = min(axis, max(start + 1, round(((task.finished_at or now) - first).total_seconds() * scale)))
    look = task_mark(task)
    line = "━" * (end - start - 1) + ("━" if task.finished_at else "▶")
    yield ("·" * start, Role.MUTED)
    yield (line, look.role if look.role is not Role.PLAIN else Role.BUSY)
    word = f" {look.word}"
    if axis - end > len(word):
        yield (word, Role.MUTED)
