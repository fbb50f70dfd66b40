"""The depends_on graph: in which order tasks may run, and which can never run because of how they depend.

Pure: it reads tasks and answers questions; it knows no states. Arrows and edges point in the direction of
time, from a dependency to the task that waits for it. Whole numbers stand for tasks inside, so that 100,000
of them are resolved in a moment, and nothing recurses, so that a long chain is no deeper than a short one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate, islice, pairwise
from operator import attrgetter, le
from typing import Generic, NotRequired, Protocol, TypedDict, TypeVar

from queues.tasks import TaskKey

T = TypeVar("T")

NAMES_SHOWN = 12
"""A path longer than this is cut in the middle when it is printed."""


class UnknownTaskError(LookupError):
    """Somebody asked for a task that no queue has."""

    def __init__(self, key: TaskKey) -> None:
        super().__init__(f"no queue has the task {key}; `opconsole queue list` shows the tasks there are")
        self.key = key


class GraphJson(TypedDict):
    """The document that ``queue graph`` prints."""

    order: list[list[str]]
    edges: list[list[str]]
    cycles: list[list[str]]
    unknown: NotRequired[list[list[str]]]


class Waiting(Protocol):
    """What the graph asks of a task."""

    @property
    def key(self) -> TaskKey:
        """Its name, unique among all."""

    @property
    def project(self) -> str:
        """Whose queue it is in."""

    @property
    def id(self) -> str:
        """Its name in that queue."""

    @property
    def depends_on(self) -> Sequence[TaskKey]:
        """What it waits for, as its entry lists it."""

    @property
    def priority(self) -> int:
        """How urgent it is: 0 before 1."""

    @property
    def position(self) -> int:
        """Its place in its queue."""


Member = TypeVar("Member", bound=Waiting)


class Graph(Generic[Member]):
    """Tasks of any number of projects and what each waits for.

    Where two tasks have one key the first counts: naming duplicates is the work of whoever read the file.
    """

    def __init__(self, tasks: Iterable[Member]) -> None:
        self.tasks: list[Member] = list(tasks)
        """Every task, in the order given; `before`, `after` and `waves` speak of them by their place here."""
        self._index: dict[TaskKey, int] = {task.key: place for place, task in enumerate(self.tasks)}
        if len(self._index) < len(self.tasks):
            first = {task.key: task for task in reversed(self.tasks)}
            self.tasks = [task for task in self.tasks if first[task.key] is task]
            self._index = {task.key: place for place, task in enumerate(self.tasks)}
        self._keys = list(self._index)
        self.unknown: list[tuple[TaskKey, TaskKey]] = []
        """(task, missing dependency) for each dependency that no queue has."""
        self._deps, self._waiters = self._read_edges()
        self.before = Arrows(len(self._keys), self._waiters, self._deps)
        self.after = Arrows(len(self._keys), self._deps, self._waiters)
        waves, in_or_behind_cycles = self._kahn()
        components = _tangles(in_or_behind_cycles, self.after)
        paths = [_path_through(component, self.after) for component in components]
        self.cycles: list[list[TaskKey]] = [[self._keys[i] for i in path] for path in paths]
        """One path for each knot of tasks that wait for one another; its last task comes before its first."""
        # For each task that can never run: the number of its knot, and the task in it that is to blame.
        self._tangled: dict[int, tuple[int, int]] = self._blame_cycles(components, paths)
        # For each task at or behind an unknown id: the task that names the id, and the id.
        self._astray: dict[int, tuple[int, TaskKey]] = self._blame_unknown()
        self.waves = self._sorted_levels(waves)

    def levels(self) -> list[list[TaskKey]]:
        """Levels in execution order; the tasks of one level may run at once, the most urgent first.

        What is in or behind a cycle or an unknown id is in no level: it never runs.
        """
        return [[self._keys[i] for i in level] for level in self.waves]

    @property
    def edges(self) -> list[tuple[TaskKey, TaskKey]]:
        """(dependency, task) for every known dependency, in the order of the files."""
        keys = self._keys
        return [(keys[dep], keys[i]) for dep, i in zip(self._deps, self._waiters, strict=True)]

    def fault(self, key: TaskKey) -> str | None:
        """Say why this task can never run as the queues stand; None when nothing is wrong with it."""
        here = self._at(key)
        name = self._name_for(self.tasks[here].project)
        if here in self._tangled:
            knot, culprit = self._tangled[here]
            cycle = path_text([name(step) for step in self.cycles[knot]])
            if culprit == here:
                return f"is part of a cycle: {cycle}; take one of these dependencies away"
            return f"waits for {name(self._keys[culprit])}, which is part of a cycle: {cycle}"
        if here in self._astray:
            culprit, missing = self._astray[here]
            if culprit == here:
                return f"depends on {name(missing)}, which no queue has; add that task or correct depends_on"
            return (
                f"waits for {name(self._keys[culprit])}, which depends on {name(missing)}, which no queue has"
            )
        return None

    def dependencies(self, key: TaskKey) -> list[TaskKey]:
        """Return the known tasks that this one waits for itself, as its entry lists them."""
        return [self._keys[i] for i in self.before[self._at(key)]]

    def dependents(self, key: TaskKey) -> list[TaskKey]:
        """Return the tasks that wait for this one themselves."""
        return [self._keys[i] for i in self.after[self._at(key)]]

    def ancestors(self, key: TaskKey) -> set[TaskKey]:
        """Return everything this task waits for, directly or not; in a cycle that includes itself."""
        return {self._keys[i] for i in _reachable(self.before[self._at(key)], self.before)}

    def descendants(self, key: TaskKey) -> set[TaskKey]:
        """Return everything that waits for this task, directly or not; in a cycle that includes itself."""
        return {self._keys[i] for i in _reachable(self.after[self._at(key)], self.after)}

    def critical_path(self, cost: Callable[[TaskKey], float] = lambda _: 1.0) -> list[TaskKey]:
        """Return the chain of tasks that takes longest when nothing else holds it up.

        ``cost`` gives a task's duration in seconds; without it each task counts the same.
        """
        ends: dict[int, float] = {}
        previous: dict[int, int] = {}
        last: int | None = None
        for level in self.waves:
            for i in level:
                slowest = max(self.before[i], key=ends.__getitem__, default=None)
                if slowest is not None:
                    previous[i] = slowest
                ends[i] = cost(self._keys[i]) + (0.0 if slowest is None else ends[slowest])
                if last is None or ends[i] > ends[last]:
                    last = i
        path: list[TaskKey] = []
        while last is not None:
            path.append(self._keys[last])
            last = previous.get(last)
        path.reverse()
        return path

    def order_json(self, home: str | None = None) -> GraphJson:
        """Return what ``queue graph`` prints: order, edges, cycles, and unknown ids where there are any.

        Tasks of the project ``home`` go by their id alone, others by ``project:ID``. Without ``home`` the
        only project there is counts as home; with several, every name is written in full.
        """
        if home is None:
            projects = {task.project for task in self.tasks}
            home = projects.pop() if len(projects) == 1 else None
        name = self._name_for(home)
        document: GraphJson = {
            "order": [[name(key) for key in level] for level in self.levels()],
            "edges": [[name(dep), name(key)] for dep, key in self.edges],
            "cycles": [[name(key) for key in cycle] for cycle in self.cycles],
        }
        if self.unknown:
            document["unknown"] = [[name(key), name(missing)] for key, missing in self.unknown]
        return document

    def __contains__(self, key: object) -> bool:
        return key in self._index

    def __len__(self) -> int:
        return len(self._keys)

    def _read_edges(self) -> tuple[list[int], list[int]]:
        """Return every known edge as two columns: the dependency, and the task that waits for it."""
        index = self._index
        deps: list[int] = []
        waiters: list[int] = []
        for i, task in enumerate(self.tasks):
            wanted = task.depends_on
            for dep in wanted if len(wanted) < 2 else dict.fromkeys(wanted):
                found = index.get(dep)
                if found is None:
                    self.unknown.append((self._keys[i], dep))
                else:
                    deps.append(found)
                    waiters.append(i)
        return deps, waiters

    def _kahn(self) -> tuple[list[Sequence[int]], list[int]]:
        """Kahn's algorithm, a level at a time; the second list holds what is in or behind a cycle."""
        waiting = self.before.counts()
        starts, ends = self.after.starts, self.after.ends
        wave = [i for i, count in enumerate(waiting) if not count]
        waves: list[Sequence[int]] = []
        while wave:
            waves.append(wave if len(wave) > 1 else (wave[0],))
            following: list[int] = []
            for i in wave:
                for dependent in ends[starts[i] : starts[i + 1]]:
                    waiting[dependent] -= 1
                    if not waiting[dependent]:
                        following.append(dependent)
            wave = following
        return waves, [i for i, count in enumerate(waiting) if count]

    def _blame_cycles(
        self, components: list[list[int]], paths: list[list[int]]
    ) -> dict[int, tuple[int, int]]:
        blame = {i: (knot, i) for knot, path in enumerate(paths) for i in path}
        for knot, component in enumerate(components):
            for i in component:
                blame.setdefault(i, (knot, paths[knot][0]))
        _spread(blame, self.after)
        return blame

    def _blame_unknown(self) -> dict[int, tuple[int, TaskKey]]:
        blame: dict[int, tuple[int, TaskKey]] = {}
        for key, missing in self.unknown:
            blame.setdefault(self._index[key], (self._index[key], missing))
        _spread(blame, self.after)
        return blame

    def _sorted_levels(self, waves: list[Sequence[int]]) -> list[Sequence[int]]:
        ranks = list(map(rank, self.tasks))
        if self._astray:
            waves = [[i for i in wave if i not in self._astray] for wave in waves]
        return [sorted(wave, key=ranks.__getitem__) if len(wave) > 1 else wave for wave in waves if wave]

    def _at(self, key: TaskKey) -> int:
        found = self._index.get(key)
        if found is None:
            raise UnknownTaskError(key)
        return found

    @staticmethod
    def _name_for(home: str | None) -> Callable[[TaskKey], str]:
        return lambda key: short_name(key, home)


rank: Callable[[Waiting], tuple[int, int, str]] = attrgetter("priority", "position", "project")
"""What decides between two tasks that could both go first: priority, place in the file, project."""


def short_name(key: TaskKey, home: str | None) -> str:
    """Name a task as somebody of the project ``home`` would: by its id alone when it is one of theirs."""
    return str(key) if home is None else key.removeprefix(f"{home}:")


def path_text(names: Sequence[str]) -> str:
    """Print a cycle from its first name round to its first name: ``D → E → D``."""
    shown = list(names)
    if len(shown) > NAMES_SHOWN:
        half = NAMES_SHOWN // 2
        shown[half:-half] = [f"… {len(shown) - 2 * half:,} more …"]
    return " → ".join([*shown, *shown[:1]])


class Arrows:
    """Where the arrows from each node lead, in two flat lists.

    A list for each node would be 100,000 lists more for Python's garbage collector to walk through, again and
    again, while the graph is built: that took longer than everything else.
    """

    def __init__(self, size: int, sources: list[int], targets: list[int]) -> None:
        counts = [0] * (size + 1)
        for source in sources:
            counts[source + 1] += 1
        self.starts = list(accumulate(counts))
        if all(map(le, sources, islice(sources, 1, None))):  # in their order already
            self.ends = targets
            return
        self.ends = [0] * len(targets)
        free = self.starts.copy()
        for source, target in zip(sources, targets, strict=True):
            self.ends[free[source]] = target
            free[source] += 1

    def __getitem__(self, node: int) -> list[int]:
        return self.ends[self.starts[node] : self.starts[node + 1]]

    def counts(self) -> list[int]:
        """How many arrows leave each node."""
        return [end - start for start, end in pairwise(self.starts)]


def _spread(marks: dict[int, T], after: Arrows) -> None:
    """Hand each mark on to everything behind it that has none."""
    line = list(marks)
    for i in line:  # grows while it is read
        for dependent in after[i]:
            if dependent not in marks:
                marks[dependent] = marks[i]
                line.append(dependent)


def _reachable(starts: Iterable[int], arrows: Arrows) -> set[int]:
    seen = set(starts)
    line = list(seen)
    while line:
        for i in arrows[line.pop()]:
            if i not in seen:
                seen.add(i)
                line.append(i)
    return seen


def _tangles(nodes: list[int], after: Arrows) -> list[list[int]]:
    """Tarjan's strongly connected components among ``nodes`` that hold a cycle, all in file order."""
    order: dict[int, int] = {}
    low: dict[int, int] = {}
    stack: list[int] = []
    stacked: set[int] = set()
    found: list[list[int]] = []
    for root in nodes:
        if root in order:
            continue
        order[root] = low[root] = len(order)
        stack.append(root)
        stacked.add(root)
        path = [(root, iter(after[root]))]
        while path:
            here, arrows = path[-1]
            # Everything behind a node that is in or behind a cycle is so too: no arrow leads out of `nodes`.
            step = next(arrows, None)
            if step is None:
                path.pop()
                if path:
                    low[path[-1][0]] = min(low[path[-1][0]], low[here])
                if low[here] == order[here]:
                    component = [stack.pop()]
                    while component[-1] != here:
                        component.append(stack.pop())
                    stacked.difference_update(component)
                    if len(component) > 1 or here in after[here]:
                        found.append(sorted(component))
            elif step not in order:
                order[step] = low[step] = len(order)
                stack.append(step)
                stacked.add(step)
                path.append((step, iter(after[step])))
            elif step in stacked:
                low[here] = min(low[here], order[step])
    return sorted(found)


def _path_through(component: list[int], after: Arrows) -> list[int]:
    """Return the shortest way from the component's first task back to itself."""
    start, members = component[0], set(component)
    came_from = {start: start}
    line = [start]
    for here in line:  # grows while it is read
        for step in after[here]:
            if step == start:
                path = [here]
                while path[-1] != start:
                    path.append(came_from[path[-1]])
                path.reverse()
                return path
            if step in members and step not in came_from:
                came_from[step] = here
                line.append(step)
    raise AssertionError("a strongly connected component always leads back to its first task")
