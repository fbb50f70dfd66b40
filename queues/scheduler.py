"""The asyncio scheduler: starts what is ready, as much at once as is allowed, and says why the rest waits.

It knows nothing of deployments. A `Dispatcher` runs a task's attempt as far as nobody has to decide and
returns how it stands; whoever reads the journal gives a `Standing` for each task when they are loaded.

* Only queues that somebody started are scheduled. Pausing one lets its running dispatches go on and starts
  nothing new, not even a run that was approved meanwhile: that waits until the queue is started again.
* A task is ready when it is pending and each of its dependencies is met. A dependency that failed blocks what
  waits for it, and what waits for that; its later success unblocks them. Whatever is in or behind a cycle or
  an unknown id never runs.
* At most ``limit`` dispatches at once, and one task in a lane among those that run and those that are held.
  Priority decides who goes first, then the place in the file, then the project.

All methods belong to the event loop's thread. Nothing polls: an event wakes `Scheduler.run`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import partial
from heapq import heappop, heappush

from queues.graph import Graph, UnknownTaskError, rank, short_name
from queues.lanes import Lanes, Ticket
from queues.outcomes import Dispatcher, Outcome, SchedulerError, Standing, TaskState
from queues.tasks import Task, TaskKey

__all__ = ["Dispatcher", "Outcome", "Scheduler", "SchedulerError", "Standing", "TaskState"]


class Scheduler:
    """Runs the tasks of started queues in the order that their dependencies allow."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        *,
        limit: int,
        on_change: Callable[[TaskKey, TaskState, str], None] | None = None,
        accepts_claim: Callable[[Task], bool] = lambda _: False,
    ) -> None:
        """Make a scheduler that starts nothing yet.

        ``on_change`` hears each task's new state and reason once everything behind it is up to date.
        ``accepts_claim`` says whether a dependency that is only CLAIMED is enough for this task.
        """
        if limit < 1:
            raise ValueError(f"limit must be 1 or more, not {limit}")
        self._dispatcher = dispatcher
        self._limit = limit
        self._on_change = on_change
        self._accepts_claim = accepts_claim
        self._graph = Graph(())
        self._nodes: dict[TaskKey, _Node] = {}
        self._places: list[_Node] = []
        self._lanes = Lanes()
        self._queues: dict[str, _Queue] = {}
        self._running: dict[TaskKey, asyncio.Task[Outcome]] = {}
        self._news: list[_Node] = []
        self._wake = asyncio.Event()
        self._active = False
        self._stopping = False
        self._broken: Exception | None = None

    def load(self, tasks: Iterable[Task], standing: Callable[[Task], Standing]) -> None:
        """Replace the known tasks with these, of all projects, as the journal has them now.

        What runs goes on, also when its entry has vanished; other vanished tasks are forgotten. A task that
        was resumed and has not started yet stays resumed while the journal still shows its open run.
        """
        wanted = list(tasks)
        keys = {task.key for task in wanted}
        graph = Graph([*wanted, *(self._nodes[key].task for key in self._running if key not in keys)])
        places = [self._loaded(task, place, standing) for place, task in enumerate(graph.tasks)]
        before = {key: (node.state, node.reason) for key, node in self._nodes.items()}
        self._graph, self._places = graph, places
        self._nodes = {node.key: node for node in places}
        self._lanes = Lanes()
        for queue in self._queues.values():
            queue.ready.clear()
            queue.counts.clear()
        for node in self._dependencies_first():
            self._admit(node)
            if before.get(node.key) != (node.state, node.reason):
                self._news.append(node)
        self._tell()
        self._wake.set()

    def start(self, project: str, max_attempts: int | None = None) -> None:
        """Schedule the project's queue, starting at most ``max_attempts`` new attempts from now on.

        Going on with an open run is no new attempt.
        """
        queue = self._queues.setdefault(project, _Queue())
        queue.started, queue.allowed, queue.left = True, max_attempts, max_attempts
        for node in list(queue.ready):
            self._line_up(node)
        self._wake.set()

    def pause(self, project: str) -> None:
        """Start nothing more of the project's queue; what runs goes on."""
        self._queues.setdefault(project, _Queue()).started = False
        self._wake.set()

    def started(self, project: str) -> bool:
        """Say whether the project's queue is scheduled."""
        return project in self._queues and self._queues[project].started

    def exhausted(self, project: str) -> str | None:
        """Say that the attempts given to `start` are used up; None while there are some left."""
        queue = self._queues.get(project)
        if queue is None or queue.left != 0:
            return None
        return (
            f"{project} has used up the {queue.allowed} attempts it was started with; start it again for more"
        )

    def settle(self, key: TaskKey, outcome: Outcome) -> None:
        """Take over an outcome that the journal learnt elsewhere: an override, an abort, a rejection.

        While the task's dispatch is still on its way out, that counts once it comes back parked or held.
        """
        node = self._node(key)
        if node.state is TaskState.RUNNING:
            node.verdict = outcome
        else:
            self._close(node, outcome)

    def resume(self, key: TaskKey) -> None:
        """Let a PARKED or HELD task go on: it is ready again and will be dispatched again, by its priority.

        A parked task still needs its dependencies. Asked while the dispatch that is about to park is still on
        its way out, the task goes on as soon as it has. Raises SchedulerError when there is no open run.
        """
        node = self._node(key)
        if node.state is TaskState.RUNNING:
            node.verdict = _GO_ON
        elif node.state in (TaskState.PARKED, TaskState.HELD):
            node.goes_on = True
            self._reconsider(node)
        elif not node.goes_on:
            raise SchedulerError(
                f"{key} is {node.state}: it has no open run that could go on; retry starts a new one"
            )

    def retry(self, key: TaskKey) -> None:
        """Let a finished task run again, as a new attempt. Raises SchedulerError while its run is open."""
        node = self._node(key)
        if node.state in (TaskState.RUNNING, TaskState.PARKED, TaskState.HELD) or node.goes_on:
            raise SchedulerError(f"{key} is {node.state}: its run is still open; cancel or decide it first")
        if node.state not in _DERIVED:
            node.word = ""
            self._reconsider(node)

    async def run(self, *, until_idle: bool) -> None:
        """Schedule until `stop`, or with ``until_idle`` until nothing runs and nothing could be started.

        Parked and held tasks do not keep it from being idle, nor do ready ones behind a held lane, a paused
        queue or used-up attempts. Cancelling this cancels the running dispatches and waits for them.
        """
        if self._active:
            raise SchedulerError("this scheduler is being run already")
        self._active = True
        try:
            while not self._stopping:
                self._wake.clear()
                if self._broken is not None:
                    raise self._broken
                self._fill()
                if until_idle and not self._running:
                    return
                await self._wake.wait()
        finally:
            self._active = False
            if self._running:
                await self.stop()

    async def stop(self) -> None:
        """Start nothing more, for good; cancel the running dispatches and wait until they are over.

        A dispatch that ends by its cancellation is left HELD: the journal knows how its run stands.
        """
        self._stopping = True
        self._wake.set()
        await self._cancelled(list(self._running.values()))

    async def cancel(self, key: TaskKey) -> None:
        """Cancel a task's running dispatch and wait for its outcome; does nothing when it is not running.

        A dispatcher that can tell the outcome catches the cancellation and returns it; else the task fails.
        """
        self._node(key)
        job = self._running.get(key)
        await self._cancelled([] if job is None else [job])

    def state(self, key: TaskKey) -> TaskState:
        """Return where the task stands."""
        return self._node(key).state

    def reason(self, key: TaskKey) -> str:
        """Return why it stands there; empty where nothing needs saying."""
        return self._node(key).reason

    def counts(self, project: str | None = None) -> Counter[TaskState]:
        """Return how many tasks are in each state, of one project or of all."""
        if project is not None:
            return +self._queues.get(project, _Queue()).counts
        return sum((queue.counts for queue in self._queues.values()), Counter[TaskState]())

    @property
    def idle(self) -> bool:
        """True when nothing runs and nothing could be started."""
        return not self._running and (self._stopping or self._lanes.head(self._may_start) is None)

    @property
    def graph(self) -> Graph:
        """The graph of the tasks that are loaded."""
        return self._graph

    # Loading

    def _loaded(self, task: Task, place: int, standing: Callable[[Task], Standing]) -> _Node:
        lane = self._dispatcher.lane(task)
        old = self._nodes.get(task.key)
        if old is not None and old.state is TaskState.RUNNING:
            return _Node(task, place, old.lane, old.state, verdict=old.verdict)
        said = standing(task)
        node = _Node(task, place, lane, said.state, said.reason, said.word)
        node.keeps_lane = said.state is TaskState.HELD
        if old is not None and said.state in (TaskState.PARKED, TaskState.HELD):
            node.goes_on = old.goes_on
            if old.keeps_lane:
                node.lane = old.lane  # its run began there, whatever the entry says now
        if node.goes_on:
            node.state = TaskState.PENDING
        return node

    def _dependencies_first(self) -> Iterator[_Node]:
        """Every node after those it waits for, as far as there is such an order."""
        ordered = [place for wave in self._graph.waves for place in wave]
        for depth, wave in enumerate(self._graph.waves):
            for place in wave:
                self._places[place].depth = depth
        missed = set(range(len(self._places))).difference(ordered)
        for place in missed:
            self._places[place].fault = self._graph.fault(self._places[place].key)
        return (self._places[place] for place in [*missed, *ordered])

    def _admit(self, node: _Node) -> None:
        for dep in self._graph.before[node.place]:
            self._count_relation(node, self._relation(node, self._places[dep].state), 1)
        if node.state in _DERIVED:
            node.state, node.reason, node.root = self._derived(node)
        queue = self._queue(node)
        queue.counts[node.state] += 1
        if node.keeps_lane:
            self._lanes.hold(node.lane, node.key)
        if node.state is TaskState.RUNNING and node.lane is not None:
            self._lanes.occupy(node.lane, node.key)
        if node.state is TaskState.READY:
            self._line_up(node)

    # What a change means for the tasks behind it

    def _relation(self, node: _Node, dependency: TaskState) -> _Relation:
        if dependency is TaskState.SUCCEEDED:
            return _Relation.MET
        if dependency is TaskState.CLAIMED:
            return _Relation.MET if self._accepts_claim(node.task) else _Relation.BLOCKS
        return _Relation.BLOCKS if dependency in _BLOCKING else _Relation.WAITS

    @staticmethod
    def _count_relation(node: _Node, relation: _Relation, by: int) -> None:
        if relation is not _Relation.MET:
            node.unmet += by
        if relation is _Relation.BLOCKS:
            node.blockers += by

    def _derived(self, node: _Node) -> tuple[TaskState, str, _Node | None]:
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
            return TaskState.PENDING, "", None
        return TaskState.READY, "", None

    def _root(self, node: _Node) -> _Node:
        """Where the trouble of a blocked task began: the first dependency in its way, or what blocks that."""
        for place in self._graph.before[node.place]:
            dep = self._places[place]
            if self._relation(node, dep.state) is _Relation.BLOCKS:
                return dep.root if dep.state is TaskState.BLOCKED and dep.root is not None else dep
        raise AssertionError(f"{node.key} counts {node.blockers} blockers and has none")

    def _reconsider(self, node: _Node) -> None:
        node_before = node.state
        state, reason, root = self._derived(node)
        self._enter(node, state, reason, root)
        self._ripple(node, node_before)

    def _close(self, node: _Node, outcome: Outcome) -> None:
        before = node.state
        node.goes_on = False
        node.keeps_lane = outcome.state is TaskState.HELD
        if node.keeps_lane:
            self._lanes.hold(node.lane, node.key)
        else:
            self._lanes.release(node.lane, node.key)
        if not node.keeps_lane:
            node.lane = self._dispatcher.lane(node.task)  # its entry may have changed while it ran
        node.word = outcome.word
        self._enter(node, outcome.state, outcome.reason, None)
        self._ripple(node, before)

    def _ripple(self, node: _Node, before: TaskState) -> None:
        """Bring everything behind a changed task up to date, each once, nearest first; then tell."""
        line: list[tuple[int, int]] = []
        self._touch_dependents(node, before, line)
        while line:
            place = heappop(line)[1]
            behind = self._places[place]
            behind.touched = False
            if behind.state not in _DERIVED:
                continue
            was = behind.state
            state, reason, root = self._derived(behind)
            if (state, reason) != (was, behind.reason):
                self._enter(behind, state, reason, root)
                self._touch_dependents(behind, was, line)
        self._tell()
        self._wake.set()

    def _touch_dependents(self, node: _Node, before: TaskState, line: list[tuple[int, int]]) -> None:
        for place in self._graph.after[node.place]:
            behind = self._places[place]
            was, now = self._relation(behind, before), self._relation(behind, node.state)
            if was is now and now is not _Relation.BLOCKS:
                continue
            self._count_relation(behind, was, -1)
            self._count_relation(behind, now, 1)
            if not behind.touched:
                behind.touched = True
                heappush(line, (behind.depth, place))

    def _enter(self, node: _Node, state: TaskState, reason: str, root: _Node | None) -> None:
        queue = self._queue(node)
        queue.counts[node.state] -= 1
        queue.counts[state] += 1
        if node.state is TaskState.READY:
            queue.ready.pop(node, None)
            if node.ticket is not None:
                node.ticket.alive = False
        node.state, node.reason, node.root = state, reason, root
        if state is TaskState.READY:
            self._line_up(node)
        self._news.append(node)

    def _tell(self) -> None:
        news, self._news = self._news, []
        if self._on_change is not None:
            for node in news:
                self._on_change(node.key, node.state, node.reason)

    # Starting and finishing

    def _line_up(self, node: _Node) -> None:
        queue = self._queue(node)
        queue.ready[node] = None
        if queue.started:
            if node.ticket is not None:
                node.ticket.alive = False
            node.ticket = Ticket(node.key, rank(node.task), node.lane, returning=node.keeps_lane)
            self._lanes.enter(node.ticket)

    def _may_start(self, ticket: Ticket) -> bool:
        node = self._nodes[ticket.key]
        queue = self._queue(node)
        return queue.started and (node.goes_on or queue.left != 0)

    def _fill(self) -> None:
        while len(self._running) < self._limit and not self._stopping:
            ticket = self._lanes.head(self._may_start)
            if ticket is None:
                return
            self._lanes.take(ticket)
            self._begin(self._nodes[ticket.key])

    def _begin(self, node: _Node) -> None:
        queue = self._queue(node)
        if not node.goes_on and queue.left is not None:
            queue.left -= 1
        node.goes_on = node.keeps_lane = False
        self._enter(node, TaskState.RUNNING, "", None)
        job = asyncio.create_task(self._dispatcher.dispatch(node.task), name=f"dispatch {node.key}")
        self._running[node.key] = job
        job.add_done_callback(partial(self._finished, node.key))
        self._tell()

    def _finished(self, key: TaskKey, job: asyncio.Task[Outcome]) -> None:
        del self._running[key]
        node = self._nodes[key]
        verdict, node.verdict = node.verdict, None
        outcome = self._outcome(job)
        waits = outcome.state in (TaskState.PARKED, TaskState.HELD) and not self._stopping
        try:
            self._close(node, verdict if waits and isinstance(verdict, Outcome) else outcome)
            if waits and verdict is _GO_ON:
                self.resume(key)
        except Exception as error:  # noqa: BLE001 - nobody awaits a callback: `run` raises it
            self._broken = error
            self._wake.set()

    def _outcome(self, job: asyncio.Task[Outcome]) -> Outcome:
        if job.cancelled():
            if self._stopping:
                return Outcome(TaskState.HELD, "left open when the scheduler stopped")
            return Outcome(TaskState.FAILED, "its run was cancelled", "cancelled")
        error = job.exception()
        if error is None:
            return job.result()
        if isinstance(error, Exception):
            return Outcome(TaskState.FAILED, _sentence(error))
        return Outcome(TaskState.HELD, f"left open by {type(error).__name__}")

    @staticmethod
    async def _cancelled(jobs: list[asyncio.Task[Outcome]]) -> None:
        for job in jobs:
            job.cancel()
        if jobs:
            await asyncio.wait(jobs)

    def _queue(self, node: _Node) -> _Queue:
        return self._queues.setdefault(node.task.project, _Queue())

    def _node(self, key: TaskKey) -> _Node:
        node = self._nodes.get(key)
        if node is None:
            raise UnknownTaskError(key)
        return node


_DERIVED = frozenset({TaskState.PENDING, TaskState.READY, TaskState.BLOCKED})
_BLOCKING = frozenset({TaskState.FAILED, TaskState.BLOCKED})


class _Relation(Enum):
    """What a dependency's state means for one that waits for it."""

    MET = auto()
    WAITS = auto()
    BLOCKS = auto()


class _Verdict(Enum):
    """What was said of a task before its dispatch was back to hear it."""

    GO_ON = auto()


_GO_ON = _Verdict.GO_ON


@dataclass(eq=False, slots=True)
class _Node:
    """A task and where it stands."""

    task: Task
    place: int
    """Its number in the graph."""
    lane: Hashable | None
    state: TaskState
    reason: str = ""
    word: str = ""
    verdict: Outcome | _Verdict | None = None
    fault: str | None = None
    depth: int = 0
    """Its level: a task is brought up to date after everything it waits for."""
    unmet: int = 0
    """Dependencies that are not met; ``blockers`` counts those among them that will not be by themselves."""
    blockers: int = 0
    root: _Node | None = None
    """For a blocked task: where the trouble began."""
    goes_on: bool = False
    """Its open run was resumed and has not been dispatched again yet."""
    keeps_lane: bool = False
    """HELD, or resumed from it: the lane is its own although it does not run."""
    touched: bool = False
    ticket: Ticket | None = None

    @property
    def key(self) -> TaskKey:
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


@dataclass(eq=False, slots=True)
class _Queue:
    """What is known of a project's queue."""

    started: bool = False
    allowed: int | None = None
    left: int | None = None
    ready: dict[_Node, None] = field(default_factory=dict)
    counts: Counter[TaskState] = field(default_factory=Counter)


def _sentence(error: Exception) -> str:
    text = str(error).strip()
    return text if " " in text else f"{type(error).__name__}: {text}".removesuffix(": ")
