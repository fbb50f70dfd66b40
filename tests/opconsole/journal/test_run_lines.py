"""Lines of runs: what the database sums up of them, and the metrics that are made of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from guardrails.environments import GateKind
from guardrails.families import Family
from opconsole.journal import ops
from opconsole.journal.deciding_ops import insert_vote
from opconsole.journal.reader import JournalReader
from opconsole.journal.records import (
    Approval,
    ApprovalState,
    Phase,
    Purpose,
    Run,
    StepRow,
    StepState,
    VoteRow,
)
from opconsole.journal.run_lines import Decided, RunLines, Span
from opconsole.journal.writer import JournalWriter
from opconsole.metrics import figures
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


@pytest.fixture
def keep(writer: JournalWriter) -> Callable[..., None]:
    def keep(run: Run, *steps: tuple[str, float], approvals: tuple[Approval, ...] = ()) -> None:
        writer.commit_sync(ops.insert_run(run))
        start = run.started_at or run.created_at
        for position, (name, seconds) in enumerate(steps):
            row = StepRow(run.id, position, Phase.EFFECT, name, name, "repeatable", StepState.PENDING)
            end = start + timedelta(seconds=seconds)
            writer.commit_sync(
                ops.plan_step(row),
                ops.start_step(run.id, position, start),
                ops.end_step(run.id, position, StepState.SUCCEEDED, end),
            )
            start = end
        for one in approvals:
            asked = replace(one, state=ApprovalState.WAITING)
            writer.commit_sync(ops.insert_approval(asked))
            if one.decided_at is not None:
                answer = one.state, one.decided_at, one.decided_by or "", "as said"
                writer.commit_sync(ops.decide_approval(asked, *answer))
        writer.commit_sync(ops.update_run(run.id, 1, plan=run.plan, report=run.report))
        if run.finished_at is not None:
            writer.commit_sync(ops.update_run(run.id, 1, finished_at=run.finished_at))

    return keep


def approval(run: Run, name: str, state: ApprovalState, seconds: float | None, **more: Any) -> Approval:
    asked = run.started_at or run.created_at
    return Approval(
        id=name,
        run=run.id,
        purpose=more.pop("purpose", Purpose.GO_AHEAD),
        digest="sha256:1",
        plan={},
        tier=2,
        why=(),
        state=state,
        requested_at=asked,
        requested_by="ana",
        decided_at=None if seconds is None else asked + timedelta(seconds=seconds),
        decided_by=None if seconds is None else more.pop("by", "bo"),
        **more,
    )


def test_a_line_has_the_times_at_work_and_of_waiting_and_who_decided(
    keep: Callable[..., None], reader: JournalReader
) -> None:
    one = run(1, plan={"migrations": {"files": [{"revision": "a"}, {"revision": "b"}]}})
    yes = approval(one, "a1", ApprovalState.APPROVED, 600.5)
    void = approval(one, "a2", ApprovalState.VOID, 10)
    keep(one, ("place", 1.25), ("migrate", 2.5), approvals=(yes, void))
    keep(run(2, plan={"migrations": {"files": [{"revision": "a"}]}}), ("place", 1.0))
    keep(run(3, RunState.WAITING, ago=0), approvals=(approval(run(3), "a3", ApprovalState.WAITING, None),))
    (page,) = RunLines(reader.engine).newest(10)
    third, second, first = page
    assert (first.worked, first.waited, first.deciders, first.migrations) == (3.75, 610.5, ("bo",), 2)
    assert (second.worked, second.waited, second.migrations) == (1.0, 0.0, 0), "no migration was run"
    assert (third.worked, third.waited) == (None, 0.0)
    assert first.run.plan is None, "what is heavy stays where it is"


def test_a_line_names_each_vote_that_counts_with_its_proof_and_none_of_what_was_void(
    keep: Callable[..., None], reader: JournalReader, writer: JournalWriter
) -> None:
    one = run(1)
    void, yes = approval(one, "a1", ApprovalState.VOID, 10), approval(one, "a2", ApprovalState.APPROVED, 90)
    keep(one, approvals=(void, yes))
    old = run(2)
    keep(old, approvals=(approval(old, "a3", ApprovalState.REJECTED, 5, by="bo"),))
    at = yes.requested_at + timedelta(seconds=60)
    for approved, by, verified in (("a1", "eve", True), ("a2", "ada", True), ("a2", "cid", False)):
        writer.commit_sync(insert_vote(VoteRow(approved, by, by, at, "approve", "", verified=verified)))
    [[second, first]] = RunLines(reader.engine).newest(10)
    assert first.decisions == (
        Decided("ada", at, "approve", "go-ahead", verified=True),
        Decided("cid", at, "approve", "go-ahead", verified=False),
    )
    assert [(who.by, who.verdict, who.verified) for who in second.decisions] == [("bo", "reject", False)]


def test_a_decided_revert_is_known_from_its_approval(
    keep: Callable[..., None], reader: JournalReader
) -> None:
    one, two = run(1, RunState.ROLLED_BACK), run(2, RunState.ROLLED_BACK)
    keep(one, approvals=(approval(one, "a1", ApprovalState.APPROVED, 5, purpose=Purpose.REVERT),))
    keep(two)
    found = figures(RunLines(reader.engine), GATES, now=NOW)
    assert (found.all.automatic_rollbacks, found.all.manual_rollbacks) == (1, 1)


def test_the_findings_that_blocked_are_counted_in_the_reports(
    keep: Callable[..., None], reader: JournalReader
) -> None:
    def report(*findings: tuple[str, str]) -> dict[str, object]:
        return {"files": [{"findings": [{"rule": rule, "verdict": verdict} for rule, verdict in findings]}]}

    keep(run(1, RunState.BLOCKED, report=report(("drop-table", "block"), ("truncate", "warn"))))
    keep(run(2, RunState.BLOCKED, report=report(("delete-bucket", "block"), ("delete-bucket", "block"))))
    keep(run(3, RunState.BLOCKED, report=None))  # by a dependency
    keep(run(4, report=report(("drop-table", "exempt"))))
    found = figures(RunLines(reader.engine), GATES, now=NOW)
    assert found.all.blocked == {Family.SQL: 1, Family.S3: 2, Family.OTHER: 0}


def test_only_runs_that_ended_in_the_span_count(keep: Callable[..., None], reader: JournalReader) -> None:
    keep(run(1, ago=40))
    keep(run(2, ago=20))
    keep(run(3, ago=20, environment="staging"))
    keep(run(4, ago=20, project="other"))
    since = NOW - timedelta(days=30)
    lines = RunLines(reader.engine)
    assert figures(lines, GATES, now=NOW, since=since).all.deployments.total == 3
    shop = figures(lines, GATES, now=NOW, since=since, project="shop", environment="staging")
    assert shop.all.deployments.total == 1


def test_pages_hold_every_run_once(
    keep: Callable[..., None], reader: JournalReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opconsole.journal.run_lines.AT_ONCE", 3)
    for number in range(1, 8):
        keep(run(number))
    pages = list(RunLines(reader.engine).newest(100, span=Span(project="shop")))
    assert [len(page) for page in pages] == [3, 3, 1]
    assert [one.run.id for page in pages for one in page] == [f"r{number}" for number in range(7, 0, -1)]
    assert sum(len(page) for page in RunLines(reader.engine).newest(4)) == 4
