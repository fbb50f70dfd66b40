"""The commands of queues: what they print, what they refuse, and that adding is all or nothing."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import struct
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import pytest

from opconsole.cli.output import cells
from queues.states import RunState


def write(path: Path, content: object) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content, indent=2))
    path.chmod(0o644)
    return path


def test_a_list_says_where_every_task_stands_and_what_it_waits_for(desk: Any) -> None:
    desk.run("DEPLOY-DEV", "development", RunState.SUCCEEDED)
    found = desk.give("queue", "list", "--json").document
    assert [(one["id"], one["state"], one["waits_for"]) for one in found] == [
        ("DEPLOY-DEV", "succeeded", ""),
        ("DEPLOY-STAGING", "ready", "its queue to be started"),
        ("DEPLOY-PROD", "pending", "DEPLOY-STAGING"),
    ]
    assert {"id", "project", "environment", "task", "kind", "version", "state"} <= set(found[0])
    assert found[0]["environment"] == "development"
    text = desk.give("queue", "list").out.split("\n")
    assert text[0].startswith("PROJECT")
    assert text[1].index("succeeded") == text[0].index("STATE")


def test_an_id_of_several_projects_is_listed_with_its_project(desk: Any) -> None:
    settings = (desk.root / "opconsole.toml").read_text()
    desk.settings(settings + settings.replace("projects.shop", "projects.till"))
    desk.queue(desk.entry("DEPLOY-DEV", "dev"), project="till")
    ids = [one["id"] for one in desk.give("queue", "list", "--json").document]
    assert ids == ["shop:DEPLOY-DEV", "DEPLOY-STAGING", "DEPLOY-PROD", "till:DEPLOY-DEV"]
    refused = desk.give("queue", "show", "DEPLOY-DEV")
    assert refused.status == 2
    assert "shop:DEPLOY-DEV, till:DEPLOY-DEV" in refused.err
    assert desk.give("queue", "show", "till:DEPLOY-DEV").status == 0


def test_one_task_is_shown_with_every_field_of_its_entry(desk: Any) -> None:
    desk.queue(desk.entry("DEPLOY-DEV", "dev", ticket="OPS-7", status="pending"))
    found = desk.give("queue", "show", "DEPLOY-DEV", "--json").document
    assert found["entry"]["ticket"] == "OPS-7"
    assert found["state"] == "ready"
    assert "OPS-7" in desk.give("queue", "show", "shop:DEPLOY-DEV").out


def test_validation_has_one_error_for_each_fault_and_ends_with_2(desk: Any, tmp_path: Path) -> None:
    file = write(
        tmp_path / "work_queue_shop.json",
        {
            "project": "shop",
            "features": [
                desk.entry("A", "dev"),
                desk.entry("B", "prodction", priority="P9"),
                desk.entry("C", "dev", depends_on=["NOWHERE"]),
            ],
        },
    )
    answered = desk.give("queue", "validate", str(file), "--json", inside=False)
    assert answered.status == 2
    (found,) = answered.document
    assert (found["file"], found["valid"], found["tasks"]) == (str(file), False, 1)
    assert {(one["task"], one["field"]) for one in found["errors"]} == {
        ("B", "environment"),
        ("B", "priority"),
        ("C", "depends_on"),
    }
    assert set(found["errors"][0]) == {"line", "task", "field", "found", "allowed", "message"}
    assert all(isinstance(one["line"], int) for one in found["errors"])
    assert f"{file}:" in desk.give("queue", "validate", str(file), inside=False).out


def test_a_cycle_is_a_fault_of_each_task_in_it_with_its_line(desk: Any, tmp_path: Path) -> None:
    entries = [desk.entry("A", "dev", depends_on=["B"]), desk.entry("B", "dev", depends_on=["A"])]
    file = write(
        tmp_path / "work_queue_shop.json", {"project": "shop", "features": [*entries, desk.entry("C", "dev")]}
    )
    (found,) = desk.give("queue", "validate", str(file), "--json", inside=False).document
    assert [(one["task"], one["field"]) for one in found["errors"]] == [
        ("A", "depends_on"),
        ("B", "depends_on"),
    ]
    assert "A → B → A" in found["errors"][0]["found"]
    lines = file.read_text().split("\n")
    assert all(lines[one["line"] - 1].strip() == "{" for one in found["errors"])
    assert found["tasks"] == 1


def test_the_workspaces_own_queues_are_validated_by_their_settings(desk: Any) -> None:
    assert desk.give("queue", "validate").status == 0
    desk.queue(desk.entry("A", "dev"), desk.entry("B", "qa"), desk.entry("C", "dev", depends_on=["till:X"]))
    answered = desk.give("queue", "validate", "--json")
    assert answered.status == 2
    (found,) = answered.document
    assert [(one["task"], one["field"]) for one in found["errors"]] == [
        ("B", "environment"),
        ("C", "depends_on"),
    ]
    assert found["errors"][1]["found"] == "till:X, which no queue has"


def test_a_graph_has_levels_edges_and_cycles_and_needs_no_workspace(desk: Any, tmp_path: Path) -> None:
    entries = [
        desk.entry("A", "dev"),
        desk.entry("B", "dev", depends_on=["A"]),
        desk.entry("C", "dev", depends_on=["A"]),
        desk.entry("D", "dev", depends_on=["E"]),
        desk.entry("E", "dev", depends_on=["D"]),
    ]
    file = write(tmp_path / "work_queue_shop.json", {"project": "shop", "features": entries})
    answered = desk.give("queue", "graph", str(file), "--json", inside=False)
    assert answered.document == {
        "order": [["A"], ["B", "C"]],
        "edges": [["A", "B"], ["A", "C"], ["E", "D"], ["D", "E"]],
        "cycles": [["D", "E"]],
    }
    assert "D → E → D" in answered.err
    assert desk.give("queue", "graph").out.startswith("1. DEPLOY-DEV\n2. DEPLOY-STAGING\n3. DEPLOY-PROD\n")


@pytest.mark.parametrize("form", ["object", "list", "queue"])
def test_tasks_are_added_from_an_object_a_list_or_a_whole_queue(desk: Any, tmp_path: Path, form: str) -> None:
    new = desk.entry("NEW", "prod", depends_on=["DEPLOY-PROD"], ticket=1.50)
    content = {"object": new, "list": [new], "queue": {"project": "shop", "tasks": [new], "summary": {}}}[
        form
    ]
    answered = desk.give("queue", "add", str(write(tmp_path / "new.json", content)), "--json")
    assert answered.status == 0
    assert answered.document["added"] == ["shop:NEW"]
    found = desk.give("queue", "list", "--json").document
    assert [one["id"] for one in found][-1] == "NEW"
    assert found[-1]["waits_for"] == "DEPLOY-PROD"
    assert not (desk.root.parent / "state").exists()  # nothing was started


@pytest.mark.parametrize(
    ("bad", "field", "said"),
    [
        ({"environment": "qa"}, "environment", "allowed: development, staging, production"),
        ({"id": "DEPLOY-DEV"}, "id", "the queue has a task"),
        ({"depends_on": ["NOWHERE"]}, "depends_on", "NOWHERE"),
        ({"version": None}, "version", "allowed: text like 1.2.3"),
        ({"id": "GOOD"}, "id", "is already the id"),
    ],
)
def test_one_bad_task_keeps_all_of_them_out_and_is_named_by_its_line(
    desk: Any, tmp_path: Path, bad: dict[str, object], field: str, said: str
) -> None:
    before = (desk.root / "tasks/work_queue_shop.json").read_bytes()
    file = write(tmp_path / "new.json", [desk.entry("GOOD", "dev"), {**desk.entry("BAD", "dev"), **bad}])
    answered = desk.give("queue", "add", str(file), "--json")
    assert answered.status == 2
    assert answered.document["added"] == []
    (error,) = answered.document["errors"]
    assert error["field"] == field
    assert said in error["message"]
    assert 9 <= error["line"] <= len(file.read_text().split("\n"))
    assert (desk.root / "tasks/work_queue_shop.json").read_bytes() == before


def test_a_task_that_would_close_a_cycle_is_not_added(desk: Any, tmp_path: Path) -> None:
    file = write(
        tmp_path / "new.json",
        [desk.entry("X", "dev", depends_on=["Y"]), desk.entry("Y", "dev", depends_on=["X"])],
    )
    answered = desk.give("queue", "add", str(file), "--json")
    assert answered.status == 2
    assert "X → Y → X" in answered.document["errors"][0]["found"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[{", "no JSON"),
        ("7", "allowed: a task, a list of tasks"),
        ("[]", "no task"),
        ('{"project": "till", "features": []}', "till"),
        ('[{"id": "A", "id": "B"}]', "again"),
        ("[" * 100_000, "no JSON"),
    ],
)
def test_what_is_no_list_of_tasks_is_refused(desk: Any, tmp_path: Path, content: str, said: str) -> None:
    answered = desk.give("queue", "add", str(write(tmp_path / "new.json", content)))
    assert answered.status == 2
    assert said in answered.err


def test_the_first_task_of_a_project_makes_its_queue_file(desk: Any, tmp_path: Path) -> None:
    (desk.root / "tasks/work_queue_shop.json").unlink()
    file = write(tmp_path / "new.json", desk.entry("FIRST", "dev"))
    assert desk.give("queue", "add", str(file)).status == 0
    assert [one["id"] for one in desk.give("queue", "list", "--json").document] == ["FIRST"]


def test_exit_statuses_reach_the_shell(desk: Any, tmp_path: Path) -> None:
    def status(*arguments: str) -> int:
        path = {"PYTHONPATH": str(Path(__file__).parents[3])}
        program = [sys.executable, "-m", "opconsole", *arguments]
        return subprocess.run(
            program, cwd=desk.root, capture_output=True, env={**os.environ, **path}, timeout=60, check=False
        ).returncode

    bad = write(tmp_path / "work_queue_bad.json", "{")
    assert [status("queue", "list"), status("queue", "validate", str(bad)), status("queue", "show", "X")] == [
        0,
        2,
        2,
    ]


@pytest.mark.parametrize(
    ("variable", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_colours_are_for_terminals_that_want_them_and_lines_fit_the_terminal(
    desk: Any, variable: dict[str, str], coloured: bool
) -> None:
    desk.queue(desk.entry("DEPLOY-DEV", "dev", depends_on=["DEPLOY-" + "X" * 90]), desk.entry("READY", "dev"))
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES")}
    environ = {**kept, "TERM": "xterm-256color", "PYTHONPATH": str(Path(__file__).parents[3]), **variable}
    program = [sys.executable, "-m", "opconsole", "-C", str(desk.root), "queue", "list"]
    with subprocess.Popen(
        program, stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL, env=environ
    ) as shown:
        os.close(theirs)
        parts: list[bytes] = []
        with contextlib.suppress(OSError):  # EIO: the other side is closed
            while part := os.read(ours, 65536):
                parts.append(part)
        assert shown.wait(timeout=30) == 0
    os.close(ours)
    text = b"".join(parts).decode()
    assert ("\x1b[36mready" in text) is coloured
    assert max(cells(line) for line in text.replace("\r", "").split("\n")) <= 80


@pytest.mark.parametrize("command", ["validate", "graph"])
def test_a_file_is_looked_into_although_the_settings_around_it_are_bad(desk: Any, command: str) -> None:
    file = desk.queue(desk.entry("ONE", "dev"))
    desk.settings("[projects.shop]\nno-such-key = 1\n")
    answered = desk.give("queue", command, str(file))
    assert answered.status == 0
    assert "the settings around it have " in answered.err
    assert desk.give("queue", command).status == 2


def test_one_of_a_thing_is_not_called_many_and_every_gate_is_named(desk: Any) -> None:
    file = desk.queue(desk.entry("ONE", "dev"), desk.entry("BAD", "moon"))
    assert f"{file}: 1 usable task, 1 fault" in desk.give("queue", "validate").out
    listed = desk.give("queue", "list")
    assert ": 1 fault; see" in listed.err
    row = next(line for line in listed.out.splitlines() if " ONE " in line)
    assert row.split().count("development") == 2


def test_a_file_that_is_not_there_is_said_in_plain_words(desk: Any) -> None:
    answered = desk.give("queue", "add", str(desk.root / "none.json"))
    assert answered.status == 2
    assert f"{desk.root}/none.json: cannot be read: No such file or directory; allowed: a" in answered.err
