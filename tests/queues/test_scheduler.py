"""The scheduler, in sentences: what starts, what waits, what is blocked and why."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Mapping

import pytest

from queues.graph import UnknownTaskError
from queues.scheduler import Outcome, Scheduler, SchedulerError, Standing, TaskState
from queues.tasks import Task, TaskKey, TaskKind, task_key

DONE = Outcome(TaskState.SUCCEEDED)
S = TaskState


def a_task(
    name: str,
    *deps: str,
    project: str = "p",
    priority: int = 2,
    position: int = 0,
    kind: TaskKind = TaskKind.DEPLOYMENT,
    environment: str | None = None,
) -> Task:
    keys = tuple(TaskKey(dep) if ":" in dep else task_key(project, dep) for dep in deps)
    return Task(
        project, name, kind, depends_on=keys, priority=priority, position=position, environment=environment
    )


def k(name: str) -> TaskKey:
    return TaskKey(name if ":" in name else f"p:{name}")


class Hands:
    """A dispatcher whose outcomes are written down beforehand, or given by hand for the tasks in ``slow``."""

    def __init__(
        self, outcomes: Mapping[str, list[Outcome | Exception]] | None = None, slow: str = ""
    ) -> None:
        self.outcomes = {name: list(said) for name, said in (outcomes or {}).items()}
        self.gates = {name: asyncio.Event() for name in slow.split()}
        self.started: list[str] = []
        self.changed = asyncio.Condition()

    def lane(self, task: Task) -> Hashable | None:
        return None if task.environment is None else (task.project, task.environment)

    async def dispatch(self, task: Task) -> Outcome:
        async with self.changed:
            self.started.append(task.id)
            self.changed.notify_all()
        if task.id in self.gates:
            await self.gates[task.id].wait()
        said = self.outcomes.get(task.id)
        outcome = said.pop(0) if said else DONE
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def until_started(self, *names: str) -> None:
        async with self.changed, asyncio.timeout(5):
            await self.changed.wait_for(lambda: all(name in self.started for name in names))


def never_run(_: Task) -> Standing:
    return Standing()


def stands(**standings: Standing) -> object:
    return lambda task: standings.get(task.id, Standing())


def loaded(
    hands: Hands, *tasks: Task, limit: int = 4, standing: object = never_run, **more: object
) -> Scheduler:
    scheduler = Scheduler(hands, limit=limit, **more)  # type: ignore[arg-type]
    scheduler.load(tasks, standing)  # type: ignore[arg-type]
    for project in sorted({task.project for task in tasks}):
        scheduler.start(project)
    return scheduler


async def to_idle(scheduler: Scheduler) -> None:
    async with asyncio.timeout(5):
        await scheduler.run(until_idle=True)


CASCADE = (a_task("DEV"), a_task("STAGING", "DEV", position=1), a_task("PROD", "STAGING", position=2))


async def test_a_cascade_runs_in_the_order_of_its_dependencies() -> None:
    hands = Hands()
    scheduler = loaded(hands, *reversed(CASCADE))
    await to_idle(scheduler)
    assert hands.started == ["DEV", "STAGING", "PROD"]
    assert scheduler.counts() == {S.SUCCEEDED: 3}
    assert scheduler.idle


async def test_only_queues_that_somebody_started_are_scheduled() -> None:
    hands = Hands()
    scheduler = Scheduler(hands, limit=2)
    scheduler.load([a_task("A"), a_task("B", project="other")], never_run)
    await to_idle(scheduler)
    assert hands.started == []
    scheduler.start("other")
    await to_idle(scheduler)
    assert hands.started == ["B"]
    assert scheduler.state(k("A")) is S.READY
    assert scheduler.started("other")
    assert not scheduler.started("p")


async def test_a_paused_queue_starts_nothing_new_and_lets_what_runs_go_on() -> None:
    hands = Hands(slow="DEV")
    scheduler = loaded(hands, *CASCADE)
    running = asyncio.create_task(to_idle(scheduler))
    await hands.until_started("DEV")
    scheduler.pause("p")
    hands.gates["DEV"].set()
    await running
    assert hands.started == ["DEV"]
    assert scheduler.state(k("STAGING")) is S.READY
    scheduler.start("p")
    await to_idle(scheduler)
    assert hands.started == ["DEV", "STAGING", "PROD"]


async def test_pausing_and_starting_again_runs_nothing_twice() -> None:
    hands = Hands()
    scheduler = loaded(hands, a_task("A", environment="dev"), a_task("B", environment="dev"), a_task("C"))
    for _ in range(3):
        scheduler.pause("p")
        scheduler.start("p")
    await to_idle(scheduler)
    assert sorted(hands.started) == ["A", "B", "C"]


async def test_priority_then_place_then_project_decide_who_goes_first() -> None:
    hands = Hands()
    scheduler = loaded(
        hands,
        a_task("LATE", position=2),
        a_task("B-SIDE", project="b", position=1),
        a_task("A-SIDE", project="a", position=1),
        a_task("URGENT", priority=0, position=9),
        limit=1,
    )
    await to_idle(scheduler)
    assert hands.started == ["URGENT", "A-SIDE", "B-SIDE", "LATE"]


async def test_a_failure_blocks_everything_behind_it_and_is_named() -> None:
    news: list[tuple[str, str, str]] = []
    hands = Hands({"DEV": [Outcome(S.FAILED, "health check: HTTP 500")]})
    scheduler = loaded(hands, *CASCADE, on_change=lambda *change: news.append(change))
    await to_idle(scheduler)
    assert scheduler.state(k("PROD")) is S.BLOCKED
    assert scheduler.reason(k("STAGING")) == "blocked by DEV: failed: health check: HTTP 500"
    assert scheduler.reason(k("PROD")) == "blocked by DEV: failed: health check: HTTP 500"
    assert (k("PROD"), S.BLOCKED, scheduler.reason(k("PROD"))) in news


async def test_a_rejection_is_called_by_its_name() -> None:
    hands = Hands({"A": [Outcome(S.FAILED, "not on a Friday", "rejected")]})
    scheduler = loaded(hands, a_task("A"), a_task("B", "p:A", project="other"))
    await to_idle(scheduler)
    assert scheduler.reason(k("other:B")) == "blocked by p:A: rejected: not on a Friday"


async def test_a_later_success_unblocks_what_a_failure_blocked() -> None:
    hands = Hands({"DEV": [Outcome(S.FAILED, "no")]})
    scheduler = loaded(hands, *CASCADE)
    await to_idle(scheduler)
    scheduler.retry(k("DEV"))
    assert scheduler.state(k("PROD")) is S.PENDING
    await to_idle(scheduler)
    assert scheduler.counts("p") == {S.SUCCEEDED: 3}
    assert hands.started == ["DEV", "DEV", "STAGING", "PROD"]


async def test_an_override_elsewhere_unblocks_too() -> None:
    hands = Hands({"DEV": [Outcome(S.HELD, "halted")]})
    scheduler = loaded(hands, *CASCADE)
    await to_idle(scheduler)
    assert scheduler.state(k("STAGING")) is S.PENDING
    scheduler.settle(k("DEV"), DONE)
    await to_idle(scheduler)
    assert hands.started == ["DEV", "STAGING", "PROD"]


async def test_with_two_failures_in_the_way_the_reason_follows_the_one_that_is_left() -> None:
    hands = Hands()
    tasks = [a_task("A"), a_task("B"), a_task("C", "A", "B"), a_task("D", "C")]
    no = Standing(S.FAILED, "no")
    scheduler = loaded(hands, *tasks, standing=stands(A=no, B=no))
    assert scheduler.reason(k("D")) == "blocked by A: failed: no"
    scheduler.settle(k("A"), DONE)
    assert scheduler.reason(k("C")) == scheduler.reason(k("D")) == "blocked by B: failed: no"
    scheduler.settle(k("B"), Outcome(S.FAILED, "still no", "aborted"))
    assert scheduler.reason(k("D")) == "blocked by B: aborted: still no"
    scheduler.settle(k("B"), DONE)
    assert scheduler.state(k("C")) is S.READY


async def test_a_dispatcher_that_raises_fails_its_task_and_nothing_else() -> None:
    hands = Hands({"A": [OSError("no space left on the device")], "B": [KeyError("x")]})
    scheduler = loaded(hands, a_task("A"), a_task("B"), a_task("C"))
    await to_idle(scheduler)
    assert scheduler.reason(k("A")) == "no space left on the device"
    assert scheduler.reason(k("B")) == "KeyError: 'x'"
    assert scheduler.state(k("C")) is S.SUCCEEDED


async def test_a_dispatcher_that_returns_nothing_fails_its_task() -> None:
    class Silent(Hands):
        async def dispatch(self, task: Task) -> Outcome:
            return None  # type: ignore[return-value]

    scheduler = loaded(Silent(), a_task("A"))
    await to_idle(scheduler)
    assert scheduler.reason(k("A")) == "the dispatcher returned NoneType where an Outcome belongs"


async def test_one_task_in_a_lane_and_never_more_than_the_limit() -> None:
    hands = Hands(slow="A1 A2 B1 C1")
    scheduler = loaded(
        hands,
        a_task("A1", environment="a", position=1),
        a_task("A2", environment="a", position=2),
        a_task("B1", environment="b", position=3),
        a_task("C1", environment="c", position=4),
        limit=2,
    )
    running = asyncio.create_task(to_idle(scheduler))
    await hands.until_started("A1", "B1")
    assert scheduler.counts() == {S.RUNNING: 2, S.READY: 2}
    hands.gates["A1"].set()
    await hands.until_started("A2")
    assert "C1" not in hands.started
    for gate in hands.gates.values():
        gate.set()
    await running
    assert scheduler.counts() == {S.SUCCEEDED: 4}


async def test_a_parked_task_frees_its_lane_and_a_held_one_keeps_it() -> None:
    hands = Hands({"A": [Outcome(S.PARKED), Outcome(S.HELD, "halted"), DONE]})
    scheduler = loaded(
        hands,
        a_task("A", environment="prod", position=0),
        a_task("B", environment="prod", position=1),
        a_task("C", "B", environment="prod", position=2),
    )
    scheduler.load([a_task("A", environment="prod"), a_task("B", environment="prod", position=1)], never_run)
    await to_idle(scheduler)
    assert hands.started == ["A", "B"]
    scheduler.resume(k("A"))
    await to_idle(scheduler)
    assert scheduler.state(k("A")) is S.HELD
    scheduler.retry(k("B"))
    await to_idle(scheduler)
    assert scheduler.state(k("B")) is S.READY, "its lane is held"
    scheduler.resume(k("A"))
    await to_idle(scheduler)
    assert hands.started == ["A", "B", "A", "A", "B"]


async def test_a_resumed_task_is_no_new_attempt() -> None:
    hands = Hands({"A": [Outcome(S.PARKED), DONE]})
    scheduler = Scheduler(hands, limit=1)
    scheduler.load([a_task("A"), a_task("B", position=1)], never_run)
    scheduler.start("p", max_attempts=1)
    await to_idle(scheduler)
    assert hands.started == ["A"]
    assert scheduler.exhausted("p") == (
        "p has used up the attempt it was started with; start it again for more"
    )
    scheduler.resume(k("A"))
    await to_idle(scheduler)
    assert hands.started == ["A", "A"]
    assert scheduler.state(k("B")) is S.READY
    scheduler.start("p")
    assert scheduler.exhausted("p") is None
    await to_idle(scheduler)
    assert scheduler.state(k("B")) is S.SUCCEEDED


async def test_a_used_up_queue_does_not_stand_in_the_way_of_others_in_its_lane() -> None:
    class OneLane(Hands):
        def lane(self, task: Task) -> Hashable | None:
            return "all"

    hands = OneLane()
    scheduler = Scheduler(hands, limit=1)
    scheduler.load([a_task("A"), a_task("B", position=1), a_task("C", project="q", position=2)], never_run)
    scheduler.start("p", max_attempts=1)
    scheduler.start("q")
    await to_idle(scheduler)
    assert hands.started == ["A", "C"]


async def test_an_approved_run_of_a_paused_queue_waits_until_it_is_started_again() -> None:
    hands = Hands({"A": [Outcome(S.PARKED)]})
    scheduler = loaded(hands, a_task("A"))
    await to_idle(scheduler)
    scheduler.pause("p")
    scheduler.resume(k("A"))
    await to_idle(scheduler)
    assert hands.started == ["A"]
    scheduler.start("p")
    await to_idle(scheduler)
    assert hands.started == ["A", "A"]


async def test_an_approval_that_overtakes_the_dispatch_is_not_lost() -> None:
    hands = Hands({"A": [Outcome(S.PARKED), DONE]}, slow="A")
    scheduler = loaded(hands, a_task("A"))
    running = asyncio.create_task(to_idle(scheduler))
    await hands.until_started("A")
    scheduler.resume(k("A"))
    hands.gates["A"].set()
    await running
    assert scheduler.state(k("A")) is S.SUCCEEDED


async def test_a_rejection_that_overtakes_the_dispatch_is_not_lost() -> None:
    hands = Hands({"A": [Outcome(S.PARKED)]}, slow="A")
    scheduler = loaded(hands, a_task("A", environment="prod"), a_task("B", environment="prod", position=1))
    running = asyncio.create_task(to_idle(scheduler))
    await hands.until_started("A")
    scheduler.settle(k("A"), Outcome(S.FAILED, "no", "rejected"))
    hands.gates["A"].set()
    await running
    assert scheduler.state(k("A")) is S.FAILED
    assert scheduler.state(k("B")) is S.SUCCEEDED


async def test_tasks_of_other_kinds_never_run_and_are_met_as_the_file_says() -> None:
    hands = Hands()
    tasks = [
        a_task("BUG", kind=TaskKind.OTHER),
        a_task("ART", kind=TaskKind.OTHER),
        a_task("A", "BUG"),
        a_task("B", "ART"),
    ]
    scheduler = loaded(hands, *tasks, standing=stands(BUG=Standing(S.SUCCEEDED)))
    await to_idle(scheduler)
    assert hands.started == ["A"]
    assert scheduler.state(k("B")) is S.PENDING


async def test_a_hand_written_complete_opens_only_what_accepts_a_claim() -> None:
    hands = Hands()
    tasks = [a_task("A"), a_task("DEV", "A", environment="dev"), a_task("PROD", "A", environment="prod")]
    scheduler = loaded(
        hands,
        *tasks,
        standing=stands(A=Standing(S.CLAIMED)),
        accepts_claim=lambda task: task.environment != "prod",
    )
    await to_idle(scheduler)
    assert hands.started == ["DEV"]
    assert (
        scheduler.reason(k("PROD")) == "blocked by A: its file says complete, and no run of it is on record"
    )
    scheduler.retry(k("A"))
    await to_idle(scheduler)
    assert hands.started == ["DEV", "A", "PROD"]


async def test_what_is_in_or_behind_a_cycle_or_an_unknown_id_is_blocked_with_the_reason() -> None:
    hands = Hands()
    scheduler = loaded(
        hands, a_task("D", "E"), a_task("E", "D"), a_task("F", "E"), a_task("G", "NOPE"), a_task("A")
    )
    await to_idle(scheduler)
    assert hands.started == ["A"]
    assert scheduler.counts() == {S.BLOCKED: 4, S.SUCCEEDED: 1}
    assert scheduler.reason(k("F")) == "waits for E, which is part of a cycle: D → E → D"
    assert scheduler.reason(k("G")).startswith("depends on NOPE, which no queue has")


async def test_a_corrected_queue_goes_on_where_it_was() -> None:
    hands = Hands()
    scheduler = loaded(hands, a_task("A", "B"))
    await to_idle(scheduler)
    scheduler.load([a_task("A", "B"), a_task("B")], never_run)
    await to_idle(scheduler)
    assert hands.started == ["B", "A"]


async def test_a_queue_that_changes_while_a_task_runs_keeps_that_task_and_its_lane() -> None:
    hands = Hands(slow="A")
    scheduler = loaded(hands, a_task("A", environment="dev"), a_task("GONE", "A"))
    running = asyncio.create_task(to_idle(scheduler))
    await hands.until_started("A")
    scheduler.load([a_task("NEW", "A", environment="dev"), a_task("B", environment="dev")], never_run)
    assert scheduler.state(k("A")) is S.RUNNING
    with pytest.raises(UnknownTaskError):
        scheduler.state(k("GONE"))
    assert hands.started == ["A"]
    hands.gates["A"].set()
    await running
    assert sorted(hands.started) == ["A", "B", "NEW"]


async def test_a_resumed_task_stays_resumed_when_the_queue_is_loaded_again() -> None:
    hands = Hands()
    task = a_task("A", environment="prod")
    parked = stands(A=Standing(S.HELD, "halted"))
    scheduler = loaded(hands, task, standing=parked)
    await to_idle(scheduler)
    assert hands.started == []
    scheduler.resume(k("A"))
    scheduler.load([task], parked)  # type: ignore[arg-type]
    await to_idle(scheduler)
    assert hands.started == ["A"]


async def test_stopping_cancels_what_runs_and_leaves_it_open() -> None:
    hands = Hands(slow="A")
    scheduler = loaded(hands, a_task("A"), a_task("B", "A"))
    running = asyncio.create_task(scheduler.run(until_idle=False))
    await hands.until_started("A")
    async with asyncio.timeout(5):
        await scheduler.stop()
        await running
    assert scheduler.state(k("A")) is S.HELD
    assert scheduler.reason(k("A")) == "left open when the scheduler stopped"
    assert scheduler.state(k("B")) is S.PENDING


async def test_cancelling_the_scheduler_leaves_no_dispatch_behind() -> None:
    hands = Hands(slow="A")
    scheduler = loaded(hands, a_task("A"))
    running = asyncio.create_task(scheduler.run(until_idle=False))
    await hands.until_started("A")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert scheduler.counts() == {S.HELD: 1}


async def test_cancelling_a_task_fails_it_and_the_rest_goes_on() -> None:
    hands = Hands(slow="A")
    scheduler = loaded(
        hands, a_task("A", environment="dev"), a_task("B", "A"), a_task("C", environment="dev", position=1)
    )
    running = asyncio.create_task(to_idle(scheduler))
    await hands.until_started("A")
    await scheduler.cancel(k("A"))
    await running
    assert scheduler.reason(k("B")) == "blocked by A: cancelled: its run was cancelled"
    assert scheduler.state(k("C")) is S.SUCCEEDED
    await scheduler.cancel(k("C"))


async def test_a_dispatcher_that_catches_its_cancellation_says_how_it_ended() -> None:
    class Careful(Hands):
        async def dispatch(self, task: Task) -> Outcome:
            try:
                return await super().dispatch(task)
            except asyncio.CancelledError:
                return Outcome(S.HELD, "interrupted in a migration")

    hands = Careful(slow="A")
    scheduler = loaded(hands, a_task("A"))
    running = asyncio.create_task(to_idle(scheduler))
    await hands.until_started("A")
    await scheduler.cancel(k("A"))
    await running
    assert (scheduler.state(k("A")), scheduler.reason(k("A"))) == (S.HELD, "interrupted in a migration")


async def test_a_task_cancelled_before_its_first_step_is_accounted_for() -> None:
    hands = Hands()
    cancels: list[asyncio.Task[None]] = []

    def cancel_at_once(key: TaskKey, state: TaskState, _: str) -> None:
        if state is S.RUNNING and not cancels:
            cancels.append(asyncio.ensure_future(scheduler.cancel(key)))

    scheduler = loaded(hands, a_task("A"), on_change=cancel_at_once)
    await to_idle(scheduler)
    await cancels[0]
    assert not scheduler.counts()[S.RUNNING]


async def test_a_running_scheduler_wakes_for_new_tasks_and_decisions() -> None:
    hands = Hands()
    scheduler = loaded(hands, a_task("A"))
    running = asyncio.create_task(scheduler.run(until_idle=False))
    await hands.until_started("A")
    scheduler.load([a_task("A"), a_task("B")], stands(A=Standing(S.SUCCEEDED)))  # type: ignore[arg-type]
    await hands.until_started("B")
    await scheduler.stop()
    await running


async def test_what_the_callback_raises_is_raised_by_run() -> None:
    def fall_over(_: TaskKey, state: TaskState, __: str) -> None:
        if state is S.SUCCEEDED:
            raise RuntimeError("the journal is gone")

    scheduler = loaded(Hands(), a_task("A"), on_change=fall_over)
    with pytest.raises(RuntimeError, match="the journal is gone"):
        await to_idle(scheduler)


async def test_what_a_state_does_not_allow_is_refused_with_a_sentence() -> None:
    scheduler = loaded(Hands({"B": [Outcome(S.PARKED)]}), a_task("A"), a_task("B"))
    await to_idle(scheduler)
    with pytest.raises(SchedulerError, match="no open run"):
        scheduler.resume(k("A"))
    with pytest.raises(SchedulerError, match="still open"):
        scheduler.retry(k("B"))
    with pytest.raises(UnknownTaskError):
        scheduler.retry(k("C"))
    with pytest.raises(ValueError, match="Outcome cannot be running"):
        Outcome(S.RUNNING)
    with pytest.raises(ValueError, match="limit"):
        Scheduler(Hands(), limit=0)
