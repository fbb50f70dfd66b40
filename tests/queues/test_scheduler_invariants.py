"""What holds for the scheduler whatever the graph, the outcomes and the order of events."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from queues.lanes import Ticket
from queues.scheduler import Outcome, Scheduler, Standing, TaskState
from queues.tasks import Task, TaskKey, TaskKind, task_key

S = TaskState
ENDS = (S.SUCCEEDED, S.SUCCEEDED, S.SUCCEEDED, S.FAILED, S.PARKED, S.HELD)


@dataclass(frozen=True)
class Case:
    tasks: tuple[Task, ...]
    ends: tuple[tuple[TaskState, ...], ...]
    """For each task how its dispatches end; after these it succeeds."""
    pauses: tuple[int, ...]
    """For each task how often its dispatch lets others go first."""
    limit: int


@st.composite
def cases(draw: st.DrawFn) -> Case:
    size = draw(st.integers(1, 14))
    tasks = []
    for i in range(size):
        deps = draw(st.lists(st.integers(0, i - 1), max_size=3)) if i else []
        tasks.append(
            Task(
                project=f"p{i % 2}",
                id=f"T{i}",
                kind=TaskKind.DEPLOYMENT,
                depends_on=tuple(task_key(f"p{dep % 2}", f"T{dep}") for dep in deps),
                priority=draw(st.integers(0, 2)),
                position=i,
                environment=draw(st.sampled_from([None, "dev", "prod"])),
            )
        )
    ends = draw(st.lists(st.lists(st.sampled_from(ENDS), max_size=3), min_size=size, max_size=size))
    pauses = draw(st.lists(st.integers(0, 3), min_size=size, max_size=size))
    order = draw(st.permutations(tasks))
    return Case(tuple(order), tuple(map(tuple, ends)), tuple(pauses), draw(st.integers(1, 4)))


class Watcher:
    """A dispatcher that checks at every start what must hold there."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.running: set[TaskKey] = set()
        self.held: dict[Hashable, TaskKey] = {}
        self.succeeded: set[TaskKey] = set()
        self.starts: dict[TaskKey, int] = {}
        self.by_key = {task.key: task for task in case.tasks}
        self.faults: list[str] = []

    def lane(self, task: Task) -> Hashable | None:
        return None if task.environment is None else (task.project, task.environment)

    async def dispatch(self, task: Task) -> Outcome:
        self.check_start(task)
        self.running.add(task.key)
        number = int(task.id[1:])
        for _ in range(self.case.pauses[number]):
            await asyncio.sleep(0)
        self.running.remove(task.key)
        ends = self.case.ends[number]
        start = self.starts[task.key] = self.starts.get(task.key, 0) + 1
        state = ends[start - 1] if start <= len(ends) else S.SUCCEEDED
        if state is S.SUCCEEDED:
            self.succeeded.add(task.key)
        lane = self.lane(task)
        if state is S.HELD and lane is not None:
            self.held[lane] = task.key
        return Outcome(state, "as drawn")

    def check_start(self, task: Task) -> None:
        # An assertion that failed in here would only fail the task: the faults are read at the end.
        lane = self.lane(task)
        if not set(task.depends_on) <= self.succeeded:
            self.faults.append(f"{task.key} started before its dependencies were met")
        if task.key in self.running:
            self.faults.append(f"{task.key} started twice at once")
        if len(self.running) >= self.case.limit:
            self.faults.append(f"{task.key} started over the limit")
        if lane is not None:
            if any(self.lane(self.by_key[key]) == lane for key in self.running):
                self.faults.append(f"{task.key} started beside another in its lane")
            if self.held.pop(lane, task.key) != task.key:
                self.faults.append(f"{task.key} started in a lane that another holds")


async def bounded(scheduler: Scheduler) -> None:
    async with asyncio.timeout(20):
        await scheduler.run(until_idle=True)


def check_states(scheduler: Scheduler, case: Case) -> None:
    """Each task's state follows from those of its dependencies, and the counts add up."""
    for task in case.tasks:
        deps = [scheduler.state(dep) for dep in task.depends_on]
        state = scheduler.state(task.key)
        if state in (S.PENDING, S.READY, S.BLOCKED):
            blocked = any(dep in (S.FAILED, S.BLOCKED) for dep in deps)
            met = all(dep is S.SUCCEEDED for dep in deps)
            assert state is (S.BLOCKED if blocked else S.READY if met else S.PENDING)
        if state is S.BLOCKED:
            named = scheduler.reason(task.key).removeprefix("blocked by ").split(": ")[0]
            root = TaskKey(named if ":" in named else f"{task.project}:{named}")
            assert scheduler.state(root) is S.FAILED
    assert scheduler.counts().total() == len(case.tasks)


@given(cases())
@settings(max_examples=150, deadline=None)
def test_nothing_starts_early_twice_or_over_a_limit_and_all_that_can_run_does(case: Case) -> None:
    async def story() -> None:
        watcher = Watcher(case)
        seen: dict[TaskKey, TaskState] = {}
        scheduler = Scheduler(
            watcher, limit=case.limit, on_change=lambda key, state, _: seen.__setitem__(key, state)
        )
        scheduler.load(case.tasks, lambda _: Standing())
        scheduler.start("p0")
        scheduler.start("p1")
        # A person answers everything that waits and retries everything that failed, until all is done.
        for _ in range(4 * len(case.tasks) + 1):
            await bounded(scheduler)
            assert scheduler.idle
            check_states(scheduler, case)
            assert not watcher.running
            assert watcher.faults == []
            assert seen == {task.key: scheduler.state(task.key) for task in case.tasks}
            if scheduler.counts()[S.SUCCEEDED] == len(case.tasks):
                break
            for task in case.tasks:
                state = scheduler.state(task.key)
                if state is S.READY:
                    assert watcher.lane(task) in watcher.held, "only a held lane keeps a ready task waiting"
                elif state in (S.PARKED, S.HELD):
                    scheduler.resume(task.key)
                elif state is S.FAILED:
                    scheduler.retry(task.key)
        assert scheduler.counts() == {S.SUCCEEDED: len(case.tasks)}

    asyncio.run(story())


@given(cases(), st.data())
@settings(max_examples=100, deadline=None)
def test_loading_what_the_scheduler_has_changes_nothing(case: Case, data: st.DataObject) -> None:
    async def story() -> None:
        scheduler = Scheduler(Watcher(case), limit=case.limit)
        scheduler.load(case.tasks, lambda _: Standing())
        scheduler.start("p0", data.draw(st.integers(0, 5)))
        scheduler.start("p1")
        await bounded(scheduler)
        before = {task.key: (scheduler.state(task.key), scheduler.reason(task.key)) for task in case.tasks}
        derived = (S.PENDING, S.READY, S.BLOCKED)

        def journal(task: Task) -> Standing:
            state, reason = before[task.key]
            return Standing() if state in derived else Standing(state, reason)

        news: list[TaskKey] = []
        scheduler._on_change = lambda key, *_: news.append(key)
        scheduler.load(data.draw(st.permutations(case.tasks)), journal)
        # Another order of entries may name another of several failures in the way; states stay.
        assert {key: state for key, (state, _) in before.items()} == {
            task.key: scheduler.state(task.key) for task in case.tasks
        }
        assert all(before[key][0] is S.BLOCKED for key in news)
        assert scheduler.idle
        check_states(scheduler, case)

    asyncio.run(story())


async def test_ten_thousand_tasks_in_one_lane_are_looked_at_no_more_often_than_in_none() -> None:
    """Counted, not timed: how often the scheduler asks whether a task may start."""
    count = 10_000

    class Counting(Scheduler):
        looked = 0

        def _may_start(self, ticket: Ticket) -> bool:
            self.looked += 1
            return super()._may_start(ticket)

    for environment in (None, "dev"):
        tasks = [
            Task("p0", f"T{i}", TaskKind.DEPLOYMENT, environment=environment, position=i)
            for i in range(count)
        ]
        scheduler = Counting(Watcher(Case(tuple(tasks), ((),) * count, (0,) * count, limit=8)), limit=8)
        scheduler.load(tasks, lambda _: Standing())
        scheduler.start("p0")
        await bounded(scheduler)
        assert scheduler.counts() == {S.SUCCEEDED: count}
        assert scheduler.looked <= 2 * count
