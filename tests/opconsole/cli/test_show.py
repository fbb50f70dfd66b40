"""The commands that look: their JSON is the contract's, and nothing from outside steers a terminal."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from opconsole.journal import ops
from opconsole.journal.deciding_ops import insert_vote
from opconsole.journal.records import Phase, StepRow, StepState, VoteRow
from opconsole.logs import append_note
from queues.states import RunState

ENVIRONMENT = """
[projects.shop]
path = "shop"
[projects.shop.environments.development]
target = {{type = "releases", path = "deployed/dev"}}
health = [{{type = "http", url = "{url}", version_key = "version", expect_version = true}}]
"""


@pytest.fixture
def service() -> Iterator[Callable[[str], str]]:
    """Start services that say which version they are; gives their addresses."""
    servers: list[HTTPServer] = []

    def start(version: str) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = json.dumps({"version": version}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_status_of_a_workspace_where_nothing_ever_ran_creates_no_journal(desk: Any, tmp_path: Path) -> None:
    answered = desk.give("status", "--json")
    assert answered.status == 0
    assert answered.document[2] == {
        "project": "shop",
        "environment": "production",
        "gate": "production",
        "version": None,
        "release": None,
        "revision": None,
        "health": "unknown",
        "health_detail": "nothing is deployed",
        "url": "http://127.0.0.1:1/",
        "deployed_at": None,
        "deployed_by": None,
        "running": None,
        "waiting": None,
        "held": None,
        "unverified": None,
    }
    assert not (tmp_path / "state").exists()


def test_status_says_what_serves_and_who_waits(desk: Any) -> None:
    desk.release(desk.run("DEPLOY-DEV", "development", RunState.SUCCEEDED))
    desk.approval(desk.run("DEPLOY-PROD", "production", RunState.WAITING))
    development, _, production = desk.give("status", "--json", "--no-probe").document
    assert development["version"] == "2.1.0"
    assert development["release"] == "2.1.0-1"
    assert development["revision"] == "0004"
    assert development["deployed_at"] == "2026-03-01T12:00:00.000Z"
    assert development["deployed_by"] == "ana"
    assert production["waiting"] == "DEPLOY-PROD"
    text = desk.give("status", "--no-probe")
    assert "1 waiting for a person" in text.out
    assert "no worker is alive" in text.out


@pytest.mark.parametrize(("version", "health"), [("2.1.0", "healthy"), ("9.9.9", "unhealthy")])
def test_status_asks_the_service_itself(
    desk: Any, service: Callable[[str], str], version: str, health: str
) -> None:
    desk.settings(ENVIRONMENT.format(url=service(version)))
    desk.release(desk.run("DEPLOY-DEV", "development", RunState.SUCCEEDED))
    (found,) = desk.give("status", "--json").document
    assert found["health"] == health
    assert version in found["health_detail"]


def test_a_service_that_does_not_answer_in_time_is_unknown(desk: Any) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        desk.settings(ENVIRONMENT.format(url=f"http://127.0.0.1:{silent.getsockname()[1]}/"))
        desk.release(desk.run("DEPLOY-DEV", "development", RunState.SUCCEEDED))
        (found,) = desk.give("status", "--json").document
    assert found["health"] == "unknown"
    assert "no answer within 2 s" in found["health_detail"]


@pytest.mark.parametrize(("program", "health"), [("/bin/true", "healthy"), ("/bin/false", "unhealthy")])
def test_a_check_that_is_a_command_is_run(desk: Any, program: str, health: str) -> None:
    check = f'health = [{{type = "command", argv = ["{program}"]}}]'
    text = ENVIRONMENT.format(url="http://x/")
    desk.settings(text[: text.index("health = [")] + check + "\n")
    desk.release(desk.run("DEPLOY-DEV", "development", RunState.SUCCEEDED))
    (found,) = desk.give("status", "--json").document
    assert found["health"] == health


def test_approvals_have_what_deciding_needs(desk: Any) -> None:
    run = desk.run("DEPLOY-PROD", "production", RunState.WAITING, reason="waits for approval")
    desk.approval(run, expires_at=desk.now + timedelta(hours=1))
    (found,) = desk.give("approvals", "--json").document
    assert found == {
        "id": run.id,
        "project": "shop",
        "environment": "production",
        "task": "DEPLOY-PROD",
        "kind": "deployment",
        "version": "2.1.0",
        "state": "waiting",
        "purpose": "go-ahead",
        "digest": desk.digest,
        "requested_at": "2026-03-01T12:00:00.000Z",
        "requested_by": "ana",
        "expires_at": "2026-03-01T13:00:00.000Z",
        "tier": 2,
        "why": ["production"],
        "reason": "waits for approval",
        "votes": [],
    }
    assert f" approve {run.id} --plan {desk.digest}" in desk.give("approvals").out


def test_history_is_newest_first_with_times_in_utc_and_durations_in_seconds(desk: Any) -> None:
    desk.run("DEPLOY-DEV", "development", RunState.FAILED, reason="health check failed: 500")
    desk.run("DEPLOY-DEV", "development", RunState.SUCCEEDED, attempt=2)
    desk.run("DEPLOY-PROD", "production", RunState.SUCCEEDED)
    found = desk.give("history", "--json").document
    assert [(one["task"], one["attempt"], one["state"]) for one in found] == [
        ("DEPLOY-PROD", 1, "succeeded"),
        ("DEPLOY-DEV", 2, "succeeded"),
        ("DEPLOY-DEV", 1, "failed"),
    ]
    assert found[2]["reason"] == "health check failed: 500"
    assert found[2]["finished_at"] == "2026-03-01T12:01:30.000Z"
    assert found[2]["duration"] == 90.0
    assert [one["unverified"] for one in found] == [True, False, False]
    assert [one["task"] for one in desk.give("history", "--json", "--environment", "prod").document] == [
        "DEPLOY-PROD"
    ]
    desk.run("BUCKET", "aws", RunState.FAILED)
    assert [one["task"] for one in desk.give("history", "--json", "--environment", "aws").document] == [
        "BUCKET"
    ]
    assert len(desk.give("history", "--json", "--limit", "1").document) == 1


def test_history_names_who_decided_by_which_proof_and_when(desk: Any) -> None:
    run = desk.run("DEPLOY-PROD", "production", RunState.WAITING, reason="waits for approval")
    approval = desk.approval(run)
    at = datetime(2026, 3, 1, 12, 3, tzinfo=UTC)
    for by, verified in (("ada", True), ("cid", False)):
        desk.write(insert_vote(VoteRow(approval.id, by, by, at, "approve", verified=verified)))
    [told] = desk.give("history", "--json").document
    assert told["decided_by"] == ["ada", "cid"]
    assert told["decisions"][0] == {
        "by": "ada",
        "at": "2026-03-01T12:03:00.000Z",
        "verdict": "approve",
        "purpose": "go-ahead",
        "proof": "signed",
    }
    assert told["decisions"][1]["proof"] == "advisory"
    said = desk.give("history").out
    assert "DECIDED BY" in said
    assert "ada (signed) 12:03, cid (advisory) 12:03" in said


@pytest.mark.parametrize(
    ("line", "named"),
    [
        (["history", "--environment", "produktion"], "production"),
        (["history", "--project", "shob"], "shop"),
        (["queue", "list", "--project", "shob"], "shop"),
        (["report", "DEPLOY-NOWHERE"], "opconsole history"),
        (["logs", "DEPLOY-DEV"], "has no run yet"),
        (["audit", "verify", "--checkpoint", "12"], "12:sha256:"),
        (["journal", "backup"], "no journal yet"),
    ],
)
def test_what_does_not_exist_is_usage_and_names_what_does(desk: Any, line: list[str], named: str) -> None:
    answered = desk.give(*line)
    assert answered.status == 2
    assert named in answered.err
    assert answered.out == ""


def test_a_run_that_its_process_left_behind_is_interrupted_and_never_running(desk: Any) -> None:
    desk.run("DEPLOY-DEV", "development", RunState.RUNNING)
    (found,) = desk.give("history", "--json").document
    assert found["state"] == "interrupted"
    (task, *_) = desk.give("queue", "list", "--json").document
    assert task["state"] == "interrupted"
    assert task["waits_for"] == "a decision: revert, override or abort"


def test_text_from_outside_cannot_steer_the_terminal(desk: Any) -> None:
    desk.run("DEPLOY-DEV", "development", RunState.FAILED, reason="\x1b[2J\x1b]0;owned\x07gone\nfake line")
    for line in (["history"], ["report", "DEPLOY-DEV"], ["queue", "list"]):
        out = desk.give(*line).out
        assert "\x1b" not in out
        assert "\x07" not in out
        assert "gone\\nfake line" in out
    assert desk.give("history", "--json").out.isascii()


def test_a_report_tells_steps_decisions_and_findings(desk: Any) -> None:
    run = desk.run("DEPLOY-DEV", "development", RunState.FAILED, reason="tests failed")
    step = StepRow(run.id, 0, Phase.PREFLIGHT, "test", "Run the tests", "repeatable", StepState.PENDING)
    finding = {"rule": "drop-table", "severity": "critical", "verdict": "warn", "line": 3, "message": "drops"}
    report = {"verdict": "warn", "files": [{"path": "a.sql", "findings": [finding]}]}
    desk.write(
        ops.plan_step(step),
        ops.start_step(run.id, 0, desk.now),
        ops.end_step(run.id, 0, StepState.FAILED, desk.now + timedelta(seconds=2), status=3, detail="exit 3"),
        ops.update_run(run.id, 1, report=report, preflight=((False, "tests pass"),)),
    )
    text = desk.give("report", "DEPLOY-DEV").out
    for part in ("tests failed", "Run the tests", "2.0 s", "FAILED  tests pass", "a.sql:3: warn drop-table"):
        assert part in text
    found = desk.give("report", run.id, "--json").document
    assert found["steps"][0]["duration"] == 2.0
    assert found["steps"][0]["status"] == 3
    assert found["findings"]["files"][0]["path"] == "a.sql"


def test_a_report_can_be_had_as_markdown_in_which_nothing_is_markup(desk: Any) -> None:
    desk.run("DEPLOY-DEV", "development", RunState.FAILED, reason="<script> | *bold* [a](b)")
    text = desk.give("report", "DEPLOY-DEV", "--format", "markdown").out
    assert text.startswith("# Incident report: shop:DEPLOY-DEV, deploy 2.1.0 in development\n")
    assert "\\<script\\> \\| \\*bold\\* \\[a\\](b)" in text
    as_json = desk.give("report", "DEPLOY-DEV", "--format", "json")
    assert as_json.document == desk.give("report", "DEPLOY-DEV", "--json").document
    refused = desk.give("report", "DEPLOY-DEV", "--format", "pdf")
    assert (refused.status, "allowed: text, markdown, json" in refused.err) == (2, True)


def test_a_log_is_printed_as_lines_and_as_one_list(desk: Any) -> None:
    run = desk.run("DEPLOY-DEV", "development", RunState.SUCCEEDED)
    log = desk.place.runs / run.id / "log"
    assert desk.give("logs", "DEPLOY-DEV", "--json").document == []
    log.parent.mkdir()
    log.write_text("2026-03-01T12:00:00.000Z o hello \x1b[2Jworld\n2026-03-01T12:00:01.000Z e oh no\n")
    assert desk.give("logs", "DEPLOY-DEV").out == "12:00:00 | hello world\n12:00:01 ! oh no\n"
    assert desk.give("logs", "DEPLOY-DEV", "--json").document[1] == {
        "at": "2026-03-01T12:00:01.000Z",
        "stream": "errors",
        "text": "oh no",
    }


def test_following_a_log_ends_when_its_run_is_over(desk: Any) -> None:
    run = desk.run("DEPLOY-DEV", "development", RunState.RUNNING)
    log = desk.place.runs / run.id / "log"
    log.parent.mkdir()
    append_note(log, "first")
    program = [sys.executable, "-m", "opconsole", "-C", str(desk.root), "logs", "-f", "DEPLOY-DEV"]
    path = {"PYTHONPATH": str(Path(__file__).parents[3])}
    with subprocess.Popen(
        program, stdout=subprocess.PIPE, text=True, env={**os.environ, **path}
    ) as following:
        assert following.stdout is not None
        assert following.stdout.readline().endswith("# first\n")
        desk.write(
            ops.update_run(run.id, 1, state=RunState.SUCCEEDED, finished_at=desk.now),
            ops.event(desk.now, "run", "shop", task=run.task, run=run.id, state="succeeded"),
        )
        append_note(log, "succeeded")
        rest = following.stdout.read()
        assert following.wait(timeout=30) == 0
    assert rest.endswith("# succeeded\n")


def test_the_audit_chain_is_shown_and_proved(desk: Any) -> None:
    desk.write(ops.audit(desk.now, "ana", "approved", "r-1", reason="ok"))
    desk.write(ops.audit(desk.now, "ben", "verified", "r-1"))
    assert [one["actor"] for one in desk.give("audit", "show", "--json").document] == ["ana", "ben"]
    sound = desk.give("audit", "verify", "--json")
    assert sound.status == 0
    assert (sound.document["valid"], sound.document["entries"]) == (True, 2)
    assert desk.give("audit", "verify", "--checkpoint", sound.document["checkpoint"]).status == 0
    cut = desk.give("audit", "verify", "--checkpoint", "3:sha256:" + "0" * 64, "--json")
    assert cut.status == 1
    assert cut.document["fault"]["fault"] == "truncated"


def test_a_backup_is_written_once_and_never_over_a_file(desk: Any, tmp_path: Path) -> None:
    desk.run("DEPLOY-DEV", "development", RunState.SUCCEEDED)
    copy = tmp_path / "copy.sqlite3"
    assert desk.give("journal", "backup", str(copy)).status == 0
    assert copy.stat().st_size > 0
    again = desk.give("journal", "backup", str(copy))
    assert again.status == 1
    assert "exists already" in again.err


def test_init_writes_settings_and_a_queue_and_never_overwrites(desk: Any, tmp_path: Path) -> None:
    new = tmp_path / "new"
    first = desk.give("init", str(new), "--json", inside=False)
    assert first.status == 0
    assert sorted(Path(path).name for path in first.document["written"]) == [
        "opconsole.toml",
        "work_queue_new.json",
    ]
    before = (new / "opconsole.toml").read_bytes()
    second = desk.give("init", str(new), "--json", inside=False)
    assert second.status == 0
    assert second.document["written"] == []
    assert (new / "opconsole.toml").read_bytes() == before
    assert desk.give("-C", str(new), "status", inside=False).status == 0


def test_people_read_on_stderr_while_machines_read_on_stdout(desk: Any, tmp_path: Path) -> None:
    answered = desk.give("init", str(tmp_path / "other"), "--json", inside=False)
    assert "wrote" in answered.err
    assert "wrote" not in answered.out


def test_asking_the_services_takes_no_longer_than_the_slowest(desk: Any) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        one = ENVIRONMENT.format(url=url)
        check = one[one.index("health = [") :]
        desk.settings(
            one
            + '[projects.shop.environments.staging]\ntarget = {type = "releases", path = "deployed/s"}\n'
            + check
        )
        desk.release(desk.run("DEPLOY-DEV", "development", RunState.SUCCEEDED))
        desk.release(desk.run("DEPLOY-STAGING", "staging", RunState.SUCCEEDED))
        started = time.monotonic()
        found = desk.give("status", "--json").document
    assert [one["health"] for one in found] == ["unknown", "unknown"]
    assert time.monotonic() - started < 3.9  # one after the other would take four seconds


def test_what_is_not_verified_is_said_until_somebody_has(desk: Any) -> None:
    run = desk.run("DEPLOY-PROD", "production", RunState.SUCCEEDED)
    desk.release(run)
    status = desk.give("status", "--no-probe")
    command = f"opconsole -C {desk.root} verify {run.id} --reason …"
    assert f"shop production: DEPLOY-PROD is not verified yet: {command}" in status.out
    assert desk.give("status", "--no-probe", "--json").document[2]["unverified"] == "DEPLOY-PROD"
    assert desk.give("verify", "DEPLOY-PROD", "--reason", "looked at it").status == 0
    assert "not verified" not in desk.give("status", "--no-probe").out
    for line in (["queue", "list"], ["history"]):
        assert "succeeded (verified by " in desk.give(*line).out


def test_after_a_rollback_status_says_who_brought_the_release_back_and_when(desk: Any) -> None:
    desk.release(desk.run("DEPLOY-PROD", "production", RunState.SUCCEEDED))
    back = desk.run("BACK", "production", RunState.SUCCEEDED, release="2.1.0-1", id="r-back")
    desk.write(ops.update_run(back.id, 1, finished_at=desk.now + timedelta(hours=3)))
    before = desk.give("status", "--no-probe", "--json").document[2]
    assert before["deployed_at"] == "2026-03-01T12:00:00.000Z"
    again = replace(back, id="r-back-2", kind="rollback", action="rollback", requested_by="bob", attempt=2)
    desk.write(ops.insert_run(again))
    changed = {"finished_at": desk.now + timedelta(hours=3), "release": "2.1.0-1"}
    desk.write(ops.update_run(again.id, 1, **changed))
    after = desk.give("status", "--no-probe", "--json").document[2]
    assert (after["deployed_at"], after["deployed_by"]) == ("2026-03-01T15:00:00.000Z", "bob")


def test_a_project_may_have_no_queue_yet_but_its_folder_must_be_there(desk: Any) -> None:
    desk.queue().unlink()
    for line in (["status", "--no-probe"], ["queue", "validate"]):
        answered = desk.give(*line)
        assert answered.status == 0
        assert "fault" not in answered.out + answered.err
        assert f"{desk.root}/shop: the folder of project shop does not exist" in answered.err
    (desk.root / "shop").mkdir()
    assert desk.give("status", "--no-probe").err == ""


def test_an_approval_s_hint_has_all_that_approving_takes(desk: Any) -> None:
    run = desk.run("DEPLOY-PROD", "production", RunState.WAITING)
    desk.approval(run)
    options = f"approve {run.id} --plan {desk.digest} --reason … --environment production"
    assert options in desk.give("approvals").out


def test_looking_loads_nothing_of_what_judges_or_deploys() -> None:
    listed = "import sys, opconsole.cli.show; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", listed], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "opconsole.cli.show" in loaded
    assert not loaded & {"opconsole.client", "opconsole.approving", "opconsole.effects", "guardrails.check"}
