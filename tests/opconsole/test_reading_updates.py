"""Views that are kept up to date are those that would be made anew, and only what changed is made again."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.environments import STANDARD
from opconsole.journal.records import Approval, ApprovalState, Purpose, Run
from opconsole.task_list import TaskList
from opconsole.task_views import Present, TaskViews, graph_of
from opconsole.views import TaskView
from queues.queue_file import QueueFile, parse_queue
from queues.states import RunState

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
GATES = {"shop": STANDARD, "till": STANDARD}
ENVIRONMENTS = ("development", "staging", "production")
NAMES = [f"T{number}" for number in range(8)]
GONE = "GONE"
UNUSABLE = "UNUSABLE"


def queue(project: str, entries: list[dict[str, object]]) -> QueueFile:
    text = json.dumps({"project": project, "features": entries})
    return parse_queue(text.encode(), name=f"work_queue_{project}.json")


def entry(name: str, environment: str = "development", **more: object) -> dict[str, object]:
    return {"id": name, "agent_type": "deployment", "environment": environment, "version": "1.0", **more}


def run_of(task: str, environment: str, state: RunState, seq: int, attempt: int) -> Run:
    """Give a run of ``project:ID``."""
    project, _, task = task.partition(":")
    return Run(
        id=f"r-{seq}",
        project=project,
        task=task,
        kind="deployment",
        action="deploy",
        environment=environment,
        version="1.0",
        attempt=attempt,
        state=state,
        epoch=1,
        requested_by="ana",
        created_at=NOW,
        seq=seq,
        reason="because" if state is RunState.FAILED else "",
        finished_at=NOW if state.final else None,
    )


@st.composite
def files_of(draw: st.DrawFn) -> Mapping[str, QueueFile]:
    files = {}
    for project in ("shop", "till"):
        names = [*NAMES, "shop:T0", "shop:UNKNOWN", "till:T1", UNUSABLE]
        entries = [
            entry(
                name,
                draw(st.sampled_from(ENVIRONMENTS)),
                depends_on=[one for one in draw(st.lists(st.sampled_from(names), max_size=4)) if one != name],
                status=draw(st.sampled_from(["pending", "pending", "pending", "complete", "parked"])),
                agent_type=draw(st.sampled_from(["deployment", "deployment", "deployment", "bugfix"])),
            )
            for name in NAMES
        ]
        files[project] = queue(project, [*entries, entry(UNUSABLE, "nowhere")])
    return files


Step = tuple[str, str, str, RunState, bool, frozenset[str], Purpose | None]
steps = st.lists(
    st.tuples(
        st.sampled_from(["shop", "till"]),
        st.sampled_from([*NAMES, GONE, UNUSABLE]),
        st.sampled_from(ENVIRONMENTS),
        st.sampled_from(list(RunState)),
        st.booleans(),  # the worker is alive
        st.sampled_from([frozenset[str](), frozenset({"shop"}), frozenset({"shop", "till"})]),
        st.sampled_from([None, Purpose.GO_AHEAD, Purpose.REVERT]),
    ),
    min_size=1,
    max_size=15,
)


@settings(max_examples=150, deadline=None)
@given(
    files=files_of(), history=steps, looked=st.frozensets(st.integers(0, 24)) | st.just(frozenset(range(25)))
)
def test_views_kept_up_to_date_are_those_made_anew_whichever_were_looked_at_before(
    files: Mapping[str, QueueFile], history: list[Step], looked: frozenset[int]
) -> None:
    graph = graph_of(files)
    kept = TaskViews(files, GATES, graph, [], Present())
    newest: dict[tuple[str, str], Run] = {}
    for seq, (project, task, environment, state, alive, started, purpose) in enumerate(history, 1):
        last = newest.get((project, task))
        if last is not None and not last.state.final:
            run = replace(last, state=state, finished_at=NOW if state.final else None)
        else:
            run = run_of(f"{project}:{task}", environment, state, seq, last.attempt + 1 if last else 1)
        newest[project, task] = run
        waiting = [one for one in newest.values() if one.state is RunState.WAITING]
        asked = [approval(one, purpose) for one in waiting] if purpose else []
        present = Present({one.run: one for one in asked}, started, alive)
        in_order = sorted(newest.values(), key=lambda one: one.seq)
        places = [place for place in looked if place < len(kept.tasks)]
        before = {view.key: view for view in (kept.tasks[place] for place in places)}
        kept.update([one for one in in_order if one is run or not one.state.final], present)
        anew = TaskViews(files, GATES, graph, in_order, present)
        places = [place for place in looked if place < len(kept.tasks)]
        assert [kept.tasks[place] for place in places] == [anew.tasks[place] for place in places]
        assert {one.id for one in kept.open_runs} == {one.id for one in anew.open_runs}
        assert sorted(kept.ended_badly) == sorted(anew.ended_badly)
        same = [view for view in map(kept.tasks.__getitem__, places) if before.get(view.key) == view]
        assert all(before[view.key] is view for view in same)
    assert kept.tasks == anew.tasks


def test_a_view_is_made_when_somebody_looks_at_it_and_then_stays() -> None:
    files = {"shop": queue("shop", [entry(f"X{number}") for number in range(5)])}
    views = TaskViews(files, GATES, graph_of(files), [], Present())
    made: list[int] = []

    def make(slot: int) -> TaskView:
        made.append(slot)
        return views.tasks[slot]

    tasks = TaskList([None] * 5, make)
    assert tasks[-1] is tasks[4]
    assert [view.task for view in tasks[1:3]] == ["X1", "X2"]
    assert made == [4, 1, 2]
    tasks.complete()
    assert sorted(made) == [0, 1, 2, 3, 4]
    assert tasks == views.tasks
    assert tasks == tuple(views.tasks)
    assert tasks != views.tasks[1:]


def test_what_is_looked_at_while_an_update_is_under_way_is_not_kept_for_the_time_after_it() -> None:
    files = {"shop": queue("shop", [entry("A"), entry("B", depends_on=["A"])])}
    kept = TaskViews(files, GATES, graph_of(files), [], Present())
    before, during = kept.tasks, []

    def changed() -> Iterator[Run]:
        during.append(before[1].waits_for)
        yield run_of("shop:A", "development", RunState.SUCCEEDED, 1, 1)

    kept.update(changed(), Present(started=frozenset({"shop"})))
    assert during == ["A"]
    assert kept.tasks[1].waits_for == "a worker"


def test_many_threads_may_look_while_views_are_kept_up_to_date() -> None:
    names = [f"X{number}" for number in range(300)]
    files = {"shop": queue("shop", [entry(name) for name in names])}
    kept = TaskViews(files, GATES, graph_of(files), [], Present())
    with ThreadPoolExecutor(4) as pool:
        for seq, name in enumerate(names[:60], 1):
            looking = [pool.submit(list, kept.tasks) for _ in range(4)]
            present = Present(started=frozenset({"shop"}), worker_alive=bool(seq % 2))
            kept.update([run_of(f"shop:{name}", "development", RunState.FAILED, seq, 1)], present)
            assert all(len(one.result()) == len(names) for one in looking)
    runs = [
        run_of(f"shop:{name}", "development", RunState.FAILED, n, 1) for n, name in enumerate(names[:60], 1)
    ]
    assert kept.tasks == TaskViews(files, GATES, graph_of(files), runs, present).tasks


def approval(run: Run, purpose: Purpose) -> Approval:
    return Approval(f"a-{run.id}", run.id, purpose, "sha256:00", {}, 1, (), ApprovalState.WAITING, NOW, "ana")


def test_a_run_that_moves_on_makes_its_own_view_anew_and_those_of_whom_it_concerns() -> None:
    chain = [entry("A"), entry("B", "staging", depends_on=["A"]), entry("C", "production", depends_on=["B"])]
    others = [entry(f"X{number}", "staging") for number in range(50)]
    files = {"shop": queue("shop", [*chain, *others])}
    present = Present(started=frozenset({"shop"}), worker_alive=True)
    kept = TaskViews(files, GATES, graph_of(files), [], present)
    first = tuple(kept.tasks)
    kept.update([run_of("shop:A", "development", RunState.SUCCEEDED, 1, 1)], present)
    assert changed(first, kept.tasks) == ["A", "B"]
    second = tuple(kept.tasks)
    kept.update([run_of("shop:B", "staging", RunState.FAILED, 2, 1)], present)
    assert changed(second, kept.tasks) == ["B", "C"]
    third = kept.tasks
    kept.update([run_of("shop:B", "staging", RunState.FAILED, 2, 1)], present)
    assert kept.tasks is third


def test_an_earlier_attempt_says_nothing_any_more() -> None:
    files = {"shop": queue("shop", [entry("A")])}
    kept = TaskViews(files, GATES, graph_of(files), [], Present())
    kept.update([run_of("shop:A", "development", RunState.SUCCEEDED, 2, 2)], Present())
    kept.update([run_of("shop:A", "development", RunState.FAILED, 1, 1)], Present())
    assert kept.tasks[0].state == "succeeded"


def changed(before: Sequence[TaskView], after: Sequence[TaskView]) -> list[str]:
    return [new.task for old, new in zip(before, after, strict=True) if old is not new]


def test_reading_a_workspace_loads_neither_scanners_nor_alembic_nor_screens() -> None:
    listed = "import sys, opconsole.reading; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", listed], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "opconsole.reading" in loaded
    heavy = (
        "guardrails.check",
        "guardrails.scan",
        "guardrails.sql",
        "guardrails.s3",
        "alembic",
        "sqlglot",
        "textual",
    )
    assert [name for name in loaded if name.startswith(heavy)] == []


def test_what_is_behind_a_run_that_halted_or_goes_back_says_so() -> None:
    entries = [entry("BROKEN", "production"), entry("NEXT", "production"), entry("AGAIN", "production")]
    files = {"shop": queue("shop", entries)}
    present = Present(started=frozenset({"shop"}), worker_alive=True)
    halted = run_of("shop:BROKEN", "production", RunState.HALTED, 1, 1)
    again = run_of("shop:AGAIN", "production", RunState.PENDING, 2, 1)
    kept = TaskViews(files, GATES, graph_of(files), [halted, again], present)
    behind = "BROKEN in production (halted: decide it first)"
    assert [view.waits_for for view in kept.tasks][1:] == [behind, behind]
    asked = replace(halted, state=RunState.WAITING)
    going_back = replace(present, approvals={asked.id: approval(asked, Purpose.REVERT)})
    kept.update([asked, again], going_back)
    behind = "BROKEN in production (its rollback waits for approval)"
    assert [view.waits_for for view in kept.tasks][1:] == [behind, behind]


def test_a_run_of_an_unusable_entry_never_waits_for_itself() -> None:
    files = {"shop": queue("shop", [entry(UNUSABLE, "nowhere")])}
    present = Present(started=frozenset({"shop"}), worker_alive=True)
    stuck = run_of(f"shop:{UNUSABLE}", "development", RunState.INTERRUPTED, 1, 1)
    kept = TaskViews(files, GATES, graph_of(files), [stuck], present)
    kept.update([replace(stuck, state=RunState.WAITING)], present)
    assert kept.tasks[0].waits_for == "approved; a free slot"
