"""Where every task stands, for people: queue files and journal brought together by the scheduler's own rules.

Pure: it takes what was read and gives values.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from guardrails.environments import GateKind
from opconsole.journal.records import Approval, Purpose, Run
from opconsole.standing import standing
from opconsole.views import TaskView
from queues.board import Board, Node, Queue
from queues.graph import Graph, short_name
from queues.outcomes import TaskState
from queues.queue_file import QueueFile
from queues.states import RunState
from queues.tasks import Task, TaskKey, TaskKind, task_key

LEFT_BEHIND = "the process that worked on it is gone"
_SHOWN = 3
"""Dependencies that are named; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a workspace at one moment."""

    files: Mapping[str, QueueFile]
    gates: Mapping[str, Mapping[str, GateKind]]
    """By project and environment."""
    latest: Mapping[tuple[str, str], Run]
    """The latest run of every task that has one, as it is seen (`seen`)."""
    approvals: Mapping[str, Approval] = field(default_factory=dict)
    """The waiting ones, by run."""
    started: frozenset[str] = frozenset()
    """Projects whose queue somebody started."""
    worker_alive: bool = False


def seen(run: Run, *, worker_alive: bool) -> Run:
    """Give a run as people should see it: with nobody working on it, it is interrupted and not running."""
    if worker_alive or run.state not in (RunState.PREFLIGHT, RunState.RUNNING):
        return run
    return replace(run, state=RunState.INTERRUPTED, reason=LEFT_BEHIND)


def task_views(facts: Facts, graph: Graph) -> tuple[TaskView, ...]:
    """Give a view of every task, in the order of the projects and their files; *graph* is of all of them.

    Entries that cannot be used come behind a file's tasks, and open runs whose entry is gone behind those.
    """
    running = gc.isenabled()
    gc.disable()  # looking through a hundred thousand growing views again and again doubles the time
    try:
        return _Viewer(facts, graph).views()
    finally:
        if running:
            gc.enable()


def graph_of(files: Mapping[str, QueueFile]) -> Graph:
    """Give the graph of all tasks of these files."""
    return Graph(task for file in files.values() for task in file.tasks)


class _Viewer:
    def __init__(self, facts: Facts, graph: Graph) -> None:
        self._facts = facts
        self._graph = graph
        self._board = Board(self._accepts_claim, lambda _node, _before: None)
        queue = Queue()
        nodes = [self._node(task, place, queue) for place, task in enumerate(graph.tasks)]
        self._board.replace(graph, nodes, lambda _node: None)
        self._invalid = {
            task_key(project, error.task): (error.line, error.message)
            for project, file in facts.files.items()
            for error in reversed(file.errors)  # so that the first one of a task stays
            if error.task is not None and task_key(project, error.task) not in graph
        }
        # Whose entry is there and cannot be used is not "in no queue": the graph cannot know that.
        self._behind_invalid = {task: key for task, key in reversed(graph.unknown) if key in self._invalid}
        self._busy = {
            (run.project, run.environment): run
            for run in facts.latest.values()
            if run.state in (RunState.PREFLIGHT, RunState.RUNNING) or run.state.undecided
        }

    def views(self) -> tuple[TaskView, ...]:
        views: list[TaskView] = []
        by_project: dict[str, list[TaskKey]] = {}
        for key in self._invalid:
            by_project.setdefault(key.partition(":")[0], []).append(key)
        for project, file in self._facts.files.items():
            views += [self._view(task) for task in file.tasks]
            views += [self._invalid_view(project, key) for key in reversed(by_project.get(project, []))]
        views += self._orphans()
        return tuple(views)

    def _accepts_claim(self, task: Task) -> bool:
        gate = self._gate(task.project, task.environment)
        return gate is not None and gate is not GateKind.PRODUCTION

    def _gate(self, project: str, environment: str | None) -> GateKind | None:
        return None if environment is None else self._facts.gates.get(project, {}).get(environment)

    def _node(self, task: Task, place: int, queue: Queue) -> Node:
        said = standing(task, self._facts.latest)
        node = Node(task, place, queue, None, said.state, said.reason, said.word)
        node.keeps_lane = said.state is TaskState.HELD
        return node

    def _view(self, task: Task) -> TaskView:
        run = self._facts.latest.get((task.project, task.id)) if task.kind.ours else None
        if run is not None:
            gate = self._gate(task.project, run.environment)
            return _of_run(run, task, gate, self._run_reason(task, run), self._run_waits(run))
        node = self._board.nodes[task.key]
        state, reason = self._derived(task, node)
        return TaskView(
            project=task.project,
            task=task.id,
            kind=task.kind.value,
            description=task.description,
            environment=task.environment,
            version=task.version,
            state=state,
            reason=reason,
            waits_for=self._waits(task, node),
            gate=self._gate_word(task),
            depends_on=task.depends_on,
            priority=task.priority,
            run=None,
            attempt=0,
            unverified=False,
            started_at=None,
            finished_at=None,
        )

    def _gate_word(self, task: Task) -> str | None:
        gate = self._gate(task.project, task.environment)
        return None if gate is None else gate.value

    def _derived(self, task: Task, node: Node) -> tuple[str, str]:
        """Give state and reason of a task that has no run."""
        if not task.kind.ours:
            word = task.raw.get("status")
            return (word if isinstance(word, str) and word else "pending"), ""
        if task.key in self._behind_invalid:
            name = short_name(self._behind_invalid[task.key], task.project)
            return TaskState.BLOCKED.value, f"waits for {name}, whose entry cannot be used"
        if node.state is TaskState.FAILED:  # by its file's word, or of a kind that is not offered
            return TaskState.BLOCKED.value, node.reason
        return node.state.value, node.reason

    def _waits(self, task: Task, node: Node) -> str:
        if not task.kind.ours:
            return ""
        if node.state is TaskState.PENDING:
            return self._unmet(task)
        if node.state is TaskState.READY:
            return self._start(task)
        return ""

    def _unmet(self, task: Task) -> str:
        nodes = self._board.nodes
        met = (
            (TaskState.SUCCEEDED, TaskState.CLAIMED) if self._accepts_claim(task) else (TaskState.SUCCEEDED,)
        )
        unmet = [key for key in task.depends_on if key in nodes and nodes[key].state not in met]
        names = ", ".join([short_name(key, task.project) for key in unmet[:_SHOWN]])
        return f"{names} and {len(unmet) - _SHOWN} more" if len(unmet) > _SHOWN else names

    def _start(self, task: Task) -> str:
        """Say what a task waits for that could start as far as its dependencies go."""
        if task.project not in self._facts.started:
            return "its queue to be started"
        other = None if task.environment is None else self._busy.get((task.project, task.environment))
        if other is not None:
            return f"{other.task} in {other.environment}"
        return "a free slot" if self._facts.worker_alive else "a worker"

    def _run_reason(self, task: Task, run: Run) -> str:
        if run.state.final and task.raw.get("status") in (None, "pending"):
            again = "its file says pending: retry runs it again"
            return f"{run.reason}; {again}" if run.reason else again
        return run.reason

    def _run_waits(self, run: Run) -> str:
        if run.state is RunState.WAITING:
            approval = self._facts.approvals.get(run.id)
            if approval is not None and approval.purpose is Purpose.REVERT:
                return "approval of its rollback"
            return "approval" if approval is not None else self._worker("approved; ")
        if run.state.undecided:
            return "a decision: revert, override or abort"
        return self._worker("") if run.state is RunState.PENDING else ""

    def _worker(self, before: str) -> str:
        return f"{before}a free slot" if self._facts.worker_alive else f"{before}a worker"

    def _invalid_view(self, project: str, key: TaskKey) -> TaskView:
        task = key.partition(":")[2]
        line, message = self._invalid[key]
        reason = f"line {line}: {message}"
        run = self._facts.latest.get((project, task))
        if run is not None and not run.state.final:
            return _of_run(run, None, self._gate(project, run.environment), reason, self._run_waits(run))
        return TaskView(
            project=project,
            task=task,
            kind=run.kind if run else TaskKind.OTHER.value,
            description="",
            environment=run.environment if run else None,
            version=run.version if run else None,
            state="invalid",
            reason=reason,
            waits_for="its entry to be corrected",
            gate=None,
            depends_on=(),
            priority=2,
            run=run.id if run else None,
            attempt=run.attempt if run else 0,
            unverified=False,
            started_at=None,
            finished_at=None,
        )

    def _orphans(self) -> Iterable[TaskView]:
        for run in self._facts.latest.values():
            if not run.state.final and run.key not in self._graph and run.key not in self._invalid:
                gate = self._gate(run.project, run.environment)
                gone = "its entry is gone from the queue file"
                reason = f"{run.reason}; {gone}" if run.reason else gone
                yield _of_run(run, None, gate, reason, self._run_waits(run))


def unverified(run: Run, gate: GateKind | None) -> bool:
    """Say whether a production run succeeded and nobody has recorded its verification yet."""
    return run.state is RunState.SUCCEEDED and gate is GateKind.PRODUCTION and run.verified_at is None


def _of_run(run: Run, task: Task | None, gate: GateKind | None, reason: str, waits_for: str) -> TaskView:
    return TaskView(
        project=run.project,
        task=run.task,
        kind=run.kind,
        description=task.description if task else "",
        environment=run.environment,
        version=run.version,
        state=run.state.value,
        reason=reason,
        waits_for=waits_for,
        gate=gate.value if gate else None,
        depends_on=task.depends_on if task else (),
        priority=task.priority if task else 2,
        run=run.id,
        attempt=run.attempt,
        unverified=unverified(run, gate),
        started_at=run.started_at,
        finished_at=run.finished_at,
    )
