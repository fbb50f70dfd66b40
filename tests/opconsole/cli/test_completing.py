"""Completion gives what a command takes at the cursor, with the names of this workspace."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from queues.states import RunState


def words(desk: Any, line: str) -> list[str]:
    answered = desk.give("complete", "--", line)
    assert (answered.status, answered.err) == (0, "")
    return [one.split("\t")[0] for one in answered.out.splitlines()]


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("opconsole roll", ["rollback"]),
        ("opconsole --json roll", ["rollback"]),
        ("opconsole queue st", ["start"]),
        ("opconsole completion ", ["bash", "zsh", "fish"]),
        ("opconsole rollback ", ["shop"]),
        ("opconsole rollback shop ", ["development", "staging", "production"]),
        ("opconsole rollback shop st", ["staging"]),
        ("opconsole rollback SH", ["shop"]),
        ("opconsole promote shop staging ", ["development", "production"]),
        ("opconsole run --project ", ["shop"]),
        ("opconsole history --environment p", ["production"]),
        ("opconsole status --no", ["--no-probe"]),
        ("opconsole logs --f", ["--follow"]),
        ("opconsole check ", [":files"]),
        ("opconsole -C ", [":files"]),
        ("opconsole queue show DEPLOY-P", ["DEPLOY-PROD"]),
        ("opconsole logs ", []),
        ("opconsole do Rollb", ["Rollback"]),
        ("opconsole do rollb", ["rollback"]),
        ("opconsole do Deploy shop 1.2.3 to st", ["staging"]),
        ('opconsole do "Deploy shop 1.2.3 to prod', ["Deploy shop 1.2.3 to production"]),
        ("opconsole status nonsense ", []),
        ("opconsole 'unclosed", []),
    ],
)
def test_the_word_at_the_cursor_is_completed(desk: Any, line: str, wanted: list[str]) -> None:
    found = words(desk, line)
    assert found == wanted


def test_ids_are_those_that_the_command_can_act_on_now(desk: Any) -> None:
    desk.run("DEPLOY-DEV", "development", RunState.FAILED)
    waiting = desk.run("DEPLOY-STAGING", "staging", RunState.WAITING)
    desk.approval(waiting)
    assert words(desk, "opconsole approve ") == ["DEPLOY-STAGING"]
    assert words(desk, "opconsole retry ") == ["DEPLOY-DEV"]
    assert words(desk, "opconsole logs ") == ["DEPLOY-DEV", "DEPLOY-STAGING"]
    assert words(desk, "opconsole verify ") == []


def test_the_workspace_is_the_one_that_the_line_names(desk: Any, tmp_path: Path) -> None:
    line = f"opconsole -C {desk.root} rollback "
    answered = desk.give("-C", str(tmp_path), "complete", "--", line, inside=False)
    assert [one.split("\t")[0] for one in answered.out.splitlines()] == ["shop"]


def test_outside_a_workspace_nothing_is_said(desk: Any, tmp_path: Path) -> None:
    answered = desk.give("-C", str(tmp_path), "complete", "--", "opconsole rollback ", inside=False)
    assert (answered.status, answered.out, answered.err) == (0, "", "")


def test_a_shell_that_is_not_known_is_named(desk: Any) -> None:
    answered = desk.give("completion", "tcsh")
    assert answered.status == 2
    assert "bash, zsh, fish" in answered.err


def test_bash_completes_with_the_script(desk: Any, tmp_path: Path) -> None:
    desk.queue(desk.entry("A:B".replace(":", "-"), "dev"), desk.entry("SAME", "dev"))
    assert complete_in_bash(desk, tmp_path, "opconsole rollback shop st") == ["staging"]
    assert complete_in_bash(desk, tmp_path, "opconsole queue show SA") == ["SAME"]
    (tmp_path / "place").mkdir()
    assert complete_in_bash(desk, tmp_path, f"opconsole check {tmp_path}/pl") == [f"{tmp_path}/place"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_take_their_scripts(desk: Any, shell: str) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed here")
    script = desk.give("completion", shell).out
    subprocess.run([program, "-n", "-c", script], check=True)


def complete_in_bash(desk: Any, folder: Path, line: str) -> list[str]:
    """Let bash itself complete a line by the script, with a program of that name on its PATH."""
    program = folder / "bin" / "opconsole"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f'#!/bin/sh\ncd "{desk.root}"\nexec "{sys.executable}" -m opconsole "$@"\n')
    program.chmod(0o755)
    script = desk.give("completion", "bash").out
    asked = f"""{script}
COMP_LINE={line!r}; COMP_POINT=${{#COMP_LINE}}; COMP_WORDS=({program} x)
_opconsole; printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, check=True)
    return done.stdout.split("\n")[:-1]
