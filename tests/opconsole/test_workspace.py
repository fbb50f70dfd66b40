"""A workspace is found, made without overwriting anything, and says what its settings mean."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from guardrails.environments import GateKind, UnknownEnvironmentError
from guardrails.gates import GATES, Asks, Gate
from opconsole.settings import load_settings
from opconsole.workspace import (
    StepLimits,
    UnknownProjectError,
    Workspace,
    find_workspace,
    init_workspace,
    project_name_for,
    workspace_files,
)

SETTINGS = """
[workspace]
queues = "queues"
[approvals]
approvers = ["ada"]
[projects.Web]
path = "../web"
[projects.Web.environments.dev]
target = {type = "releases", path = "deployed"}
[projects.Web.environments.staging]
target = {type = "releases", path = "deployed"}
requires_approval = true
auto_rollback = false
expires_after = 60
approvers = ["grace"]
limits = {migration = 5}
[projects.Web.environments.prod]
target = {type = "releases", path = "/srv/web"}
[projects.Web.environments.canary]
gate = "staging"
target = {type = "releases", path = "deployed"}
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    root = tmp_path / "ops"
    root.mkdir()
    (root / "opconsole.toml").write_text(SETTINGS)
    (root / "opconsole.toml").chmod(0o644)
    return Workspace.open(root, environ={})


def test_the_nearest_folder_with_settings_is_the_workspace(workspace: Workspace) -> None:
    deep = workspace.root / "a" / "b"
    deep.mkdir(parents=True)
    assert find_workspace(deep) == workspace.root
    (workspace.root / "a" / "opconsole.toml").write_text("")
    assert find_workspace(deep) == workspace.root / "a"
    assert find_workspace(workspace.root) == workspace.root


def test_outside_a_workspace_there_is_none(tmp_path: Path) -> None:
    (tmp_path / "opconsole.toml").mkdir()
    assert find_workspace(tmp_path) is None


def test_paths_of_the_settings_begin_at_the_workspace(workspace: Workspace) -> None:
    assert workspace.name == "ops"
    assert workspace.queue_path("Web") == workspace.root / "queues" / "work_queue_Web.json"
    assert workspace.project_path("Web") == workspace.root.parent / "web"
    assert workspace.path("/srv/web") == Path("/srv/web")


@pytest.mark.parametrize("name", ["web", "other", "../x"])
def test_an_unknown_project_is_refused_with_the_known_ones(workspace: Workspace, name: str) -> None:
    with pytest.raises(UnknownProjectError, match="allowed: Web"):
        workspace.queue_path(name)


def test_environments_have_their_full_names_and_gates(workspace: Workspace) -> None:
    assert workspace.environments("Web") == {
        "development": GateKind.DEVELOPMENT,
        "staging": GateKind.STAGING,
        "production": GateKind.PRODUCTION,
        "canary": GateKind.STAGING,
    }


def test_an_environment_is_found_by_alias_and_never_guessed(workspace: Workspace) -> None:
    assert workspace.environment("Web", "stage") is workspace.environment("Web", "Staging")
    with pytest.raises(UnknownEnvironmentError):
        workspace.environment("Web", "produktion")


def test_gates_are_the_guides_where_the_settings_are_silent(workspace: Workspace) -> None:
    assert workspace.gate("Web", "dev") == GATES[GateKind.DEVELOPMENT]
    assert workspace.gate("Web", "prod") == GATES[GateKind.PRODUCTION]
    assert workspace.gate("Web", "canary") == GATES[GateKind.STAGING]


def test_gates_are_tightened_by_the_settings(workspace: Workspace) -> None:
    assert workspace.gate("Web", "staging") == Gate(
        GateKind.STAGING, approval=Asks.ALWAYS, auto_rollback=False, expires_after=60
    )


def test_an_environments_own_approvers_and_limits_come_first(workspace: Workspace) -> None:
    assert workspace.approvers("Web", "staging") == ("grace",)
    assert workspace.approvers("Web", "prod") == ("ada",)
    assert workspace.limits("Web", "staging") == StepLimits(deployment=1800, migration=5, rollback=300)


def test_a_new_workspace_loads_and_has_an_empty_queue(tmp_path: Path) -> None:
    folder = tmp_path / "My Shop"
    written = init_workspace(folder)
    assert set(written) == set(workspace_files(folder))
    workspace = Workspace.open(folder, environ={})
    queue = workspace.queue_path("My-Shop")
    assert queue in written
    assert json.loads(queue.read_text()) == {"project": "My-Shop", "features": []}
    assert workspace.project_path("My-Shop") == folder.resolve()


def test_the_suggestions_of_a_new_workspace_load_too(tmp_path: Path) -> None:
    init_workspace(tmp_path)
    path = tmp_path / "opconsole.toml"
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(uncommented(line) for line in lines), encoding="utf-8")
    project = load_settings(tmp_path, environ={}).projects[project_name_for(tmp_path)]
    assert list(project.environments) == ["development", "production"]
    assert project.migrations is not None


def uncommented(line: str) -> str:
    plain = line.removeprefix("# ")
    try:
        tomllib.loads(plain)
    except tomllib.TOMLDecodeError:
        return line
    return plain


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    settings, queue = workspace_files(tmp_path)
    queue.parent.mkdir()
    queue.write_text("mine")
    assert init_workspace(tmp_path) == [settings]
    assert queue.read_text() == "mine"
    settings.write_text("# mine")
    queue.unlink()
    assert init_workspace(tmp_path) == []
    assert settings.read_text() == "# mine"
    assert not queue.exists()


def test_new_settings_are_not_for_everybody_to_write_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        init_workspace(tmp_path)
    finally:
        os.umask(before)
    load_settings(tmp_path, environ={})


@pytest.mark.parametrize(
    ("folder", "name"), [("Wéb.app", "W-b-app"), ("..x", "x"), ("_-", "project"), ("a" * 99, "a" * 64)]
)
def test_a_folders_name_becomes_a_projects_name(tmp_path: Path, folder: str, name: str) -> None:
    assert project_name_for(tmp_path / folder) == name


def test_settings_load_neither_textual_nor_sqlalchemy() -> None:
    program = (
        "import sys, opconsole.workspace; print({'textual', 'sqlalchemy', 'keyring'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
