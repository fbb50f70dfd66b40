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
from collections.abc import Callable, Iterable
from functools import partial

from queues.board import DERIVED, Board, Node, Queue, Verdict
from queues.graph import Graph, rank
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
        self._board = Board(accepts_claim, self._entered)
        self._lanes = Lanes()
        self._queues: dict[str, Queue] = {}
        self._running: dict[TaskKey, asyncio.Task[Outcome]] = {}
        self._news: list[Node] = []
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
        graph = Graph([*wanted, *(self._board.nodes[key].task for key in self._running if key not in keys)])
        places = [self._loaded(task, place, standing) for place, task in enumerate(graph.tasks)]
        old = self._board.nodes
        self._lanes = Lanes()
        for queue in self._queues.values():
            queue.ready.clear()
            queue.counts.clear()
        self._board.replace(graph, places, self._admit)
        for node in places:
            was = old.get(node.key)
            if was is None or (was.state, was.reason) != (node.state, node.reason):
                self._news.append(node)
        self._tell()

    def start(self, project: str, max_attempts: int | None = None) -> None:
        """Schedule the project's queue, starting at most ``max_attempts`` new attempts from now on.

        Going on with an open run is no new attempt.
        """
        queue = self._queues.setdefault(project, Queue())
        queue.started, queue.allowed, queue.left = True, max_attempts, max_attempts
        for node in list(queue.ready):
            self._line_up(node)
        self._wake.set()

    def pause(self, project: str) -> None:
        """Start nothing more of the project's queue; what runs goes on."""
        self._queues.setdefault(project, Queue()).started = False
        self._wake.set()

    def started(self, project: str) -> bool:
        """Say whether the project's queue is scheduled."""
        return project in self._queues and self._queues[project].started

    def exhausted(self, project: str) -> str | None:
        """Say that the attempts given to `start` are used up; None while there are some left."""
        queue = self._queues.get(project)
        if queue is None or queue.left != 0:
            return None
        attempts = "attempt" if queue.allowed == 1 else f"{queue.allowed} attempts"
        return f"{project} has used up the {attempts} it was started with; start it again for more"

    def settle(self, key: TaskKey, outcome: Outcome) -> None:
        """Take over an outcome that the journal learnt elsewhere: an override, an abort, a rejection.

        While the task's dispatch is still on its way out, that counts once it comes back parked or held.
        """
        node = self._board.node(key)
        if node.state is TaskState.RUNNING:
            node.verdict = outcome
        else:
            self._close(node, outcome)

    def resume(self, key: TaskKey) -> None:
        """Let a PARKED or HELD task go on: it is ready again and will be dispatched again, by its priority.

        A parked task still needs its dependencies. Asked while the dispatch that is about to park is still on
        its way out, the task goes on as soon as it has. Raises SchedulerError when there is no open run.
        """
        node = self._board.node(key)
        if node.state is TaskState.RUNNING:
            node.verdict = Verdict.GO_ON
        elif node.state in (TaskState.PARKED, TaskState.HELD):
            node.goes_on = True
            self._reconsider(node)
        elif not node.goes_on:
            raise SchedulerError(
                f"{key} is {node.state}: it has no open run that could go on; retry starts a new one"
            )

    def retry(self, key: TaskKey) -> None:
        """Let a finished task run again, as a new attempt. Raises SchedulerError while its run is open."""
        node = self._board.node(key)
        if node.state in (TaskState.RUNNING, TaskState.PARKED, TaskState.HELD) or node.goes_on:
            raise SchedulerError(f"{key} is {node.state}: its run is still open; cancel or decide it first")
        if node.state not in DERIVED:
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
        self._board.node(key)
        job = self._running.get(key)
        await self._cancelled([] if job is None else [job])

    def state(self, key: TaskKey) -> TaskState:
        """Return where the task stands."""
        return self._board.node(key).state

    def reason(self, key: TaskKey) -> str:
        """Return why it stands there; empty where nothing needs saying."""
        return self._board.node(key).reason

    def counts(self, project: str | None = None) -> Counter[TaskState]:
        """Return how many tasks are in each state, of one project or of all."""
        if project is not None:
            return +self._queues.get(project, Queue()).counts
        return sum((queue.counts for queue in self._queues.values()), Counter[TaskState]())

    @property
    def idle(self) -> bool:
        """True when nothing runs and nothing could be started."""
        return not self._running and (self._stopping or self._lanes.head(self._may_start) is None)

    @property
    def graph(self) -> Graph[Task]:
        """The graph of the tasks that are loaded."""
        return self._board.graph

    # Loading

    def _loaded(self, task: Task, place: int, standing: Callable[[Task], Standing]) -> Node:
        queue = self._queues.setdefault(task.project, Queue())
        lane = self._dispatcher.lane(task)
        old = self._board.nodes.get(task.key)
        if old is not None and old.state is TaskState.RUNNING:
            return Node(task, place, queue, old.lane, old.state, verdict=old.verdict)
        said = standing(task)
        node = Node(task, place, queue, lane, said.state, said.reason, said.word)
        node.keeps_lane = said.state is TaskState.HELD
        if old is not None and said.state in (TaskState.PARKED, TaskState.HELD):
            node.goes_on = old.goes_on
            if old.keeps_lane:
                node.lane = old.lane  # its run began there, whatever the entry says now
        if node.goes_on:
            node.state = TaskState.PENDING
        return node

    def _admit(self, node: Node) -> None:
        node.queue.counts[node.state] += 1
        if node.keeps_lane:
            self._lanes.hold(node.lane, node.key)
        if node.state is TaskState.RUNNING and node.lane is not None:
            self._lanes.occupy(node.lane, node.key)
        if node.state is TaskState.READY:
            self._line_up(node)

    # Changes

    def _close(self, node: Node, outcome: Outcome) -> None:
        node.goes_on = False
        node.keeps_lane = outcome.state is TaskState.HELD
        if node.keeps_lane:
            self._lanes.hold(node.lane, node.key)
        else:
            self._lanes.release(node.lane, node.key)
            node.lane = self._dispatcher.lane(node.task)  # its entry may have changed while it ran
        node.word = outcome.word
        self._board.enter(node, outcome.state, outcome.reason)
        self._tell()

    def _reconsider(self, node: Node) -> None:
        self._board.reconsider(node)
        self._tell()

    def _entered(self, node: Node, before: TaskState) -> None:
        node.queue.counts[before] -= 1
        node.queue.counts[node.state] += 1
        if before is TaskState.READY:
            node.queue.ready.pop(node, None)
            if node.ticket is not None:
                node.ticket.alive = False
        if node.state is TaskState.READY:
            self._line_up(node)
        self._news.append(node)

    def _tell(self) -> None:
        self._wake.set()
        news, self._news = self._news, []
        if self._on_change is not None:
            for node in news:
                self._on_change(node.key, node.state, node.reason)

    # Starting and finishing

    def _line_up(self, node: Node) -> None:
        queue = node.queue
        queue.ready[node] = None
        if queue.started:
            if node.ticket is not None:
                node.ticket.alive = False
            node.ticket = Ticket(node.key, rank(node.task), node.lane, returning=node.keeps_lane)
            self._lanes.enter(node.ticket)

    def _may_start(self, ticket: Ticket) -> bool:
        node = self._board.nodes[ticket.key]
        queue = node.queue
        return queue.started and (node.goes_on or queue.left != 0)

    def _fill(self) -> None:
        while len(self._running) < self._limit and not self._stopping:
            ticket = self._lanes.head(self._may_start)
            if ticket is None:
                return
            self._lanes.take(ticket)
            self._begin(self._board.nodes[ticket.key])

    def _begin(self, node: Node) -> None:
        queue = node.queue
        if not node.goes_on and queue.left is not None:
            queue.left -= 1
        node.goes_on = node.keeps_lane = False
        self._board.enter(node, TaskState.RUNNING, "")
        job = asyncio.create_task(self._dispatcher.dispatch(node.task), name=f"dispatch {node.key}")
        self._running[node.key] = job
        job.add_done_callback(partial(self._finished, node.key))
        self._tell()

    def _finished(self, key: TaskKey, job: asyncio.Task[Outcome]) -> None:
        del self._running[key]
        node = self._board.nodes[key]
        verdict, node.verdict = node.verdict, None
        try:
            outcome = self._outcome(job)
            waits = outcome.state in (TaskState.PARKED, TaskState.HELD) and not self._stopping
            self._close(node, verdict if waits and isinstance(verdict, Outcome) else outcome)
            if waits and verdict is Verdict.GO_ON:
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
        if error is None and isinstance(job.result(), Outcome):
            return job.result()
        if error is None:
            error = TypeError(
                f"the dispatcher returned {type(job.result()).__name__} where an Outcome belongs"
            )
        if isinstance(error, Exception):
            return Outcome(TaskState.FAILED, _sentence(error))
        return Outcome(TaskState.HELD, f"left open by {type(error).__name__}")

    @staticmethod
    async def _cancelled(jobs: list[asyncio.Task[Outcome]]) -> None:
        for job in jobs:
            job.cancel()
        if jobs:
            await asyncio.wait(jobs)


def _sentence(error: Exception) -> str:
    text = str(error).strip()
    return text if " " in text else f"{type(error).__name__}: {text}".removesuffix(": ")
