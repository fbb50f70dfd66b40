"""A terminal that is taken away in the middle of a deployment, and another one that shows how it went on."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_cascade import PATIENCE, Program, Terminal

SETTINGS = """
[projects.shop]
path = "shop"
venv = "{venv}"
test = ["sh", "test.sh"]
build = ["sh", "build.sh"]
artifact = "dist"
[projects.shop.environments.development.target]
type = "releases"
path = "{target}"
restart = ["sh", "{restart}", "{gate}"]
"""
RESTART = 'echo "the restart begins"; until [ -e "$1" ]; do sleep 0.1; done; echo "the restart is over"\n'


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    """Give a workspace whose one deployment stays in its restart until a file named go is there."""
    program = Program(tmp_path)
    for folder in (program.demo / "tasks", program.demo / "shop"):
        folder.mkdir(parents=True)
    (program.demo / "shop" / "test.sh").write_text("exit 0\n")
    (program.demo / "shop" / "build.sh").write_text("mkdir dist && echo one > dist/shop.txt\n")
    (program.demo / "restart.sh").write_text(RESTART)
    settings = SETTINGS.format(
        venv=sys.prefix,
        target=tmp_path / "target",
        restart=program.demo / "restart.sh",
        gate=tmp_path / "go",
    )
    (program.demo / "opconsole.toml").write_text(settings)
    (program.demo / "opconsole.toml").chmod(0o644)
    task = {"id": "DEPLOY-ONE", "agent_type": "deployment", "environment": "development", "version": "1.0.0"}
    (program.demo / "tasks" / "work_queue_shop.json").write_text(
        json.dumps({"project": "shop", "features": [task]})
    )
    yield program
    (tmp_path / "go").touch()
    assert program.here("worker", "--stop").returncode in (0, 2)


def state_of(program: Program) -> str:
    return str([one["state"] for one in program.documents("history")])


def test_a_deployment_outlives_its_terminal_and_a_new_console_shows_it_log_and_all(
    program: Program, tmp_path: Path
) -> None:
    terminal = Terminal(program.argv("-C", str(program.demo)), program.environ)
    terminal.until("DEPLOY-ONE")
    terminal.until("● worker")
    terminal.press_until("a", "Let the worker run")
    terminal.send("s")
    terminal.until("Start the queue of shop")
    terminal.press_until("y", "▶ 1 running")  # the dialog drops the keys of its first half second
    terminal.until("the restart begins")
    terminal.taken_away()
    assert state_of(program) == "['running']"
    (tmp_path / "go").touch()
    end = time.monotonic() + PATIENCE
    while state_of(program) != "['succeeded']":
        assert time.monotonic() < end, program.here("history").stdout
    other = Terminal(program.argv("-C", str(program.demo)), program.environ)
    other.until(r"succeeded +DEPLOY-ONE")
    other.until(lambda text: "the restart begins" in text and "the restart is over" in text)
    other.taken_away()
    assert (tmp_path / "target" / "current" / "shop.txt").read_text() == "one\n"
