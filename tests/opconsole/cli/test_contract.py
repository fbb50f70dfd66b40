"""The command line's contract: every command is there, and each JSON has the fields that others build on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from queues.states import RunState

COMMANDS = [
    "demo",
    "init",
    "run",
    "worker",
    "do",
    "check",
    "status",
    "approvals",
    "approve",
    "reject",
    "verify",
    "promote",
    "exempt",
    "metrics",
    "decide",
    "cancel",
    "retry",
    "rollback",
    "history",
    "logs",
    "report",
    "doctor",
    "serve",
]
GROUPS = {
    "queue": ("start", "pause", "list", "show", "add", "validate", "graph"),
    "audit": ("show", "verify", "export"),
    "journal": ("backup",),
}
TASK = {"id", "project", "environment", "task", "kind", "version", "state"}


@pytest.fixture
def shop(desk: Any) -> Any:
    """Give a workspace in which something ran, something waits, and a release serves."""
    desk.release(desk.run("DEPLOY-DEV", "development", RunState.SUCCEEDED))
    desk.approval(desk.run("DEPLOY-STAGING", "staging", RunState.WAITING))
    return desk


def given(text: str, name: str) -> bool:
    return any(line.split()[:1] == [name] for line in text.splitlines())


def _help(desk: Any, printed: pytest.CaptureFixture[str], *words: str) -> str:
    desk.give(*words, "--help")  # the parser prints it by itself
    return printed.readouterr().out


def test_every_command_of_the_contract_is_there(desk: Any, capsys: pytest.CaptureFixture[str]) -> None:
    told = _help(desk, capsys)
    assert [name for name in COMMANDS if not given(told, name)] == []
    for group, names in GROUPS.items():
        below = _help(desk, capsys, group)
        assert [name for name in names if not given(below, name)] == []


@pytest.mark.parametrize(
    ("command", "fields"),
    [
        (("queue", "list"), TASK),
        (("history",), TASK | {"reason"}),
        (("approvals",), TASK | {"digest", "requested_at", "expires_at", "tier"}),
        (
            ("status", "--no-probe"),
            {"project", "environment", "version", "release", "revision", "health", "url", "deployed_at"}
            | {"deployed_by", "running", "waiting"},
        ),
    ],
)
def test_lists_have_the_fields_of_the_contract(shop: Any, command: tuple[str, ...], fields: set[str]) -> None:
    answered = shop.give(*command, "--json")
    assert answered.status == 0, answered.err
    assert answered.document
    assert [sorted(fields - set(one)) for one in answered.document if fields - set(one)] == []


def test_times_are_in_utc_and_digests_say_their_kind(shop: Any) -> None:
    (waiting,) = shop.give("approvals", "--json").document
    assert waiting["digest"].startswith("sha256:")
    assert waiting["requested_at"].endswith(("+00:00", "Z"))
    assert waiting["expires_at"] is None


def test_health_is_one_of_three_words(shop: Any) -> None:
    found = shop.give("status", "--no-probe", "--json").document
    assert {one["health"] for one in found} <= {"healthy", "unhealthy", "unknown"}


def test_validating_tells_file_line_task_field_found_and_allowed(shop: Any, tmp_path: Path) -> None:
    good = shop.give("queue", "validate", "--json")
    [file] = good.document
    assert (good.status, file["valid"], file["tasks"], file["errors"]) == (0, True, 3, [])
    bad = tmp_path / "work_queue_shop.json"
    bad.write_text(json.dumps({"project": "shop", "features": [{"id": "A", "agent_type": "deployment"}]}))
    bad.chmod(0o644)
    answered = shop.give("queue", "validate", str(bad), "--json")
    assert answered.status == 2
    [file] = answered.document
    assert (file["valid"], file["tasks"]) == (False, 0)
    wanted = {"line", "task", "field", "found", "allowed", "message"}
    assert all(wanted <= set(error) for error in file["errors"])


def test_the_graph_has_levels_edges_and_cycles(shop: Any) -> None:
    found = shop.give("queue", "graph", "--json").document
    assert found["order"] == [["DEPLOY-DEV"], ["DEPLOY-STAGING"], ["DEPLOY-PROD"]]
    assert ["DEPLOY-DEV", "DEPLOY-STAGING"] in found["edges"]
    assert found["cycles"] == []


def test_a_check_has_verdict_coverage_and_findings(shop: Any, tmp_path: Path) -> None:
    sql = tmp_path / "a.sql"
    sql.write_text("DROP TABLE old_users;\n")
    answered = shop.give("check", str(sql), "--format", "json", "--no-cache", inside=False)
    assert answered.status == 4
    found = answered.document
    assert (found["verdict"], found["environment"]) == ("block", "production")
    [file] = found["files"]
    assert file["coverage"] == {"statements": 1, "analysed": 1}
    wanted = {"rule", "severity", "verdict", "line", "column", "direction", "layer", "statement", "message"}
    [finding] = [one for one in file["findings"] if one["rule"] == "drop-table"]
    assert wanted | {"fix", "reason"} <= set(finding)
    assert (finding["severity"], finding["verdict"], finding["layer"]) == ("critical", "block", "source")


@pytest.mark.parametrize(
    ("prompt", "status", "result"),
    [
        ("Deploy shop version 2.2.0 to development", 0, "tasks"),
        ("Deploy shop to development", 3, "ask"),
        ("Deploy shop version 2.2.0 to nowhere", 2, "refuse"),
    ],
)
def test_a_sentence_is_tasks_a_question_or_a_refusal(
    shop: Any, prompt: str, status: int, result: str
) -> None:
    answered = shop.give("do", prompt, "--dry-run", "--json")
    assert answered.status == status, answered.err
    found = answered.document
    assert {"result", "tasks", "missing", "message"} <= set(found)
    assert found["result"] == result
    assert bool(found["tasks"]) is (result == "tasks")
    assert found["missing"] == (["version"] if result == "ask" else [])


def test_outside_a_workspace_commands_end_with_2_and_say_what_to_do(tmp_path: Path, desk: Any) -> None:
    for command in (("status",), ("queue", "list"), ("history",), ("approvals",)):
        answered = desk.give("-C", str(tmp_path), *command, inside=False)
        assert answered.status == 2
        assert "opconsole init" in answered.err
