"""Metrics: what is counted of hand-made runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from guardrails.environments import GateKind
from guardrails.families import OTHER_RULES, S3_RULES, Family
from guardrails.rules import all_rules
from opconsole.journal.records import Run
from opconsole.journal.run_lines import BlockingRule, RunLine
from opconsole.metrics import Metrics, measure, spread
from queues.states import RunState

NOW = datetime(2026, 3, 30, 12, tzinfo=UTC)
GATES = {("shop", kind.value): kind for kind in GateKind}


def run(number: int, state: RunState = RunState.SUCCEEDED, **more: Any) -> Run:
    """Give a deployment of one minute that ended so many days before now."""
    end = NOW - timedelta(days=more.pop("ago", 1))
    fields: dict[str, Any] = {
        "project": "shop",
        "task": f"T{number}",
        "kind": "deployment",
        "action": "deploy",
        "environment": "production",
        "version": "1.0.0",
        "attempt": 1,
        "epoch": 1,
        "requested_by": "ana",
        "created_at": end - timedelta(minutes=2),
        "started_at": end - timedelta(minutes=1),
        "finished_at": end if state.final else None,
        "seq": number,
        **more,
    }
    return Run(id=f"r{number}", state=state, **fields)


def line(
    number: int,
    state: RunState = RunState.SUCCEEDED,
    *,
    worked: float | None = 60.0,
    waited: float = 0.0,
    reverted: bool = False,
    migrations: int = 0,
    **more: Any,
) -> RunLine:
    return RunLine(run(number, state, **more), worked, waited, (), reverted, migrations)


def counted(*lines: RunLine, blocking: tuple[BlockingRule, ...] = (), **span: Any) -> Metrics:
    return measure(lines, blocking, GATES, **{"since": None, "until": NOW, **span})


def test_deployments_are_counted_by_how_they_ended() -> None:
    states = [
        *[RunState.SUCCEEDED] * 6,
        RunState.FAILED,
        RunState.ROLLED_BACK,
        RunState.BLOCKED,
        RunState.REJECTED,
        RunState.CANCELLED,
        RunState.RUNNING,  # has not ended: counts nowhere yet
        RunState.HALTED,
    ]
    lines = [line(number, state) for number, state in enumerate(states)]
    found = counted(*lines, line(99, kind="migration", action="migrate")).all.deployments
    assert (found.total, found.succeeded, found.failed) == (11, 6, 2)
    assert (found.blocked, found.rejected, found.cancelled) == (1, 1, 1)
    assert found.success_rate == 0.75


def test_what_a_person_let_stand_after_it_failed_is_no_success() -> None:
    found = counted(line(1, overridden=True), line(2)).all
    assert (found.deployments.succeeded, found.deployments.failed) == (1, 1)
    assert found.working is not None
    assert found.working.count == 1


def test_without_a_deployment_there_is_no_rate_and_no_duration() -> None:
    found = counted().all
    assert found.deployments.total == 0
    assert found.deployments.success_rate is None
    assert (found.working, found.waiting, found.per_week, found.weeks) == (None, None, None, ())


def test_rollbacks_by_the_gates_rule_and_by_a_person_are_told_apart() -> None:
    found = counted(
        line(1, RunState.ROLLED_BACK),
        line(2, RunState.ROLLED_BACK),
        line(3, RunState.ROLLED_BACK, reverted=True),
        line(4, kind="rollback", action="rollback"),
        line(5, RunState.FAILED, kind="rollback", action="rollback"),
    ).all
    assert (found.automatic_rollbacks, found.manual_rollbacks) == (2, 2)


def test_migrations_are_counted_whatever_task_ran_them() -> None:
    found = counted(line(1, migrations=2), line(2, migrations=3, kind="migration", action="migrate"))
    assert found.all.migrations == 5


def test_violations_are_counted_by_what_they_are_about() -> None:
    found = counted(
        line(1, RunState.BLOCKED),
        line(2, RunState.BLOCKED, environment="staging"),
        blocking=(
            BlockingRule("r1", "drop-table", 2),
            BlockingRule("r1", "delete-bucket", 1),
            BlockingRule("r2", "several-heads", 1),
            BlockingRule("elsewhere", "truncate", 9),
        ),
    )
    assert found.all.blocked == {Family.SQL: 2, Family.S3: 1, Family.OTHER: 1}
    assert [(one.environment, one.blocked[Family.SQL]) for one in found.places] == [
        ("staging", 0),
        ("production", 2),
    ]


def test_every_rule_that_has_a_family_of_its_own_exists() -> None:
    assert {rule.name for rule in all_rules()} >= S3_RULES | OTHER_RULES
    assert not S3_RULES & OTHER_RULES


def test_durations_are_the_time_at_work_and_the_wait_is_told_apart() -> None:
    lines = [line(n, worked=float(n), waited=3600.0 if n == 10 else 0.0) for n in range(1, 11)]
    found = counted(*lines, line(11, RunState.FAILED, worked=9999.0)).all
    assert found.working is not None
    assert (found.working.median, found.working.p90, found.working.sum, found.working.count) == (
        5.0,
        9.0,
        55.0,
        10,
    )
    assert found.waiting is not None
    assert (found.waiting.count, found.waiting.median) == (1, 3600.0)


@given(st.lists(st.floats(min_value=0, max_value=1e7), min_size=1))
def test_a_median_and_a_decile_are_durations_that_occurred(seconds: list[float]) -> None:
    found = spread(seconds)
    assert found is not None
    assert {found.median, found.p90} <= set(seconds)
    assert sum(one <= found.p90 for one in seconds) >= 0.9 * len(seconds)
    assert sum(one <= found.median for one in seconds) >= len(seconds) / 2


def test_deployments_a_week_are_counted_over_the_span() -> None:
    lines = [line(1, ago=0.5), line(2, ago=1), line(3, ago=8), line(4, ago=27)]
    found = counted(*lines, since=NOW - timedelta(days=28)).all
    assert found.weeks == (1, 0, 1, 2)
    assert found.per_week == 1.0


def test_a_first_day_is_not_taken_for_a_whole_week_of_such_days() -> None:
    assert counted(line(1, ago=0.1), line(2, ago=0.2)).all.per_week == 2.0


def test_lead_time_is_from_the_first_success_in_development_to_that_in_production() -> None:
    found = counted(
        line(1, environment="development", ago=10),
        line(2, environment="development", ago=5),
        line(3, RunState.FAILED, ago=4),
        line(4, ago=3),
        line(5, ago=1),
        line(6, ago=1, version="9.9.9"),  # never was in development
    )
    assert found.lead["shop"].median == timedelta(days=7).total_seconds()
    assert found.lead["shop"].count == 1


def test_environments_come_in_the_order_of_their_gates() -> None:
    names = ("staging", "gone", "production", "development")
    found = counted(*(line(n, environment=name) for n, name in enumerate(names)))
    assert [one.environment for one in found.places] == ["development", "staging", "production", "gone"]
