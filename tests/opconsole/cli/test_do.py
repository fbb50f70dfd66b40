"""`opconsole do` and `promote`: sentences shown as a plan, then added and started, by the contract."""

from __future__ import annotations

import io
import json
import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from queues.states import RunState

DEADLINE = 60.0
TWO = """
[projects.shop]
path = "shop"
[projects.shop.environments.development]
target = {type = "releases", path = "deployed/dev"}
[projects.shop.environments.staging]
target = {type = "releases", path = "deployed/staging"}
[projects.shop.environments.production]
target = {type = "releases", path = "deployed/production"}
[projects.shopping]
path = "shopping"
[projects.shopping.environments.development]
target = {type = "releases", path = "deployed/shopping"}
"""


def entries(desk: Any, project: str = "shop") -> list[dict[str, object]]:
    text = (desk.root / "tasks" / f"work_queue_{project}.json").read_text()
    found: list[dict[str, object]] = json.loads(text)["features"]
    return found


def git(folder: Path, *words: str) -> None:
    identity = ("-c", "user.name=ana", "-c", "user.email=ana@example.org")
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)


def test_a_dry_run_prints_the_tasks_and_adds_nothing(desk: Any) -> None:
    before = entries(desk)
    answered = desk.give("do", "Deploy version 2.2.0 to staging with migrations", "--dry-run", "--json")
    assert answered.status == 0
    assert answered.document == {
        "result": "tasks",
        "tasks": [
            {
                "project": "shop",
                "id": "DEPLOY-STAGING-001",
                "description": "Deploy v2.2.0 to staging with migrations",
                "status": "pending",
                "agent_type": "deployment",
                "environment": "staging",
                "version": "2.2.0",
                "run_migrations": True,
                "completion_promise": "DEPLOYMENT_COMPLETE",
                "max_iterations": 10,
            }
        ],
        "missing": [],
        "message": "The settings of shop have no migrations, and the sentence names no path: "
        "pre-flight will ask for it.",
    }
    assert entries(desk) == before


def test_what_is_missing_ends_with_3_and_a_refusal_with_2(desk: Any) -> None:
    asked = desk.give("do", "Deploy to staging", "--dry-run", "--json")
    assert (asked.status, asked.document["result"], asked.document["missing"]) == (3, "ask", ["version"])
    refused = desk.give("do", "Deploy 2.2.0 to staging tomorrow", "--dry-run", "--json")
    assert (refused.status, refused.document["result"], refused.document["tasks"]) == (2, "refuse", [])
    assert "'tomorrow'" in refused.document["message"]


def test_prompts_from_stdin_give_an_object_a_line(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = "Deploy 2.2.0\\nto dev\nDeploy\nDon't deploy 2.2.0 to dev\n"
    monkeypatch.setattr(sys, "stdin", io.StringIO(lines))
    answered = desk.give("do", "-", "--dry-run")
    results = [json.loads(line) for line in answered.out.splitlines()]
    assert [one["result"] for one in results] == ["tasks", "ask", "refuse"]
    assert answered.status == 3
    monkeypatch.setattr(sys, "stdin", io.StringIO(lines))
    assert desk.give("do", "-").status == 2


def test_without_a_terminal_tasks_are_added_only_with_yes(desk: Any) -> None:
    before = entries(desk)
    shown = desk.give("do", "Deploy 2.2.0 to production")
    assert (shown.status, entries(desk)) == (2, before)
    assert "say --yes" in shown.err
    assert "asks for approval: production always needs approval" in shown.out
    added = desk.give("do", "Deploy 2.2.0 to production", "--yes", "--json")
    assert (added.status, added.document["added"]) == (0, ["shop:DEPLOY-PROD-001"])
    assert entries(desk)[-1]["id"] == "DEPLOY-PROD-001"
    assert "project" not in entries(desk)[-1]
    assert "run --project shop" in added.err
    again = desk.give("do", "Deploy 2.2.1 to production", "--yes", "--json")
    assert again.document["added"] == ["shop:DEPLOY-PROD-002"]


def test_adding_starts_the_queue(desk: Any) -> None:
    desk.give("do", "Deploy 2.2.0 to dev", "--yes")
    actions = [one["action"] for one in desk.give("audit", "show", "--json").document]
    assert "queue-started" in actions


def test_ids_of_tasks_that_ever_ran_are_not_taken_again(desk: Any) -> None:
    desk.run("DEPLOY-DEV-001", "development", RunState.SUCCEEDED)
    document = desk.give("do", "Deploy 2.2.0 to dev", "--dry-run", "--json").document
    assert document["tasks"][0]["id"] == "DEPLOY-DEV-002"


def test_a_statement_about_the_gates_shows_them_and_ends_well(desk: Any) -> None:
    answered = desk.give("do", "If deployment fails, auto-rollback is enabled for dev and staging")
    assert answered.status == 0
    assert (
        "production: every deployment, migration and rollback waits for a person's approval" in answered.out
    )


def test_tasks_of_several_projects_go_to_their_own_queues(desk: Any) -> None:
    desk.settings(TWO)
    answered = desk.give("do", "Deploy shop and shopping 2.2.0 to dev", "--yes", "--json")
    assert answered.document["added"] == ["shop:DEPLOY-DEV-001", "shopping:DEPLOY-DEV-001"]
    assert [one["id"] for one in entries(desk, "shopping")] == ["DEPLOY-DEV-001"]


def test_versions_are_the_tags_of_the_project(desk: Any) -> None:
    folder = desk.root / "shop"
    folder.mkdir()
    git(folder, "init", "-q")
    git(folder, "commit", "-q", "--allow-empty", "-m", "first")
    for tag in ("v1.9.0", "v1.10.0"):
        git(folder, "tag", tag)
    asked = desk.give("do", "Deploy the latest version to staging", "--json")
    assert "the newest known is 1.10.0" in asked.document["message"]
    noted = desk.give("do", "Deploy 1.9.1 to staging", "--dry-run", "--json").document
    assert "did you mean 1.9.0?" in noted["message"]
    assert desk.give("do", "Deploy 1.9.0 to staging", "--dry-run", "--json").document["message"] == ""


def test_promote_deploys_what_the_other_environment_runs(desk: Any) -> None:
    run = desk.run("DEPLOY-STAGING", "staging", RunState.SUCCEEDED)
    desk.release(run)
    answered = desk.give("promote", "shop", "stage", "prod", "--yes", "--json")
    (task,) = answered.document["tasks"]
    assert (task["environment"], task["version"], task["requires_approval"]) == ("production", "2.1.0", True)
    assert entries(desk)[-1]["id"] == task["id"]
    assert desk.give("promote", "shop", "dev", "staging").status == 2
    assert desk.give("promote", "shop", "moon", "staging").status == 2
    assert desk.give("promote", "shopp", "dev", "staging").status == 2


def test_a_person_at_a_terminal_is_asked_for_what_is_missing_and_whether_to_add(desk: Any) -> None:
    answers = iter(["2.2.0\n", "y\n"])
    out, status = at_a_terminal(desk, ["do", "Deploy to dev"], {"Which version?": answers, "[y/N]": answers})
    assert status == 0, out
    assert "DEPLOY-DEV-001" in out
    assert entries(desk)[-1]["version"] == "2.2.0"


def test_a_person_who_says_no_adds_nothing(desk: Any) -> None:
    before = entries(desk)
    out, status = at_a_terminal(desk, ["do", "Deploy 2.2.0 to dev"], {"[y/N]": iter(["n\n"])})
    assert (status, entries(desk)) == (1, before)
    assert "nothing was added" in out


def at_a_terminal(desk: Any, words: list[str], answers: dict[str, Any]) -> tuple[str, int]:
    """Run a command on a real terminal, answering each question once; give its output and status."""
    ours, theirs = pty.openpty()
    argv = [sys.executable, "-m", "opconsole", "-C", str(desk.root), *words]
    process = subprocess.Popen(argv, stdin=theirs, stdout=theirs, stderr=theirs, env=os.environ)
    os.close(theirs)
    out, asked, end = "", set(), time.monotonic() + DEADLINE
    try:
        while time.monotonic() < end:
            if not select.select([ours], [], [], 1.0)[0]:
                continue
            try:
                out += os.read(ours, 4096).decode()
            except OSError:  # the program has closed its terminal
                break
            for question, replies in answers.items():
                if question in out and question not in asked:
                    asked.add(question)
                    os.write(ours, next(replies).encode())
        return out, process.wait(timeout=DEADLINE)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
