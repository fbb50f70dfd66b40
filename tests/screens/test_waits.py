"""The workspace's settings say how long dialogs hold back."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from opconsole.app import OpconsoleApp, run_console
from opconsole.cli import console as command
from opconsole.cli.output import CommandContext
from opconsole.workspace import Workspace

SETTINGS = """
[approvals]
guard = 1.5
countdown = 7

[projects.shop]
path = "shop"
[projects.shop.environments.development]
target = {type = "releases", path = "deployed/dev"}
"""


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[OpconsoleApp]:
    """Give the apps that were run, without a terminal."""
    apps: list[OpconsoleApp] = []

    def remember(app: OpconsoleApp) -> None:
        apps.append(app)

    monkeypatch.setattr(OpconsoleApp, "run", remember)
    return apps


def test_waits_are_a_parameter_and_have_defaults(console: Any, opened: list[OpconsoleApp]) -> None:
    assert run_console(console) == 0
    assert run_console(console, guard=0.2, countdown=9) == 0
    assert [(app.desk.waits.guard, app.desk.waits.countdown) for app in opened] == [(0.5, 3.0), (0.2, 9)]


def test_the_consoles_dialogs_wait_as_the_workspace_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: list[OpconsoleApp]
) -> None:
    monkeypatch.setenv("OPCONSOLE_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(command, "interactive", lambda _: True)
    root = tmp_path / "root"
    (root / "shop").mkdir(parents=True)
    root.chmod(0o755)
    (root / "opconsole.toml").write_text(SETTINGS)
    (root / "opconsole.toml").chmod(0o644)
    context = CommandContext(root, json=False, stdout=io.StringIO(), stderr=io.StringIO(), environ={})
    command.open_console_on(context, Workspace.open(root))
    assert (opened[0].desk.waits.guard, opened[0].desk.waits.countdown) == (1.5, 7)
