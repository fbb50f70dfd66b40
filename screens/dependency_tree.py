"""The graph of all queues as a tree: each task stands once, beneath what it waits for longest.

Where it waits for several, the others point at it. A chain of tasks that each have but one behind them stays
at one depth, so that a cascade of a hundred tasks reads as a list. Cycles come first: nothing in or behind
them ever runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import cast

from opconsole.views import TaskView
from queues.graph import Graph, Waiting
from queues.tasks import TaskKey

Durations = Mapping[tuple[str, str, str], float]
"""The seconds that the last success took, by project, environment and kind."""
DONE = frozenset({"succeeded", "claimed"})


class RowKind(Enum):
    """What a row of the tree is."""

    TASK = "task"
    AGAIN = "again"
    """The task stands elsewhere: beneath what it waits for longest."""
    MISSING = "missing"
    """An id that no queue has."""
    CYCLE = "cycle"
    """The heading of tasks that wait for one another."""


@dataclass(frozen=True, slots=True)
class TreeRow:
    """One row of the tree."""

    key: str
    """Its own, unique in the tree; that of a task's own row is the task's."""
    task: str
    """The task's key; for a cycle: its path."""
    kind: RowKind
    depth: int
    parent: int
    """The row that it stands beneath; -1 at the top."""
    critical: bool = False


@dataclass(frozen=True, slots=True)
class Tree:
    """All rows, and what is known of the whole."""

    rows: tuple[TreeRow, ...] = ()
    places: Mapping[str, int] = field(default_factory=dict)
    """The row of each task, by its key."""
    critical: tuple[str, ...] = ()
    """The tasks that decide when everything can be done, in order."""
    seconds: float | None = None
    """How long these take, as far as they are not done; None where no duration is known."""
    cycles: int = 0
    missing: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """A task that is shown, as the graph takes it."""

    key: TaskKey
    project: str
    id: str
    depends_on: tuple[TaskKey, ...]
    priority: int
    position: int


def plant(tasks: Sequence[TaskView], durations: Durations) -> Tree:
    """Make the tree of all tasks. It takes about a second for 100,000: call it in a thread."""
    graph = graph_of_views(tasks)
    cost, known = _costs(tasks, durations)
    ends, home = _ends(graph, [cost[str(key)] for key in map(_key, graph.tasks)])
    path = _critical(ends, home)
    for at, behind in _never(graph, home):
        home[behind] = at
    rows = tuple(_rows(graph, home, set(path)))
    keys = [_key(task) for task in graph.tasks]
    left = sum(cost[keys[place]] for place in path)
    return Tree(
        rows=rows,
        places={row.task: place for place, row in enumerate(rows) if row.kind is RowKind.TASK},
        critical=tuple(keys[place] for place in path),
        seconds=left if known else None,
        cycles=len(graph.cycles),
        missing=len(graph.unknown),
    )


def graph_of_views(tasks: Sequence[TaskView]) -> Graph[Entry]:
    """Give the graph of what is shown."""
    entries = (
        Entry(
            TaskKey(task.key),
            task.project,
            task.task,
            cast("tuple[TaskKey, ...]", task.depends_on),
            task.priority,
            place,
        )
        for place, task in enumerate(tasks)
    )
    return Graph(entries)


def _key(task: Waiting) -> str:
    return f"{task.project}:{task.id}"


def _costs(tasks: Sequence[TaskView], durations: Durations) -> tuple[dict[str, float], bool]:
    """Give what each task still takes: the last known seconds, else the mean of them, else all the same."""
    usual = sum(durations.values()) / len(durations) if durations else 1.0
    return {
        task.key: 0.0
        if task.state in DONE
        else durations.get((task.project, task.environment or "", task.kind), usual)
        for task in tasks
    }, bool(durations)


def _ends(graph: Graph[Entry], cost: Sequence[float]) -> tuple[list[float], list[int]]:
    """Give when each task can be over at the soonest, and which one it waits for until then (-1: none)."""
    ends, home = [0.0] * len(graph), [-1] * len(graph)
    before = graph.before
    for wave in graph.waves:
        for place in wave:
            slowest = max(before[place], key=ends.__getitem__, default=-1)
            home[place] = slowest
            ends[place] = cost[place] + (ends[slowest] if slowest >= 0 else 0.0)
    return ends, home


def _critical(ends: Sequence[float], home: Sequence[int]) -> list[int]:
    """Give the way to the task that is over last; nothing where nothing is left to do."""
    last = max(range(len(ends)), key=ends.__getitem__, default=-1)
    if last < 0 or ends[last] <= 0:
        return []
    path = [last]
    while home[path[-1]] >= 0:
        path.append(home[path[-1]])
    path.reverse()
    return path if len(path) > 1 else []


def _never(graph: Graph[Entry], home: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Give a place for each task that never runs: beneath the first of those that it waits for."""
    runs = {place for wave in graph.waves for place in wave}
    placed = runs | _on_cycles(graph)
    placed |= {place for place in range(len(graph)) if place not in placed and not graph.before[place]}
    line = sorted(placed)
    for here in line:  # grows while it is read
        for behind in graph.after[here]:
            if behind not in placed:
                placed.add(behind)
                line.append(behind)
                yield here, behind
    del home


def _on_cycles(graph: Graph[Entry]) -> set[int]:
    index = {_key(task): place for place, task in enumerate(graph.tasks)}
    return {index[key] for cycle in graph.cycles for key in cycle}


def _rows(graph: Graph[Entry], home: Sequence[int], critical: set[int]) -> Iterator[TreeRow]:
    tasks, on_cycles = graph.tasks, _on_cycles(graph)
    index = {_key(task): place for place, task in enumerate(tasks)}
    missing: dict[str, list[str]] = {}
    for key, unknown in graph.unknown:
        missing.setdefault(key, []).append(unknown)
    count = 0
    stack: list[tuple[int, int, int, bool]] = []  # task, depth, the row above, whether it only points

    def start(place: int, depth: int, parent: int) -> Iterator[TreeRow]:
        """Give a task with all that stands beneath it."""
        nonlocal count
        stack.append((place, depth, parent, False))
        while stack:
            here, depth, parent, points = stack.pop()
            key, row = _key(tasks[here]), count
            count += 1
            if points:
                above = f"{parent}"
                yield TreeRow(f"{key}<{above}", key, RowKind.AGAIN, depth, parent)
                continue
            yield TreeRow(key, key, RowKind.TASK, depth, parent, here in critical)
            for unknown in missing.get(key, ()):
                count += 1
                yield TreeRow(f"{unknown}<{row}", unknown, RowKind.MISSING, depth + 1, row)
            behind = graph.after[here]
            own = [one for one in behind if home[one] == here and one not in on_cycles]
            other = [one for one in behind if home[one] != here or one in on_cycles]
            own.sort(key=lambda one: one not in critical)
            below = depth if len(own) == 1 and not other else depth + 1
            stack.extend((one, below, row, True) for one in reversed(other))
            stack.extend((one, below, row, False) for one in reversed(own))

    for number, cycle in enumerate(graph.cycles):
        heading = count
        count += 1
        path = " → ".join([*cycle, cycle[0]])
        yield TreeRow(f"cycle {number}", path, RowKind.CYCLE, 0, -1)
        for key in cycle:
            yield from start(index[key], 1, heading)
    order: Callable[[int], bool] = lambda place: place not in critical  # noqa: E731
    roots = [place for place in range(len(tasks)) if home[place] < 0 and place not in on_cycles]
    for place in sorted(roots, key=order):
        yield from start(place, 0, -1)
