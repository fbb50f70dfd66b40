"""Measures the scheduler on tasks that do nothing, beside graphlib alone and doit, in the same run.

python benchmarks/scheduler.py [TASKS …]        (default: 1000 10000)

*durable* stands for the same tasks with a journal behind the scheduler: each is a run of one step whose
intent, and then whose outcome, is on disk (synchronous=FULL, events and audit included) before it goes on.
graphlib only sorts: it is the floor. doit is a task runner of the same kind; it runs in a process of its own,
its start not counted, without output and with its database in a temporary folder. It is left out with the
reason printed when it is not installed (`uv sync --group bench`).

Compared is processor time, all threads together, for it says the same on a busy machine; tasks a second by
the clock stand beside it, with what the disk can do. Figures are the best of a few rounds.
"""

from __future__ import annotations

import asyncio
import graphlib
import importlib.util
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Hashable, Iterable
from pathlib import Path
from typing import NamedTuple

from benchmarks.journal import AT_ONCE, JournalWriter, fsync_ms, prepare, writing
from queues.scheduler import Outcome, Scheduler, Standing, TaskState
from queues.tasks import Task, TaskKind, task_key

ROUNDS = 3
LIMIT = AT_ONCE
GOAL = 1500
"""Durable tasks a second."""
DOIT_MAY_TAKE = 20.0
"""Seconds, for all rounds of one row."""

Graph = list[list[int]]


def main() -> None:
    sizes = [int(word) for word in sys.argv[1:]] or [1_000, 10_000]
    has_doit = importlib.util.find_spec("doit") is not None
    print(f"no-op tasks, {LIMIT} at once, best of {ROUNDS}, seconds; Python {sys.version.split()[0]}")
    if not has_doit:
        print("doit is left out: it is not installed here (uv sync --group bench)")
    with tempfile.TemporaryDirectory(prefix="opconsole-bench-") as folder:
        fsync = fsync_ms(Path(folder))
        print(
            f"the disk takes {fsync:.2f} ms for an fsync: {1000 / fsync:,.0f} a second, one after the other"
        )
    print(f"durable: goal {GOAL:,} tasks/s, which is {1000 / GOAL:.2f} s for 1,000 of them")
    print("              processor seconds for 1,000 tasks          tasks a second by the clock")
    print("  tasks graph   graphlib     doit scheduler  durable        doit scheduler   durable")
    for size in sizes:
        for name, shape in SHAPES.items():
            graph = shape(size)
            lane = "the only one" if shape is one_lane else None
            floor = best(lambda graph=graph: sorted_only(graph))
            ours = best(lambda graph=graph, lane=lane: scheduled(graph, Noop(lane)))
            kept = best_of(durable(graph, lane) for _ in range(ROUNDS)) if shape in TRIED_DURABLE else None
            doit, remark = doit_apart(name, size) if has_doit else (None, "")
            used = [f"{cost.cpu / size * 1000:9.4f}" if cost else f"{'-':>9}" for cost in (doit, ours, kept)]
            rate = [f"{size / cost.wall:9,.0f}" if cost else f"{'-':>9}" for cost in (doit, ours, kept)]
            sorting = f"{floor.cpu / size * 1000:9.4f}"
            print(f"{size:7,} {name:8}{sorting}{' '.join(used)}   {' '.join(rate)} {remark}".rstrip())


class Cost(NamedTuple):
    """What something took, in seconds: by the clock, and of the processor in all threads."""

    wall: float
    cpu: float


def chain(size: int) -> Graph:
    return [[i - 1] if i else [] for i in range(size)]


def wide(size: int) -> Graph:
    return [[] for _ in range(size)]


def one_lane(size: int) -> Graph:
    """No dependencies either; the scheduler may run only one at a time (the others know no lanes)."""
    return wide(size)


def a_dag(size: int) -> Graph:
    """Each task waits for up to three earlier ones."""
    dice = random.Random(20_240_501)
    return [sorted({dice.randrange(i) for _ in range(dice.randrange(4))}) if i else [] for i in range(size)]


SHAPES: dict[str, Callable[[int], Graph]] = {
    "chain": chain,
    "wide": wide,
    "one lane": one_lane,
    "random": a_dag,
}


TRIED_DURABLE = (wide, a_dag)
"""One after the other each task waits for the disk twice, which says nothing of group commits."""


def sorted_only(graph: Graph) -> None:
    sorter = graphlib.TopologicalSorter(dict(enumerate(graph)))
    sorter.prepare()
    while sorter.is_active():
        for node in sorter.get_ready():
            sorter.done(node)


class Noop:
    """A dispatcher for which everything succeeds at once."""

    def __init__(self, lane: Hashable | None) -> None:
        self._lane = lane

    def lane(self, _: Task) -> Hashable | None:
        return self._lane

    async def dispatch(self, _: Task) -> Outcome:
        return Outcome(TaskState.SUCCEEDED)


class Durable(Noop):
    """A dispatcher for which everything succeeds, and is on record."""

    def __init__(self, lane: Hashable | None, writer: JournalWriter) -> None:
        super().__init__(lane)
        self._writer = writer

    async def dispatch(self, task: Task) -> Outcome:
        intent, outcome = prepare(task.position, told=True)
        await self._writer.commit(*intent())
        await self._writer.commit(*outcome())
        return Outcome(TaskState.SUCCEEDED)


def durable(graph: Graph, lane: Hashable | None) -> Cost:
    """Give what the graph takes with a fresh journal; making that is not counted."""
    with (
        tempfile.TemporaryDirectory(prefix="opconsole-bench-") as folder,
        writing(Path(folder), "durable") as writer,
    ):
        return cost(lambda: scheduled(graph, Durable(lane, writer)))


def scheduled(graph: Graph, dispatcher: Noop) -> None:
    tasks = [
        Task(
            "p",
            f"T{i}",
            TaskKind.DEPLOYMENT,
            depends_on=tuple(task_key("p", f"T{dep}") for dep in deps),
            position=i,
        )
        for i, deps in enumerate(graph)
    ]

    async def run() -> None:
        scheduler = Scheduler(dispatcher, limit=LIMIT)
        scheduler.load(tasks, lambda _: Standing())
        scheduler.start("p")
        await scheduler.run(until_idle=True)
        assert scheduler.counts() == {TaskState.SUCCEEDED: len(tasks)}

    asyncio.run(run())


def doit_apart(name: str, size: int) -> tuple[Cost | None, str]:
    """Measure doit in a process that can be ended: return what it took, or why there is nothing."""
    command = [sys.executable, __file__, "--doit", name, str(size)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=DOIT_MAY_TAKE, check=False)
    except subprocess.TimeoutExpired:
        return None, f"doit took over {DOIT_MAY_TAKE:.0f} s"
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        return None, f"doit failed: {' '.join(last)[:80]}"
    return Cost(*json.loads(done.stdout)), ""


def measure_doit(name: str, size: int) -> None:
    graph = SHAPES[name](size)
    print(json.dumps(best(lambda: run_doit(graph))))


def run_doit(graph: Graph) -> None:
    from doit.cmd_base import TaskLoader2  # noqa: PLC0415 - may not be installed
    from doit.doit_cmd import DoitMain  # noqa: PLC0415
    from doit.reporter import ZeroReporter  # noqa: PLC0415
    from doit.task import dict_to_task  # noqa: PLC0415

    ran: list[int] = []

    def noop(number: int) -> None:
        ran.append(number)

    with tempfile.TemporaryDirectory() as folder:

        class Loader(TaskLoader2):  # type: ignore[misc,no-any-unimported]
            def setup(self, opt_values: object) -> None:
                pass

            def load_doit_config(self) -> dict[str, object]:
                return {
                    "dep_file": str(Path(folder) / "doit.json"),
                    "backend": "json",
                    "reporter": ZeroReporter,
                    "verbosity": 0,
                }

            def load_tasks(self, cmd: object, pos_args: object) -> list[object]:
                return [
                    dict_to_task(
                        {
                            "name": f"T{i}",
                            "actions": [(noop, [i])],
                            "task_dep": [f"T{dep}" for dep in deps],
                        }
                    )
                    for i, deps in enumerate(graph)
                ]

        status = DoitMain(Loader()).run(["run"])
    assert status == 0, f"doit ended with {status}"
    assert len(ran) == len(graph), f"doit ran {len(ran)} of {len(graph)}"


def best(action: Callable[[], object]) -> Cost:
    return best_of(cost(action) for _ in range(ROUNDS))


def best_of(costs: Iterable[Cost]) -> Cost:
    walls, cpus = zip(*costs, strict=True)
    return Cost(min(walls), min(cpus))


def cost(action: Callable[[], object]) -> Cost:
    wall, cpu = time.perf_counter(), time.process_time()
    action()
    return Cost(time.perf_counter() - wall, time.process_time() - cpu)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--doit"]:
        measure_doit(sys.argv[2], int(sys.argv[3]))
    else:
        main()
