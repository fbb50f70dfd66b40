"""Where every task stands, for people: queue files and journal brought together by the scheduler's own rules.

Pure: it takes what was read and gives values. What a change does not concern keeps its view, the very same
object, so that a run that moves on costs no more among 100,000 tasks than among ten.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import repeat
from operator import attrgetter, itemgetter
from threading import Lock

from guardrails.environments import GateKind
from opconsole.journal.records import Approval, Purpose, Run
from opconsole.standing import standing
from opconsole.task_list import TaskList
from opconsole.view_making import (
    ENTRY_GONE,
    make_view,
    run_reason,
    seen,
    state_word,
    unverified,
    view_of_run,
    waiting_for,
)
from opconsole.views import TaskView
from queues.board import Board, Node, Queue
from queues.collector import collector_paused
from queues.graph import Graph, short_name
from queues.outcomes import Standing, TaskState
from queues.queue_file import QueueFile
from queues.states import RunState
from queues.tasks import FileStatus, Task, TaskKey, TaskKind, task_key

__all__ = ["Present", "TaskViews", "graph_of", "seen", "state_word", "unverified"]

_SHOWN = 3
"""Dependencies that are named; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Present:
    """What holds for all tasks at one moment."""

    approvals: Mapping[str, Approval] = field(default_factory=dict)
    """The waiting ones, by run."""
    started: frozenset[str] = frozenset()
    """Projects whose queue somebody started."""
    worker_alive: bool = False
    frozen: bool = False
    """Somebody froze everything."""


def graph_of(files: Mapping[str, QueueFile]) -> Graph[Task]:
    """Give the graph of all tasks of these files."""
    return Graph(task for file in files.values() for task in file.tasks)


class TaskViews:
    """The view of every task of some queue files, kept up to date while runs come and go."""

    def __init__(
        self,
        files: Mapping[str, QueueFile],
        gates: Mapping[str, Mapping[str, GateKind]],
        graph: Graph[Task],
        latest: Iterable[Run],
        present: Present,
    ) -> None:
        """Make the views; *gates* are by project and environment, *graph* is of all tasks of *files*.

        *latest* has the latest run of every task that has one.
        """
        with collector_paused():
            self.tasks = TaskList((), self._made)
            """In the order of the projects and their files. Entries that cannot be used come behind a file's
            tasks, and open runs whose entry is gone behind those."""
            self._files, self._gates, self._graph = files, gates, graph
            self._present = present
            self._latest: dict[tuple[str, str], Run] = {}
            self._busy: dict[tuple[str, str | None], Run] = {}
            """Which run each environment is busy with."""
            self._open: dict[tuple[str, str], Run] = {}
            self._ended_badly: dict[tuple[str, str], datetime] = {}
            for run in latest:
                self._record(seen(run, worker_alive=present.worker_alive))
            self._claims_known: dict[tuple[TaskKind, FileStatus], Standing] = {}
            self._sites: dict[tuple[str, str | None], _Site] = {}
            self._site_of: list[_Site] = []
            self._board = Board(self._accepts_claim, self._entered)
            self._nodes = self._placed()
            self._board.replace(graph, self._nodes, lambda _node: None)
            self._invalid = {
                task_key(project, error.task): (error.line, error.message)
                for project, file in files.items()
                for error in reversed(file.errors)  # so that the first one of a task stays
                if error.task is not None and task_key(project, error.task) not in graph
            }
            # Whose entry is there and cannot be used is not "in no queue": the graph cannot know that.
            self._behind_invalid = {
                task: key for task, key in reversed(graph.unknown) if key in self._invalid
            }
            self._changed: set[int] = set()
            """Places of the tasks whose views may have changed."""
            self._orphans: dict[str, TaskView] = {}
            self._views: list[TaskView | None] = []
            """None: nobody has looked at it yet."""
            self._stale = False
            """A view was put among them since `tasks` was made of them."""
            self._lock, self._updates = Lock(), 0
            """How many updates have begun or ended: what is made during one may be neither old nor new."""
            self._slots: dict[TaskKey, int] = {}
            """Where the views of entries that cannot be used stand among the others."""
            self._before: dict[str, int] = {}
            """By project: how many of those stand before its tasks."""
            self._starts: list[tuple[int, int]] = []
            """Where each project's tasks begin among the views, and the same number."""
            self._look_around()
            self._changed.clear()
            self._make_all()

    def update(self, changed: Iterable[Run], present: Present) -> None:
        """Take over what has happened; *changed* has every open run, and what else may have changed.

        Runs that are not the latest of their task are passed over.
        """
        with collector_paused(), self._updating():
            self._present = present
            self._take_over(changed)
            self._look_around()
            self._make_changed()

    @contextmanager
    def _updating(self) -> Iterator[None]:
        with self._lock:
            self._updates += 1
        try:
            yield
        finally:
            with self._lock:
                self._updates += 1

    @property
    def open_runs(self) -> Iterable[Run]:
        """The latest runs that are not final."""
        return self._open.values()

    @property
    def ended_badly(self) -> Iterable[datetime]:
        """When those latest runs finished that failed, were rolled back or blocked."""
        return self._ended_badly.values()

    # -- what is known

    def _take_over(self, changed: Iterable[Run]) -> None:
        for run in changed:
            name = (run.project, run.task)
            now = seen(run, worker_alive=self._present.worker_alive)
            known = self._latest.get(name)
            if known is not None and (known.seq > now.seq or known == now):
                continue
            self._record(now)
            key = now.key
            node = self._board.nodes.get(key)
            if node is not None and node.task.kind.ours:
                self._stand(node)
            elif key in self._invalid:
                self._put(self._slots[key], self._invalid_view(now.project, key))

    def _record(self, run: Run) -> None:
        name = (run.project, run.task)
        self._latest[name] = run
        self._open.pop(name, None)
        self._ended_badly.pop(name, None)
        if not run.state.final:
            self._open[name] = run
        elif run.state in _BAD_ENDS and run.finished_at is not None:
            self._ended_badly[name] = run.finished_at

    def _placed(self) -> list[Node]:
        """Give each task its node, and let it know its site."""
        queue = Queue()
        nodes: list[Node] = []
        project, sites = "", dict[str | None, _Site]()
        for place, task in enumerate(self._graph.tasks):
            if task.project != project:
                project, sites = task.project, {}
            site = sites.get(task.environment)
            if site is None:
                site = sites[task.environment] = self._site(project, task.environment)
            site.places.append(place)
            self._site_of.append(site)
            said = self._standing(task)
            node = Node(task, place, queue, None, said.state, said.reason, said.word)
            if said.state is _HELD:
                node.keeps_lane = True
            nodes.append(node)
        return nodes

    def _site(self, project: str, environment: str | None) -> _Site:
        site = self._sites.get((project, environment))
        if site is None:
            gate = self._gate(project, environment)
            site = _Site(project, environment, None if gate is None else gate.value)
            self._sites[project, environment] = site
        return site

    def _standing(self, task: Task) -> Standing:
        """Say how a task stands; without a run only its kind and its file's word count."""
        if self._latest and (task.project, task.id) in self._latest:
            return standing(task, self._latest)
        claim = (task.kind, task.status)
        known = self._claims_known.get(claim)
        if known is None:
            known = self._claims_known[claim] = standing(task, {})
        return known

    def _stand(self, node: Node) -> None:
        said = standing(node.task, self._latest)
        node.word = said.word
        node.keeps_lane = said.state is _HELD
        if said.state is _PENDING:
            self._board.reconsider(node)
        else:
            self._board.enter(node, said.state, said.reason)

    def _entered(self, node: Node, before: TaskState) -> None:
        self._changed.add(node.place)
        if node.state is not before:
            self._changed.update(self._graph.after[node.place])  # they name what they wait for

    def _look_around(self) -> None:
        """See what the moment means for those that could start, and for all open runs."""
        busy: dict[tuple[str, str | None], Run] = {}
        for run in sorted(self._open.values(), key=lambda one: one.seq):
            if run.state in _AT_WORK or run.state.undecided or self._goes_back(run):
                busy[run.project, run.environment] = run
        self._busy = busy  # before any view is made: they name whom they wait for
        for run in self._open.values():
            node = self._board.nodes.get(run.key)
            if node is not None:
                self._changed.add(node.place)
            elif run.key in self._slots:
                self._put(self._slots[run.key], self._invalid_view(run.project, run.key))
        for where, site in self._sites.items():
            start = self._start(site, busy.get(where))
            if start != site.start:
                site.start = start
                self._start_later(site)

    def _start_later(self, site: _Site) -> None:
        """Give all that could start there the new word for what they wait for; there may be very many."""
        if not self._views:
            return
        nodes, views, changed = self._nodes, self._views, self._changed
        before = self._before[site.project]
        for place in site.places:
            if nodes[place].state is _READY and place not in changed:
                view = views[place + before]
                if view is None:
                    self._stale = True
                elif view.run is None:
                    views[place + before] = waiting_for(view, site.start)
                    self._stale = True

    def _start(self, site: _Site, other: Run | None) -> str:
        """Say what a task waits for that could start as far as its dependencies go."""
        if site.project not in self._present.started:
            return "its queue to be started"
        if other is not None and site.environment is not None:
            return _behind(other)
        return self._worker("")

    # -- views

    def _make_all(self) -> None:
        """Give every task its place. Those with a usable entry are made when somebody looks at them."""
        invalid: dict[str, list[TaskKey]] = {}
        for key in reversed(self._invalid):
            invalid.setdefault(key.partition(":")[0], []).append(key)
        count = Counter(map(attrgetter("project"), self._graph.tasks))
        views, place = self._views, 0
        for project in self._files:
            self._before[project] = len(views) - place
            self._starts.append((len(views), len(views) - place))
            views.extend(repeat(None, count[project]))
            place += count[project]
            for key in invalid.get(project, ()):
                self._slots[key] = len(views)
                views.append(self._invalid_view(project, key))
        self._list(self._orphaned())

    def _list(self, orphans: dict[str, TaskView]) -> None:
        self._orphans = orphans
        self.tasks = TaskList((*self._views, *orphans.values()), self._made)

    def _made(self, slot: int) -> TaskView:
        """Make the view of a task that somebody looks at, in whatever thread."""
        known, began = self._views[slot], self._updates
        if known is not None:
            return known
        _, before = self._starts[bisect_right(self._starts, slot, key=itemgetter(0)) - 1]
        view = self._view(slot - before)
        with self._lock:
            if began == self._updates and not began % 2:
                self._views[slot] = view
        return view

    def _make_changed(self) -> None:
        for place in self._changed:
            self._put(place + self._before[self._nodes[place].task.project], self._view(place))
        self._changed.clear()
        orphans = self._orphaned()
        if self._stale or orphans != self._orphans:
            self._stale = False
            self._list(orphans)

    def _put(self, slot: int, view: TaskView) -> None:
        if self._views[slot] != view:
            self._views[slot] = view
            self._stale = True

    def _accepts_claim(self, task: Task) -> bool:
        gate = self._gate(task.project, task.environment)
        return gate is not None and gate is not GateKind.PRODUCTION

    def _gate(self, project: str, environment: str | None) -> GateKind | None:
        return None if environment is None else self._gates.get(project, {}).get(environment)

    def _view(self, place: int) -> TaskView:
        node = self._nodes[place]
        task = node.task
        if self._latest and task.kind.ours:
            run = self._latest.get((task.project, task.id))
            if run is not None:
                gate = self._gate(task.project, run.environment)
                waits_for = self._run_waits(run)
                if run.state is RunState.PENDING:  # one that is tried again waits for its dependencies, too
                    waits_for = self._unmet(task) or waits_for
                return view_of_run(run, task, gate, run_reason(task, run), waits_for)
        site = self._site_of[place]
        state, reason, waits_for = self._without_run(task, node, site)
        return make_view(
            task.project,
            task.id,
            _KINDS[task.kind],
            task.description,
            task.environment,
            task.version,
            state,
            reason,
            waits_for,
            site.gate,
            task.depends_on,
            task.priority,
            None,
            0,
            False,
            None,
            None,
        )

    def _without_run(self, task: Task, node: Node, site: _Site) -> tuple[str, str, str]:
        """Give state, reason and what is waited for of a task that has no run."""
        if task.kind is _OTHER:
            word = task.raw.get("status")
            return (word if isinstance(word, str) and word else "pending"), "", ""
        state, waits_for = node.state, ""
        if state is _READY:
            waits_for = site.start
        elif state is _PENDING:
            waits_for = self._unmet(task)
        if self._behind_invalid and task.key in self._behind_invalid:
            name = short_name(self._behind_invalid[task.key], task.project)
            return _STATES[TaskState.BLOCKED], f"waits for {name}, whose entry cannot be used", waits_for
        if state is TaskState.FAILED:  # by its file's word, or of a kind that is not offered
            state = TaskState.BLOCKED
        return _STATES[state], node.reason, waits_for

    def _unmet(self, task: Task) -> str:
        nodes, prefix = self._board.nodes, f"{task.project}:"
        claims_met = self._accepts_claim(task)
        unmet: list[str] = []
        for key in task.depends_on:
            node = nodes.get(key)
            if node is None or node.state is _SUCCEEDED or (claims_met and node.state is _CLAIMED):
                continue
            unmet.append(key.removeprefix(prefix))
        if len(unmet) <= _SHOWN:
            return ", ".join(unmet)
        return f"{', '.join(unmet[:_SHOWN])} and {len(unmet) - _SHOWN} more"

    def _run_waits(self, run: Run) -> str:
        if run.state is RunState.WAITING:
            return self._answer_waits(run)
        if run.state.undecided:
            return "a decision: revert, override or abort"
        if run.state is not RunState.PENDING:
            return ""
        other = self._busy.get((run.project, run.environment))
        return _behind(other) if other is not None else self._worker("")

    def _answer_waits(self, run: Run) -> str:
        if self._goes_back(run):
            return "approval of its rollback"
        approval = self._present.approvals.get(run.id)
        if approval is not None:
            return "the end of a freeze" if approval.purpose is Purpose.FREEZE else "approval"
        if self._present.frozen:
            return "everything to be unfrozen"
        other = self._busy.get((run.project, run.environment))
        return f"approved; {_behind(other)}" if other is not None else self._worker("approved; ")

    def _goes_back(self, run: Run) -> bool:
        """Say whether its effects wait to be taken back: nobody else may have its environment meanwhile."""
        approval = self._present.approvals.get(run.id) if run.state is RunState.WAITING else None
        return approval is not None and approval.purpose is Purpose.REVERT

    def _worker(self, before: str) -> str:
        return f"{before}a free slot" if self._present.worker_alive else f"{before}a worker"

    def _invalid_view(self, project: str, key: TaskKey) -> TaskView:
        task = key.partition(":")[2]
        line, message = self._invalid[key]
        reason = f"line {line}: {message}"
        run = self._latest.get((project, task))
        if run is not None and not run.state.final:
            return view_of_run(run, None, self._gate(project, run.environment), reason, self._run_waits(run))
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

    def _orphaned(self) -> dict[str, TaskView]:
        """Give the views of open runs whose entry is gone, by run, the oldest first."""
        found: dict[str, TaskView] = {}
        for run in sorted(self._open.values(), key=lambda one: one.seq):
            if run.key not in self._graph and run.key not in self._invalid:
                gate = self._gate(run.project, run.environment)
                reason = f"{run.reason}; {ENTRY_GONE}" if run.reason else ENTRY_GONE
                view = view_of_run(run, None, gate, reason, self._run_waits(run))
                known = self._orphans.get(run.id)
                found[run.id] = known if known is not None and known == view else view
        return found


def _behind(other: Run) -> str:
    """Say which run an environment is busy with, and that a person has to decide it where that is so."""
    decide = f" ({other.state.value}: decide it first)" if other.state.undecided else ""
    if other.state is RunState.WAITING:
        decide = " (its rollback waits for approval)"
    return f"{other.task} in {other.environment}{decide}"


@dataclass(eq=False, slots=True)
class _Site:
    """What the tasks of one environment of a project share; tasks without one have a site of their own."""

    project: str
    environment: str | None
    gate: str | None
    start: str = ""
    """What those wait for that could start as far as their dependencies go."""
    places: list[int] = field(default_factory=list)


_AT_WORK = frozenset({RunState.PREFLIGHT, RunState.RUNNING})
_BAD_ENDS = frozenset({RunState.FAILED, RunState.ROLLED_BACK, RunState.BLOCKED})
# An enum's members and values are slow to reach by their class, and are asked for a hundred thousand times.
_PENDING, _READY, _HELD = TaskState.PENDING, TaskState.READY, TaskState.HELD
_SUCCEEDED, _CLAIMED = TaskState.SUCCEEDED, TaskState.CLAIMED
_OTHER = TaskKind.OTHER
_STATES = {state: state.value for state in TaskState}
_KINDS = {kind: kind.value for kind in TaskKind}
