"""The pre-commit hook and the GitHub action: read as their programs read them, and run on files."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
HOOKS = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder as the action makes it, with the program in it."""
    folder = tmp_path / "runner" / "opconsole" / "bin"
    folder.mkdir(parents=True)
    program = folder / "opconsole"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m opconsole "$@"\n')
    program.chmod(0o755)
    return folder


def run(argv: list[str], cwd: Path, programs: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environ = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "XDG_CACHE_HOME": str(programs.parent / "cache"),
        "RUNNER_TEMP": str(programs.parents[1]),
        **variables,
    }
    return subprocess.run(argv, cwd=cwd, env=environ, capture_output=True, text=True, timeout=60, check=False)


def test_the_hook_s_entry_checks_the_files_it_is_given(tmp_path: Path, programs: Path) -> None:
    (hook,) = HOOKS
    assert hook["id"] == "opconsole-check"
    assert (hook["language"], hook["pass_filenames"]) == ("python", True)
    (tmp_path / "bad.sql").write_text("DROP TABLE a;")
    (tmp_path / "good.sql").write_text("SELECT 1;")
    bad = run([*shlex.split(hook["entry"]), "good.sql", "bad.sql"], tmp_path, programs)
    assert (bad.returncode, bad.stderr) == (4, "")
    assert "  bad.sql:1\n" in bad.stdout
    good = run([*shlex.split(hook["entry"]), "good.sql"], tmp_path, programs)
    assert (good.returncode, good.stderr) == (0, "")


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("migrations/001.py", True),
        ("contest/a.sql", True),
        ("src/latest.py", True),
        ("src/protest_test_of.py", True),
        ("tests/a.py", False),
        ("pkg/test/a.sql", False),
        ("test_a.py", False),
        ("pkg/a_test.py", False),
        ("conftest.py", False),
        ("web/__tests__/a.ts", False),
        ("web/a.spec.ts", False),
    ],
)
def test_the_hook_leaves_tests_alone_as_a_folder_s_check_does(name: str, taken: bool) -> None:
    assert (re.search(HOOKS[0]["exclude"], name) is None) is taken


def script(**given: str) -> tuple[str, dict[str, str]]:
    """Give the step's script and its variables as the runner makes them of the inputs."""
    step: dict[str, Any] = ACTION["runs"]["steps"][-1]
    values = {
        name: given.get(name.replace("-", "_"), spec["default"]) for name, spec in ACTION["inputs"].items()
    }
    variables = {}
    for name, text in step["env"].items():
        found = re.fullmatch(r"\$\{\{ inputs\.([a-z-]+) \}\}", text)
        assert found, text
        variables[name] = values[found[1]]
    return step["run"], variables


def act(cwd: Path, programs: Path, **given: str) -> subprocess.CompletedProcess[str]:
    text, variables = script(**given)
    return run(["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", text], cwd, programs, **variables)


def test_the_action_marks_lines_and_fails_the_job(tmp_path: Path, programs: Path) -> None:
    work = tmp_path / "work"
    (work / "sub folder").mkdir(parents=True)
    (work / "sub folder" / "a.sql").write_text("SELECT 1;\nTRUNCATE a;\n")
    done = act(work, programs)
    assert (done.returncode, done.stderr) == (4, "")
    assert done.stdout.startswith("::error file=sub folder/a.sql,line=2,col=1,title=truncate (critical)::")
    assert act(work, programs, exclude="*.sql\n").returncode == 0
    assert act(work, programs, paths="sub folder\n", environment="staging").returncode == 0
    assert act(work, programs, environment="nowhere").returncode == 2


def test_the_action_writes_a_report_and_still_fails(tmp_path: Path, programs: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (work / "a.sql").write_text("TRUNCATE a;\n")
    done = act(work, programs, format="sarif", output="out.sarif")
    assert done.returncode == 4
    assert (work / "out.sarif").read_text() == done.stdout


def test_no_input_of_the_action_can_be_a_command(tmp_path: Path, programs: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    evil = "$(touch ran)`touch ran`;touch ran\n\"; touch ran; '"
    for name in ACTION["inputs"]:
        if name not in {"python-version", "output"}:
            act(work, programs, **{name.replace("-", "_"): evil})
    assert not (work / "ran").exists()
    for step in ACTION["runs"]["steps"]:
        assert "${{" not in step.get("run", "")
