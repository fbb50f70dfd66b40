"""The board: every known task with its state, and what one task's change means for those that wait for it.

Deciding only: nothing here runs anything. A change ripples forward along the graph; each task behind it is
brought up to date once, after all that it waits for: a change costs no more than the tasks it concerns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from enum import Enum, auto
from heapq import heappop, heappush

from queues.graph import Graph, UnknownTaskError, short_name
from queues.lanes import Ticket
from queues.outcomes import Outcome, TaskState
from queues.tasks import Task, TaskKey

DERIVED = frozenset({TaskState.PENDING, TaskState.READY, TaskState.BLOCKED})
"""The states that follow from the dependencies; the others are somebody's word."""


@dataclass(eq=False, slots=True)
class Queue:
    """What is known of a project's queue."""

    started: bool = False
    allowed: int | None = None
    left: int | None = None
    ready: dict[Node, None] = field(default_factory=dict)
    counts: Counter[TaskState] = field(default_factory=Counter)


class Verdict(Enum):
    """What was said of a task before its dispatch was back to hear it."""

    GO_ON = auto()


@dataclass(eq=False, slots=True)
class Node:
    """A task and where it stands."""

    task: Task
    place: int
    """Its number in the graph."""
    queue: Queue
    lane: Hashable | None
    state: TaskState
    reason: str = ""
    word: str = ""
    verdict: Outcome | Verdict | None = None
    fault: str | None = None
    depth: int = 0
    """Its level: a task is brought up to date after everything it waits for."""
    unmet: int = 0
    """Dependencies that are not met; ``blockers`` counts those among them that will not be by themselves."""
    blockers: int = 0
    root: Node | None = None
    """For a blocked task: where the trouble began."""
    goes_on: bool = False
    """Its open run was resumed and has not been dispatched again yet."""
    keeps_lane: bool = False
    """HELD, or resumed from it: the lane is its own although it does not run."""
    touched: bool = False
    ticket: Ticket | None = None

    @property
    def key(self) -> TaskKey:
        """The task's name across the workspace."""
        return self.task.key

    @property
    def cause(self) -> str:
        """What those it blocks say of it."""
        if self.state is TaskState.CLAIMED:
            return "its file says complete, and no run of it is on record"
        if self.state is TaskState.BLOCKED:
            return self.reason
        word = self.word or "failed"
        return f"{word}: {self.reason}" if self.reason else word


class Board:
    """The nodes of a graph and their states."""

    def __init__(
        self, accepts_claim: Callable[[Task], bool], entered: Callable[[Node, TaskState], None]
    ) -> None:
        """``entered`` hears of each node that got a new state or reason, with its state before."""
        self._accepts_claim = accepts_claim
        self._entered = entered
        self.graph: Graph[Task] = Graph(())
        self.nodes: dict[TaskKey, Node] = {}
        self._places: list[Node] = []

    def node(self, key: TaskKey) -> Node:
        """Return a task's node; raises UnknownTaskError."""
        node = self.nodes.get(key)
        if node is None:
            raise UnknownTaskError(key)
        return node

    def replace(self, graph: Graph[Task], places: list[Node], admit: Callable[[Node], None]) -> None:
        """Start over with these nodes, in the graph's order; ``admit`` hears of each with its state."""
        self.graph, self._places = graph, places
        self.nodes = {node.task.key: node for node in places}
        starts, ends = graph.before.starts, graph.before.ends
        for node in self._dependencies_first():
            first, last = starts[node.place], starts[node.place + 1]
            for place in ends[first:last] if first != last else ():
                relation = _RELATIONS.get(places[place].state) or self._relation(node, places[place].state)
                if relation is not _MET:  # spelled out: this is asked of every edge of a graph
                    self._count_relation(node, relation, 1)
            if node.state in DERIVED:
                node.state, node.reason, node.root = self._derived(node)
            admit(node)

    def enter(self, node: Node, state: TaskState, reason: str) -> None:
        """Give a node the state that somebody says it has, and bring everything behind it up to date."""
        before = node.state
        self._set(node, state, reason, None)
        self._ripple(node, before)

    def reconsider(self, node: Node) -> None:
        """Give a node the state that follows from its dependencies; bring everything behind it up to date."""
        before = node.state
        self._set(node, *self._derived(node))
        self._ripple(node, before)

    def _set(self, node: Node, state: TaskState, reason: str, root: Node | None) -> None:
        before = node.state
        node.state, node.reason, node.root = state, reason, root
        self._entered(node, before)

    def _dependencies_first(self) -> list[Node]:
        """Every node after those it waits for, as far as there is such an order."""
        ordered: list[Node] = []
        for depth, wave in enumerate(self.graph.waves):
            for place in wave:
                node = self._places[place]
                node.depth = depth
                ordered.append(node)
        if len(ordered) == len(self._places):
            return ordered
        found = set(ordered)
        missed = [node for node in self._places if node not in found]
        for node in missed:
            node.fault = self.graph.fault(node.key)
        return [*missed, *ordered]

    def _relation(self, node: Node, dependency: TaskState) -> _Relation:
        known = _RELATIONS.get(dependency)
        if known is None:
            return _MET if self._accepts_claim(node.task) else _BLOCKS
        return known

    @staticmethod
    def _count_relation(node: Node, relation: _Relation, by: int) -> None:
        if relation is not _MET:
            node.unmet += by
        if relation is _BLOCKS:
            node.blockers += by

    def _derived(self, node: Node) -> tuple[TaskState, str, Node | None]:
        """State, reason and root cause of a task that neither runs, waits for a person, nor is over."""
        if node.fault is not None:
            return TaskState.BLOCKED, node.fault, node
        if node.goes_on and node.keeps_lane:
            return TaskState.READY, "", None  # its effects have begun: that order was checked when they did
        if node.blockers:
            root = self._root(node)
            return (
                TaskState.BLOCKED,
                f"blocked by {short_name(root.key, node.task.project)}: {root.cause}",
                root,
            )
        if node.unmet or not node.task.kind.ours:
            return _PENDING, "", None
        return _READY, "", None

    def _root(self, node: Node) -> Node:
        """Where the trouble of a blocked task began: the first dependency in its way, or what blocks that."""
        for place in self.graph.before[node.place]:
            dep = self._places[place]
            if self._relation(node, dep.state) is _BLOCKS:
                return dep.root if dep.state is TaskState.BLOCKED and dep.root is not None else dep
        raise AssertionError(f"{node.key} counts {node.blockers} blockers and has none")

    def _ripple(self, node: Node, before: TaskState) -> None:
        """Bring everything behind a changed task up to date, each once, nearest first."""
        line: list[tuple[int, int]] = []
        self._touch_dependents(node, before, line)
        while line:
            place = heappop(line)[1]
            behind = self._places[place]
            behind.touched = False
            if behind.state not in DERIVED:
                continue
            was = behind.state
            state, reason, root = self._derived(behind)
            if (state, reason) != (was, behind.reason):
                self._set(behind, state, reason, root)
                self._touch_dependents(behind, was, line)

    def _touch_dependents(self, node: Node, before: TaskState, line: list[tuple[int, int]]) -> None:
        for place in self.graph.after[node.place]:
            behind = self._places[place]
            was, now = self._relation(behind, before), self._relation(behind, node.state)
            if was is now and now is not _BLOCKS:
                continue
            self._count_relation(behind, was, -1)
            self._count_relation(behind, now, 1)
            if not behind.touched:
                behind.touched = True
                heappush(line, (behind.depth, place))


class _Relation(Enum):
    """What a dependency's state means for one that waits for it."""

    MET = auto()
    WAITS = auto()
    BLOCKS = auto()


# An enum's members are slow to reach by their class, and are asked for with each of 100,000 tasks.
_MET, _BLOCKS = _Relation.MET, _Relation.BLOCKS
_PENDING, _READY = TaskState.PENDING, TaskState.READY
_RELATIONS = dict.fromkeys(TaskState, _Relation.WAITS) | {
    TaskState.SUCCEEDED: _MET,
    TaskState.FAILED: _BLOCKS,
    TaskState.BLOCKED: _BLOCKS,
}
del _RELATIONS[TaskState.CLAIMED]  # that is for the waiting task's environment to say
