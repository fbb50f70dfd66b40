"""Global options, exit statuses and errors of the program as a whole."""

from __future__ import annotations

import io
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import typer

from opconsole import __version__
from opconsole.cli import main as main_module
from opconsole.cli.commands import app
from opconsole.cli.main import GlobalOptions, hoist, run_command
from opconsole.cli.output import ExitStatus, UsageError, cells, duration_text, exit_of, table, worst
from queues.states import RunState

PROGRAM = typer.main.get_command(app)


def program(*arguments: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "opconsole", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), **environ},
    )


@pytest.mark.parametrize(
    ("line", "options", "rest"),
    [
        (["--json", "status"], GlobalOptions(json=True), ["status"]),
        (["status", "--json"], GlobalOptions(json=True), ["status"]),
        (["-C", "here", "status"], GlobalOptions("here"), ["status"]),
        (["status", "-Chere"], GlobalOptions("here"), ["status"]),
        (["queue", "list", "--json", "-C", "x"], GlobalOptions("x", json=True), ["queue", "list"]),
        (["history", "--version"], GlobalOptions(version=True), ["history"]),
        (["reject", "T", "--reason", "--json"], GlobalOptions(), ["reject", "T", "--reason", "--json"]),
        (["reject", "T", "--reason=--json"], GlobalOptions(), ["reject", "T", "--reason=--json"]),
        (["verify", "T", "--reason", "-C", "-C", "x"], GlobalOptions("x"), ["verify", "T", "--reason", "-C"]),
        (["worker", "--stop", "--json"], GlobalOptions(json=True), ["worker", "--stop"]),
        (["demo", "--stop", "--json"], GlobalOptions(), ["demo", "--stop", "--json"]),
        (["check", "--", "--json", "-C"], GlobalOptions(), ["check", "--", "--json", "-C"]),
    ],
)
def test_global_options_stand_before_or_behind_a_command_and_never_in_a_value(
    line: Sequence[str], options: GlobalOptions, rest: list[str]
) -> None:
    assert hoist(line, PROGRAM) == (options, rest)


def test_the_workspace_option_needs_a_folder() -> None:
    with pytest.raises(UsageError, match="-C DIR"):
        hoist(["status", "-C"], PROGRAM)


def test_the_surface_is_what_the_contract_has_by_now() -> None:
    def names(command: Any, above: str = "") -> set[str]:
        below = getattr(command, "commands", {})
        if not below:
            return {above}
        return set().union(*(names(one, f"{above} {name}".strip()) for name, one in below.items()))

    singles = "demo init run worker check status approvals approve reject decide verify retry cancel rollback"
    queue = {f"queue {verb}" for verb in ("start", "pause", "list", "show", "add", "validate", "graph")}
    audit = {f"audit {verb}" for verb in ("show", "verify", "checkpoint", "export")}
    rest = {"history", "logs", "report", "do", "promote", "completion", "complete"} | {
        f"journal {verb}" for verb in ("backup", "check", "prune", "outbox")
    }
    notify = {"notify test", "notify channels"}
    late = {
        "metrics",
        "exempt",
        "unlock",
        "provision plan",
        "freeze",
        "unfreeze",
        "doctor",
        "serve",
        "serve-page",
    }
    migrations = {f"migrations {verb}" for verb in ("show", "sql", "validate")}
    assert names(PROGRAM) == {*singles.split(), *queue, *audit, *migrations, *rest, *notify, *late}


@pytest.mark.parametrize(
    ("outcomes", "status"),
    [
        ([], 0),
        ([0, 3], 3),
        ([3, 1], 1),
        ([1, 4, 3], 4),
        ([4, 5, 1, 3, 0], 5),
    ],
)
def test_of_several_outcomes_the_first_of_5_4_1_3_wins(outcomes: list[int], status: int) -> None:
    assert worst(map(ExitStatus, outcomes)) == status


def test_every_state_of_a_run_has_its_exit_status() -> None:
    by_status = {state.value: int(exit_of(state)) for state in RunState}
    assert by_status == {
        "pending": 0,
        "preflight": 0,
        "waiting": 3,
        "running": 0,
        "succeeded": 0,
        "failed": 1,
        "rolled_back": 1,
        "rejected": 1,
        "blocked": 4,
        "halted": 5,
        "interrupted": 5,
        "cancelled": 1,
    }


def test_a_table_aligns_counts_wide_letters_and_gives_way_to_a_narrow_terminal() -> None:
    rows = [("東京", "a reason that goes on and on for far more than there is room"), ("x", "short")]
    wide = table(("CITY", "WHY"), rows, None).split("\n")
    assert wide[1].endswith("room")
    assert [
        cells(line[: line.index(word)]) for line, word in zip(wide, ("WHY", "a reason", "short"), strict=True)
    ] == [
        6,
        6,
        6,
    ]
    narrow = table(("CITY", "WHY"), rows, 40).split("\n")
    assert max(cells(line) for line in narrow) <= 40
    assert narrow[1].endswith("…")


def test_durations_read_as_a_person_would_say_them() -> None:
    assert [duration_text(one) for one in (None, 0.25, 61, 3725)] == ["", "0.2 s", "1 m 01 s", "1 h 02 m"]


def test_the_version_is_told_in_both_ways(tmp_path: Path) -> None:
    out = io.StringIO()
    assert run_command(["--version"], stdout=out, stderr=out, environ={}) == 0
    assert out.getvalue() == f"opconsole {__version__}\n"
    found = program("status", "--version", "--json", cwd=tmp_path)
    assert (found.returncode, found.stdout) == (0, f'{{\n  "version": "{__version__}"\n}}\n')


def test_outside_a_workspace_it_offers_init_and_demo(tmp_path: Path) -> None:
    found = program("status", cwd=tmp_path)
    assert found.returncode == 2
    assert found.stdout == ""
    assert "opconsole init" in found.stderr
    assert "opconsole demo" in found.stderr


@pytest.mark.parametrize(
    "line",
    [
        ["nonsense"],
        ["approve"],
        ["history", "--nonsense"],
        ["reject", "T"],
        ["decide", "T", "maybe", "--reason", "x"],
    ],
)
def test_wrong_usage_ends_with_2_and_says_where_help_is(tmp_path: Path, line: list[str]) -> None:
    found = program(*line, cwd=tmp_path)
    assert found.returncode == 2
    assert found.stderr.startswith("opconsole: ")
    assert "Traceback" not in found.stderr


def test_faulty_settings_are_named_by_file_line_key_found_and_allowed(tmp_path: Path) -> None:
    (tmp_path / "opconsole.toml").write_text("[policy]\nretries = -1\n")
    (tmp_path / "opconsole.toml").chmod(0o644)
    tmp_path.chmod(0o755)
    found = program("status", "--json", cwd=tmp_path)
    assert found.returncode == 2
    assert found.stdout == ""
    for part in ("opconsole.toml:2", "policy.retries", "found: -1", "allowed: "):
        assert part in found.stderr


def test_an_unforeseen_error_is_one_line_and_a_traceback_only_when_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("by \x1b[31mzero")

    monkeypatch.setattr(main_module, "hoist", broken)
    for debug, traced in (("", False), ("1", True)):
        err = io.StringIO()
        status = run_command([], stdout=io.StringIO(), stderr=err, environ={"OPCONSOLE_DEBUG": debug})
        assert status == 1
        assert "ZeroDivisionError: by zero" in err.getvalue()
        assert ("Traceback" in err.getvalue()) is traced


def test_ctrl_c_ends_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(main_module, "hoist", interrupted)
    assert run_command([], stdout=io.StringIO(), stderr=io.StringIO(), environ={}) == 130


def test_a_reader_that_goes_away_leaves_no_traceback(tmp_path: Path) -> None:
    """`opconsole … | head` closes the pipe while there is more to write."""
    tasks = ",".join(
        f'{{"id": "T-{number}", "status": 5, "agent_type": "deployment"}}' for number in range(5000)
    )
    queue = tmp_path / "work_queue_shop.json"
    queue.write_text(f'{{"project": "shop", "features": [{tasks}]}}')
    queue.chmod(0o644)
    reading, writing = os.pipe()
    os.close(reading)
    try:
        found = subprocess.run(
            [sys.executable, "-m", "opconsole", "queue", "validate", "--json", str(queue)],
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        )
    finally:
        os.close(writing)
    assert found.returncode == 141
    assert "Traceback" not in found.stderr
    assert "BrokenPipe" not in found.stderr


LIGHT = """
import sys
from opconsole.__main__ import main
sys.argv = ["opconsole", *sys.argv[1:]]
try:
    status = main()
except SystemExit as end:
    status = end.code
heavy = {"textual", "sqlalchemy", "alembic", "pydantic", "pydantic_settings", "rich", "screens"}
heavy.add("opconsole.settings")
found = sorted(heavy & set(sys.modules))
print("status", status, "heavy", found, file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("line", "status", "loaded"),
    [
        (["--version"], 0, []),
        (["--help"], 0, []),
        # The parser itself reads a command's arguments with pydantic; our settings are not loaded.
        (["approve", "--help"], 0, ["pydantic"]),
        (["check", "change.sql"], 4, []),
        (
            ["queue", "validate", "work_queue_shop.json"],
            0,
            ["opconsole.settings", "pydantic", "pydantic_settings"],
        ),
    ],
)
def test_what_needs_no_workspace_loads_neither_screens_nor_database_nor_settings(
    tmp_path: Path, line: list[str], status: int, loaded: list[str]
) -> None:
    queue = tmp_path / "work_queue_shop.json"
    queue.write_text('{"project": "shop", "features": []}')
    queue.chmod(0o644)
    (tmp_path / "change.sql").write_text("DROP TABLE users;\n")
    found = subprocess.run(
        [sys.executable, "-c", LIGHT, *line],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert found.stderr.strip().endswith(f"status {status} heavy {loaded}")


@pytest.mark.parametrize("command", ["--version", "check --help"])
def test_a_closed_output_is_no_fault(command: str) -> None:
    line = f"exec >&-; exec {shlex.quote(sys.executable)} -m opconsole {command}"
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
