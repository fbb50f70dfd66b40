"""The dependency view: one place for each task, what waits for what and why, and the way that decides."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opconsole.views import TaskView
from screens.dependencies import DependenciesScreen, TreeTable
from screens.dependency_tree import RowKind, plant
from screens.widgets.virtual_table import VirtualTable

KINDS: dict[tuple[str, str, str], float] = {}


def task(name: str, *after: str, **changes: Any) -> TaskView:
    given_: dict[str, Any] = {
        "project": "shop",
        "task": name,
        "kind": "deployment",
        "description": "",
        "environment": "staging",
        "version": "1.0.0",
        "state": "pending",
        "reason": "",
        "waits_for": ", ".join(after),
        "gate": "staging",
        "depends_on": tuple(f"shop:{one}" for one in after),
        "priority": 2,
        "run": None,
        "attempt": 0,
        "unverified": False,
        "started_at": None,
        "finished_at": None,
    }
    return TaskView(**{**given_, **changes})


def drawn(*tasks: TaskView, durations: dict[tuple[str, str, str], float] = KINDS) -> list[str]:
    signs = {RowKind.TASK: "", RowKind.AGAIN: "⤷ ", RowKind.MISSING: "? ", RowKind.CYCLE: "! "}
    return [
        "  " * row.depth + signs[row.kind] + row.task.replace("shop:", "") + (" *" if row.critical else "")
        for row in plant(tasks, durations).rows
    ]


def test_a_chain_reads_as_a_list_and_a_fork_as_a_tree() -> None:
    assert drawn(task("A"), task("B", "A"), task("C", "B"), task("D", "C"), task("E", "C")) == [
        "A *", "B *", "C *", "  D *", "  E",
    ]  # fmt: skip


def test_a_task_stands_beneath_what_it_waits_for_longest_and_the_others_point_at_it() -> None:
    durations = {("shop", "staging", "deployment"): 10.0, ("shop", "production", "deployment"): 600.0}
    slow = task("SLOW", environment="production")
    assert drawn(task("FAST"), slow, task("END", "FAST", "SLOW"), durations=durations) == [
        "SLOW *", "END *", "FAST", "  ⤷ END",
    ]  # fmt: skip
    tree = plant([task("FAST"), slow, task("END", "FAST", "SLOW")], durations)
    assert tree.critical == ("shop:SLOW", "shop:END")
    assert tree.seconds == 610


def test_what_is_done_takes_no_time_any_more() -> None:
    done = task("LONG", environment="production", state="succeeded")
    durations = {("shop", "staging", "deployment"): 10.0, ("shop", "production", "deployment"): 600.0}
    tree = plant([done, task("A"), task("END", "LONG", "A")], durations)
    assert tree.critical == ("shop:A", "shop:END")
    assert tree.seconds == 20
    assert plant([done], durations).critical == ()


def test_cycles_come_first_and_what_is_behind_them_stands_beneath() -> None:
    assert drawn(task("A", "B"), task("B", "A"), task("C", "B"), task("FINE")) == [
        "! A → B → A", "  A", "    ⤷ B", "  B", "    C", "    ⤷ A", "FINE",
    ]  # fmt: skip


def test_an_unknown_id_is_shown_where_it_is_waited_for() -> None:
    assert drawn(task("A", "GONE"), task("B", "A")) == ["A", "  ? GONE", "B"]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sets(st.integers(0, 12), max_size=4), max_size=12))
def test_every_task_stands_exactly_once_and_every_edge_is_shown(edges: list[set[int]]) -> None:
    tasks = [task(f"T{n}", *(f"T{one}" for one in before)) for n, before in enumerate(edges)]
    tree = plant(tasks, {})
    own = [row.task for row in tree.rows if row.kind is RowKind.TASK]
    assert sorted(own) == sorted(one.key for one in tasks)
    assert len({row.key for row in tree.rows}) == len(tree.rows)
    assert all(row.parent < place for place, row in enumerate(tree.rows))
    shown = {
        (tree.rows[row.parent].task, row.task)
        for row in tree.rows
        if row.parent >= 0 and row.kind is not RowKind.MISSING and tree.rows[row.parent].kind is RowKind.TASK
    }
    known = {one.key for one in tasks}
    wanted = {(before, one.key) for one in tasks for before in one.depends_on if before in known}
    assert shown == wanted


def test_ten_thousand_tasks_are_a_tree_at_once() -> None:
    tasks = [
        task(f"T{n}", *([f"T{n - 1}"] if n % 7 else []), *([f"T{n // 2}"] if n % 5 == 1 else []))
        for n in range(10_000)
    ]
    chain = [task(f"C{n}", *([f"C{n - 1}"] if n else [])) for n in range(10_000)]
    for many in (tasks, chain):
        began = time.process_time()
        tree = plant(many, {})
        assert time.process_time() - began < 5
        assert len(tree.places) == 10_000
    assert max(row.depth for row in plant(chain, {}).rows) == 0


@pytest.fixture
def cascade(console: Any) -> Any:
    console.tasks = (
        task("DEV", state="succeeded"),
        task("STAGING", "DEV", state="running", environment="staging"),
        task("OTHER", state="ready", waits_for=""),
        task("PROD", "STAGING", "OTHER", environment="production", waits_for="STAGING, OTHER"),
        task("AFTER", "PROD"),
        task("ALONE"),
        task("X", "Y", reason="is part of a cycle"),
        task("Y", "X"),
    )
    console.runs.clear()
    console.known = {("shop", "staging", "deployment"): 30.0, ("shop", "production", "deployment"): 90.0}
    return console


async def opened(pilot: Any, until: Any, select: str = "") -> Any:
    app = pilot.app
    await until(pilot, lambda: app.operations.is_mounted and app.operations.table.selected)
    if select:
        app.operations.table.select(select)
    await pilot.press("x")
    await until(pilot, lambda: isinstance(app.screen, DependenciesScreen) and app.screen.query(TreeTable))
    await until(pilot, lambda: app.screen.table.selected)
    return app.screen


def shown(screen: Any) -> str:
    table = screen.query_one(VirtualTable)
    return "\n".join(table.render_line(y).text for y in range(table.size.height))


async def test_x_shows_the_tree_at_the_selected_task_and_enter_goes_to_a_task(
    cascade: Any, make_app: Any, until: Any
) -> None:
    app = make_app(cascade)
    async with app.run_test(size=(140, 40)) as pilot:
        screen = await opened(pilot, until, "shop:PROD")
        await until(pilot, lambda: screen.table.selected.task == "shop:PROD")
        text = shown(screen)
        assert "✗ cycle: shop:X → shop:Y → shop:X" in text
        assert "═ PROD" in text or "═ shop:PROD" in text
        edges = str(screen.query_one("#edges").content)
        assert "waits for  ▶" in edges
        assert "STAGING" in edges
        assert "before" in edges
        await pilot.press("right")
        assert screen.table.selected.task == "shop:AFTER"
        await pilot.press("left", "left")
        assert screen.table.selected.task == "shop:STAGING", "what is not done first"
        await pilot.press("c", "c")
        assert screen.table.selected.task == "shop:AFTER"
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is app.operations)
        assert app.operations.table.selected_key == "shop:AFTER"


async def test_only_what_is_connected_is_shown_on_demand_and_esc_goes_back(
    cascade: Any, make_app: Any, until: Any
) -> None:
    app = make_app(cascade)
    async with app.run_test(size=(140, 40)) as pilot:
        screen = await opened(pilot, until, "shop:PROD")
        assert "ALONE" in shown(screen)
        await pilot.press("A")
        await until(pilot, lambda: "ALONE" not in shown(screen))
        assert "DEV" in shown(screen)
        await pilot.press("escape")
        await until(pilot, lambda: "ALONE" in shown(screen))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.operations)


async def test_a_change_of_the_queue_is_shown_and_the_selection_stays(
    cascade: Any, make_app: Any, until: Any
) -> None:
    app = make_app(cascade)
    async with app.run_test(size=(140, 40)) as pilot:
        screen = await opened(pilot, until, "shop:AFTER")
        await until(pilot, lambda: screen.table.selected.task == "shop:AFTER")
        cascade.tasks = (task("FIRST"), *cascade.tasks)
        cascade.change()
        await until(pilot, lambda: "FIRST" in shown(screen))
        assert screen.table.selected.task == "shop:AFTER"


@pytest.mark.parametrize("size", [pytest.param((140, 40), id="wide"), pytest.param((80, 24), id="small")])
@pytest.mark.parametrize("theme", ["textual-dark", "high-contrast"])
def test_the_tree_looks_as_it_did(
    cascade: Any, make_app: Any, until: Any, snap_compare: Any, *, size: tuple[int, int], theme: str
) -> None:
    async def show(pilot: Any) -> None:
        pilot.app.theme = theme
        screen = await opened(pilot, until, "shop:PROD")
        await until(pilot, lambda: screen.table.selected.task == "shop:PROD")
        await pilot.pause(0.1)

    assert snap_compare(make_app(cascade), terminal_size=size, run_before=show)


async def test_an_empty_queue_says_so(console: Any, make_app: Any, until: Any) -> None:
    console.tasks = ()
    app = make_app(console)
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: app.operations.is_mounted and console.shown)
        await pilot.press("x")
        await until(pilot, lambda: isinstance(app.screen, DependenciesScreen) and app.screen.is_mounted)
        await until(pilot, lambda: "no task yet" in str(app.screen.query_one("#tree-empty").content))
