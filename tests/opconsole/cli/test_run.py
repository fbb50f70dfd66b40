"""`opconsole run` where nothing can go on or a file is faulty: it says what to do, with the right status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest

from opconsole.cli.main import run_command
from opconsole.cli.run import Teller
from opconsole.journal.records import EventRow
from queues.states import RunState

DEADLINE = 20.0


@contextmanager
def a_worker(desk: Any) -> Iterator[None]:
    """Let a worker of its own be alive for the desk's workspace."""
    desk.give("queue", "pause", "shop")  # begins the journal
    argv = [sys.executable, "-m", "opconsole", "-C", str(desk.root), "worker"]
    variables = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=variables, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("worker of "), process.stdout.read()
        yield
    finally:
        process.terminate()
        process.communicate(timeout=DEADLINE)


@pytest.fixture(params=["as the engine", "beside a worker"])
def hosted(request: pytest.FixtureRequest, desk: Any) -> Callable[[], Any]:
    """Run the shop's queue: hosting the engine, or following the worker that does."""

    def run() -> Any:
        if request.param == "as the engine":
            return desk.give("run", "--project", "shop")
        with a_worker(desk):
            return desk.give("run", "--project", "shop")

    return run


def test_a_task_tried_again_behind_a_failed_one_ends_with_1_and_the_command_that_helps(
    desk: Any, hosted: Callable[[], Any]
) -> None:
    desk.run("DEPLOY-DEV", "development", RunState.FAILED)
    desk.run("DEPLOY-STAGING", "staging", RunState.FAILED)
    desk.run("DEPLOY-STAGING", "staging", RunState.PENDING, attempt=2)
    answered = hosted()
    assert answered.status == 1
    lines = answered.out.splitlines()
    begins = "DEPLOY-STAGING is blocked by DEPLOY-DEV (failed): opconsole "
    assert [line for line in lines if line.startswith(begins) and line.endswith(" retry DEPLOY-DEV")]
    assert [line for line in lines if line.startswith("DEPLOY-PROD is blocked by DEPLOY-DEV (failed)")]


def test_what_waits_for_a_dependency_names_it_even_when_it_is_tried_again(desk: Any) -> None:
    desk.run("DEPLOY-DEV", "development", RunState.FAILED)
    desk.run("DEPLOY-STAGING", "staging", RunState.PENDING, attempt=2)
    listed = {one["task"]: one for one in desk.give("queue", "list", "--json").document}
    assert listed["DEPLOY-STAGING"]["waits_for"] == "DEPLOY-DEV"


def test_faults_of_the_queue_file_are_named_as_validation_does_and_end_with_2(
    desk: Any, hosted: Callable[[], Any]
) -> None:
    bad = desk.entry("BAD", "moon")
    path = desk.queue(bad)
    answered = hosted()
    assert answered.status == 2
    assert f"{path}:4: task BAD: environment: " in answered.err.replace(f"{path}:8:", f"{path}:4:")
    assert "QueueFileError" not in answered.err
    told = desk.give("queue", "validate").out.splitlines()[0]
    assert told in answered.err.splitlines()


def test_a_file_that_is_no_json_ends_with_2(desk: Any) -> None:
    path = desk.queue()
    path.write_text("{")
    answered = desk.give("run", "--project", "shop")
    assert answered.status == 2
    assert f"{path}:1: " in answered.err


def test_with_a_bad_task_beside_a_failed_one_the_failure_counts(desk: Any) -> None:
    desk.queue(
        desk.entry("BAD", "moon"),
        desk.entry("DEPLOY-DEV", "dev"),
        desk.entry("NEXT", "staging", depends_on=["DEPLOY-DEV"]),
    )
    desk.run("DEPLOY-DEV", "development", RunState.FAILED)
    answered = desk.give("run", "--project", "shop")
    assert answered.status == 1
    assert "task BAD: " in answered.err


def test_a_project_without_a_queue_has_nothing_to_do_and_is_told_how_to_get_one(desk: Any) -> None:
    desk.queue().unlink()
    answered = desk.give("run", "--project", "shop")
    assert answered.status == 0
    assert "shop has no queue yet" in answered.err


def test_a_run_that_failed_while_one_looked_on_is_followed_by_where_to_look(desk: Any) -> None:
    desk.queue(desk.entry("DEPLOY-DEV", "dev"), desk.entry("NEXT", "staging", depends_on=["DEPLOY-DEV"]))
    answered = desk.give("run", "--project", "shop")  # the project's folder is not there
    assert answered.status == 1
    assert " logs DEPLOY-DEV shows what happened" in answered.out
    assert "NEXT is blocked by DEPLOY-DEV (failed): " in answered.out


def test_a_step_s_own_words_are_not_said_twice() -> None:
    out = StringIO()
    teller = Teller(None, "shop", 0, out, as_json=False)  # type: ignore[arg-type]
    detail = {"detail": "test failed: sh test.sh: exit 1"}
    teller._take(EventRow(1, datetime.now(UTC), "step", "shop", "DEV", "r-1", "test", "failed", detail))
    assert out.getvalue().count("test failed") == 1


@pytest.mark.parametrize(
    ("called", "typed"),
    [("./opconsole.sh", "./opconsole.sh"), ("/a b/opconsole.sh", "'/a b/opconsole.sh'"), ("", "opconsole")],
)
def test_hints_name_the_program_as_it_was_called_and_the_workspace(
    desk: Any, called: str, typed: str
) -> None:
    desk.environ["OPCONSOLE_PROGRAM"] = called
    desk.queue(desk.entry("DEPLOY-PROD", "production"))
    run = desk.run("DEPLOY-PROD", "production", RunState.WAITING)
    desk.approval(run)
    answered = desk.give("run", "--project", "shop")
    assert answered.status == 3
    command = f"{typed} -C {desk.root} approve DEPLOY-PROD --plan {desk.digest} --reason … "
    assert command + "--environment production" in answered.out


def test_inside_the_workspace_hints_need_not_name_it(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(desk.root)
    desk.queue(desk.entry("DEPLOY-PROD", "production"))
    run = desk.run("DEPLOY-PROD", "production", RunState.HALTED, reason="it is ill")
    out, err = StringIO(), StringIO()
    status = run_command(["run", "--project", "shop"], stdout=out, stderr=err, environ=dict(os.environ))
    assert status == 5
    assert f"  opconsole decide {run.task} revert|override|abort" in out.getvalue()


def test_events_stay_machine_readable(desk: Any) -> None:
    desk.run("DEPLOY-DEV", "development", RunState.FAILED)
    answered = desk.give("run", "--project", "shop", "--json")
    assert answered.status == 1
    assert [json.loads(line)["event"] for line in answered.out.splitlines()] == ["queue"]


def test_a_cascade_that_failed_tells_what_ran_what_did_not_and_why(desk: Any) -> None:
    desk.run("DEPLOY-DEV", "development", RunState.SUCCEEDED)
    desk.run("DEPLOY-STAGING", "staging", RunState.ROLLED_BACK, reason="smoke tests failed")
    told = desk.give("report", "DEPLOY-PROD", "--cascade", "--json").document
    assert told["stopped_at"] == "shop:DEPLOY-STAGING"
    assert [(one["task"], one["outcome"], one["reason"]) for one in told["tasks"]] == [
        ("DEPLOY-DEV", "succeeded", ""),
        ("DEPLOY-STAGING", "stopped", "smoke tests failed; its file says pending: retry runs it again"),
        ("DEPLOY-PROD", "not run", "DEPLOY-STAGING rolled back"),
    ]
    shown = desk.give("report", "DEPLOY-DEV", "--cascade").out
    assert "not run: DEPLOY-STAGING rolled back" in shown
    assert "1 succeeded, 1 stopped, 1 not run; it stopped at DEPLOY-STAGING" in shown


def test_run_ends_with_the_story_of_the_cascade_that_failed(desk: Any) -> None:
    # There is nothing to deploy, so that development fails by itself, in its pre-flight.
    answered = desk.give("run", "--project", "shop")
    assert answered.status == 1
    lines = answered.out.splitlines()
    begin = lines.index("The cascade was halted at its first failure:")
    told = [line.split() for line in lines[begin + 1 : begin + 4]]
    assert [words[:3] for words in told] == [
        ["✗", "DEPLOY-DEV", "development"],
        ["-", "DEPLOY-STAGING", "staging"],
        ["-", "DEPLOY-PROD", "production"],
    ]
    assert " ".join(told[2][3:]) == "not run: DEPLOY-DEV failed"
    assert lines[begin + 4] == "1 stopped, 2 not run; it stopped at DEPLOY-DEV"


def test_tasks_of_an_environment_that_waits_to_be_approved_do_not_wait_in_silence(desk: Any) -> None:
    desk.queue()
    assert desk.give("run", "--project", "shop").status == 0
    settings = (desk.root / "opconsole.toml").read_text()
    desk.settings(settings.replace("[projects.shop", "[projects.market"))
    desk.queue(desk.entry("DEPLOY-DEV", "development"), project="market")
    answered = desk.give("run", "--project", "market")
    assert answered.status == 3
    assert "waits: market:development is new and reaches what shop:development reaches" in answered.err
    assert "DEPLOY-DEV does not run: development waits for that approval" in answered.err
    assert " approvals shows how to approve it" in answered.err
    assert "waits: market:development is new" in desk.give("status", "--no-probe").err
    assert not desk.give("status", "--no-probe", "--json").err
