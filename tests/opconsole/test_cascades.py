"""A cascade's report says what ran, what did not and why, in the order of its dependencies."""

from __future__ import annotations

from opconsole.cascades import Came, cascade_of, lines_of, stopped, tell
from opconsole.views import TaskView


def task(name: str, state: str, *after: str, ran: bool = True, reason: str = "", **more: object) -> TaskView:
    fields: dict[str, object] = {
        "project": "shop",
        "kind": "deployment",
        "description": "",
        "environment": "staging",
        "version": "1.0",
        "waits_for": "",
        "gate": "staging",
        "priority": 2,
        "attempt": 1,
        "unverified": False,
        "started_at": None,
        "finished_at": None,
        **more,
    }
    depends_on = tuple(f"shop:{one}" for one in after)
    run = f"r-{name}" if ran else None
    return TaskView(task=name, state=state, depends_on=depends_on, run=run, reason=reason, **fields)  # type: ignore[arg-type]


QUEUE = (
    task("PROD", "blocked", "STAGING", ran=False),
    task("STAGING", "rolled_back", "DEV", reason="smoke tests failed"),
    task("DEV", "succeeded"),
    task("LATER", "blocked", "PROD", ran=False),
    task("OTHER", "succeeded"),
)


def test_a_cascade_is_what_depends_on_each_other_in_that_order() -> None:
    assert [one.task for one in cascade_of("shop:PROD", QUEUE)] == ["DEV", "STAGING", "PROD", "LATER"]
    assert [one.task for one in cascade_of("shop:OTHER", QUEUE)] == ["OTHER"]
    assert cascade_of("shop:NONE", QUEUE) == ()


def test_what_did_not_run_names_the_first_failure_however_far_away() -> None:
    told = tell(cascade_of("shop:DEV", QUEUE))
    assert [(one.task.task, one.came, one.why) for one in told] == [
        ("DEV", Came.SUCCEEDED, ""),
        ("STAGING", Came.STOPPED, "smoke tests failed"),
        ("PROD", Came.NOT_RUN, "STAGING rolled back"),
        ("LATER", Came.NOT_RUN, "STAGING rolled back"),
    ]
    halt = stopped(told)
    assert halt is not None
    assert halt.task.task == "STAGING"


def test_what_waits_stops_nothing_and_is_named_by_what_stands_behind_it() -> None:
    queue = (
        task("A", "waiting", reason="first time in staging"),
        task("B", "pending", "A", ran=False),
    )
    told = tell(cascade_of("shop:A", queue))
    assert [(one.came, one.why) for one in told] == [
        (Came.WAITING, "first time in staging"),
        (Came.NOT_RUN, "A is waiting"),
    ]
    assert stopped(told) is None


def test_a_circle_is_told_in_the_order_of_the_queue() -> None:
    queue = (task("A", "blocked", "B", ran=False), task("B", "blocked", "A", ran=False))
    assert [one.task for one in cascade_of("shop:B", queue)] == ["A", "B"]


def test_a_long_cascade_is_cut_and_counted() -> None:
    queue = [task("T0", "failed")]
    queue += [task(f"T{n}", "blocked", f"T{n - 1}", ran=False) for n in range(1, 30)]
    rows = list(lines_of(tell(cascade_of("shop:T0", queue))))
    assert rows[0] == ("✗", "T0", "staging", "failed")
    assert rows[-1][1] == "and 10 more"
