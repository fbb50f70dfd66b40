"""Deciding by commands: what is missing is usage, what is decided already no fault; what follows is said."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from opconsole.cli import decide
from opconsole.journal import ops
from opconsole.journal.records import ApprovalState, ReleaseRow, Run
from queues.states import RunState


def waiting(desk: Any, environment: str = "production", **more: Any) -> Run:
    run: Run = desk.run("DEPLOY-PROD", environment, RunState.WAITING)
    desk.approval(run, **more)
    return run


def released(desk: Any, version: str, *, current: bool, environment: str = "production") -> None:
    run = desk.run(f"OLD-{version}", environment, RunState.SUCCEEDED)
    release = ReleaseRow(
        project="shop",
        environment=environment,
        name=f"{version}-1",
        version=version,
        commit_id="c" * 40,
        source_digest=desk.digest,
        artifact_digest=desk.digest,
        migrations_path=None,
        revision=None,
        run=run.id,
        placed_at=desk.now,
        placed_by="ana",
        current=current,
    )
    desk.write(ops.insert_release(release))


def test_without_a_terminal_the_plan_is_shown_and_nothing_is_asked(desk: Any) -> None:
    waiting(desk)
    answered = desk.give("approve", "DEPLOY-PROD")
    assert answered.status == 2
    assert "[Y/N]" not in answered.out + answered.err
    assert f"Plan: {desk.digest}" in answered.out
    assert "also needs --plan DIGEST and --reason TEXT and --environment NAME" in answered.err
    assert f"approve DEPLOY-PROD --plan {desk.digest} --reason … --environment production" in answered.err


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--reason", "so", "--environment", "prod"], "allowed: production"),
        (["--reason", " ", "--environment", "production"], "--reason TEXT"),
        (["--environment", "production"], "--reason TEXT"),
    ],
)
def test_what_is_missing_or_typed_wrongly_is_usage(desk: Any, options: list[str], named: str) -> None:
    waiting(desk)
    answered = desk.give("approve", "DEPLOY-PROD", "--plan", desk.digest, *options)
    assert answered.status == 2
    assert named in answered.err


@pytest.mark.parametrize(("plan", "status"), [("abab", 2), ("no digest", 2), ("c" * 64, 1)])
def test_a_digest_that_is_none_is_usage_and_another_plan_s_is_refused(
    desk: Any, plan: str, status: int
) -> None:
    waiting(desk)
    options = ["--plan", plan, "--reason", "so", "--environment", "production"]
    assert desk.give("approve", "DEPLOY-PROD", *options).status == status


@pytest.mark.parametrize("line", [["reject"], ["verify"], ["decide", "abort"]])
def test_an_empty_reason_is_usage(desk: Any, line: list[str]) -> None:
    waiting(desk)
    answered = desk.give(line[0], "DEPLOY-PROD", *line[1:], "--reason", "  ")
    assert answered.status == 2
    assert "--reason: found nothing" in answered.err


def test_approving_twice_is_no_fault_and_says_what_makes_it_go_on(desk: Any) -> None:
    waiting(desk)
    line = ["approve", "DEPLOY-PROD", "--plan", desk.digest, "--reason", "so", "--environment", "production"]
    first, again = desk.give(*line), desk.give(*line)
    assert (first.status, again.status) == (0, 0)
    command = f"it goes on with: opconsole -C {desk.root} run --project shop"
    assert command in first.out
    assert "was approved already by " in again.out
    assert command in again.out


def test_what_was_rejected_waits_for_nobody(desk: Any) -> None:
    run = desk.run("DEPLOY-PROD", "production", RunState.REJECTED)
    approval = desk.approval(run)
    desk.write(ops.decide_approval(approval, ApprovalState.REJECTED, desk.now, "ana", "no"))
    answered = desk.give("approve", "DEPLOY-PROD", "--plan", desk.digest)
    assert answered.status == 1
    assert "waits for nobody's approval" in answered.err
    told = desk.give("approve", "DEPLOY-PROD", "--plan", desk.digest, "--json")
    assert (told.status, told.document["granted"]) == (1, False)


def test_aws_where_provisioning_runs_is_unlocked_like_an_environment(desk: Any) -> None:
    answered = desk.give("unlock", "shop", "aws", "--reason", "that machine is gone")
    assert (answered.status, answered.err.strip()) == (1, "nothing holds aws of shop")


def test_the_hold_of_another_workspace_is_broken_only_by_the_name_of_its_run(desk: Any) -> None:
    target = desk.root / "deployed" / "production"
    target.mkdir(parents=True)
    record = target / ".opconsole-target.json"
    theirs = {"journal_id": "feedfeedfeedfeed", "run": "r-1", "fence": 3}
    record.write_text(json.dumps({"holder": theirs, "issued": {"1.0.0": 4}}))
    unlock = ("unlock", "shop", "prod", "--reason", "that disk burnt")
    assert desk.give(*unlock).status == 1
    other = desk.give(*unlock, "--foreign", "r-2")
    assert (other.status, "held by run 'r-1'" in other.err) == (1, True)
    assert json.loads(record.read_text())["holder"] == theirs
    done = desk.give(*unlock, "--foreign", "r-1")
    assert done.status == 0, done.err
    assert "does not hold production any more" in done.out
    found = json.loads(record.read_text())
    assert found == {"holder": None, "issued": {"1.0.0": 4}, "broken": [theirs]}
    assert "foreign-hold-broken" in desk.give("audit", "show").out


def test_only_what_was_deployed_can_be_rolled_back_to(desk: Any) -> None:
    never = desk.give("rollback", "shop", "production")
    assert never.status == 2
    assert "nothing is deployed to production" in never.err
    released(desk, "2.0.0", current=False)
    released(desk, "2.1.0", current=True)
    unknown = desk.give("rollback", "shop", "production", "--to", "9.9.9")
    assert unknown.status == 2
    assert "known: 2.0.0" in unknown.err
    before = json.loads((desk.root / "tasks" / "work_queue_shop.json").read_text())
    assert len(before["features"]) == 3
    known = desk.give("rollback", "shop", "prod", "--to", "v2.0.0")
    assert known.status == 0
    assert f"it runs with: opconsole -C {desk.root} run --project shop" in known.out


@pytest.mark.parametrize(("answer", "status"), [("y", 0), ("n", 1), ("", 1)])
def test_at_a_terminal_a_rollback_is_confirmed(
    desk: Any, monkeypatch: pytest.MonkeyPatch, answer: str, status: int
) -> None:
    asked: list[str] = []

    async def person(question: str) -> str:
        asked.append(question)
        await asyncio.sleep(0)
        return answer

    monkeypatch.setattr(decide, "interactive", lambda _: True)
    monkeypatch.setattr(decide, "ask_on_terminal", person)
    released(desk, "2.0.0", current=False)
    released(desk, "2.1.0", current=True)
    assert desk.give("rollback", "shop", "production").status == status
    assert asked == ["Roll shop in production back from 2.1.0 to the release before? [y/N] "]
    assert desk.give("rollback", "shop", "production", "--yes").status == 0
    assert len(asked) == 1


def test_a_task_added_beside_a_worker_of_a_started_queue_starts_by_itself(
    desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opconsole.reading.host_alive", lambda _: True)
    released(desk, "2.0.0", current=False)
    released(desk, "2.1.0", current=True)
    idle = desk.give("rollback", "shop", "production")
    assert f"once its queue is started: opconsole -C {desk.root} queue start shop" in idle.out
    desk.write(ops.set_queue("shop", started=True, max_attempts=None, at=desk.now, by="ana"))
    assert "the worker starts it now" in desk.give("rollback", "shop", "production").out
    file = desk.root / "more.json"
    file.write_text(json.dumps(desk.entry("NEXT", "dev")))
    assert "the worker starts it now" in desk.give("queue", "add", str(file)).out
