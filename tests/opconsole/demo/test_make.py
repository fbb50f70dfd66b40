"""Making the demo workspace, with and without git, and refusing where it must not be made."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from opconsole.demo.errors import DemoError
from opconsole.demo.make import MARKER, default_directory, free_ports, make_demo, open_demo
from opconsole.settings.load import load_settings

GIT = shutil.which("git")
needs_git = pytest.mark.skipif(GIT is None, reason="git is not installed")


def git(project: Path, *arguments: str) -> str:
    assert GIT is not None
    environment = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    # Another user may own the folder when the tests run in a container.
    command = [GIT, "-c", "safe.directory=*", *arguments]
    return subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, check=True
    ).stdout.strip()


def settings_of(directory: Path) -> dict[str, object]:
    return tomllib.loads((directory / "opconsole.toml").read_text(encoding="utf-8"))


def test_without_git_the_project_is_a_plain_folder_at_its_first_version(tmp_path: Path) -> None:
    demo = make_demo(tmp_path / "demo", git=None)

    assert demo.created
    assert demo.source == "folder"
    assert not (demo.project / ".git").exists()
    versions = sorted(
        path.name[:4] for path in (demo.project / "apps/backend-api/alembic/versions").iterdir()
    )
    assert versions == ["0001", "0002", "0003"]
    assert [path.name for path in demo.next_files] == ["cascade-2.1.1.json"]
    assert sorted(path.name for path in (demo.directory / "next").iterdir()) == ["cascade-2.1.1.json"]


@needs_git
def test_with_git_each_version_is_a_tag_on_a_clean_tree(tmp_path: Path) -> None:
    demo = make_demo(tmp_path / "demo", git=GIT)

    assert demo.source == "git"
    assert git(demo.project, "tag").split() == ["v2.1.0", "v2.2.0", "v2.3.0", "v2.4.0"]
    assert git(demo.project, "status", "--porcelain") == ""
    migrations = git(
        demo.project, "ls-tree", "-r", "--name-only", "v2.1.0", "apps/backend-api/alembic/versions"
    )
    assert len(migrations.splitlines()) == 3
    added = git(demo.project, "diff", "--name-only", "--diff-filter=A", "v2.1.0", "v2.2.0")
    assert added == "apps/backend-api/alembic/versions/0004_add_expires_on.py"


@needs_git
def test_the_history_is_the_same_everywhere_and_runs_no_hook_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = make_demo(tmp_path / "first", git=GIT)
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "pre-commit").write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    (hooks / "pre-commit").chmod(0o755)
    config = tmp_path / "gitconfig"
    config.write_text(f"[core]\n\thooksPath = {hooks}\n[commit]\n\tgpgSign = true\n", encoding="utf-8")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_AUTHOR_NAME", "somebody")

    second = make_demo(tmp_path / "second", git=GIT)

    assert git(first.project, "rev-parse", "v2.4.0^{commit}") == git(
        second.project, "rev-parse", "v2.4.0^{commit}"
    )


def test_the_settings_name_this_interpreter_and_every_environment(tmp_path: Path) -> None:
    demo = make_demo(tmp_path / "a demo with spaces", git=None)

    project = settings_of(demo.directory)["projects"]["credentialmate"]  # type: ignore[index]
    assert project["venv"] == sys.prefix
    assert list(project["environments"]) == ["development", "staging", "production"]
    for one in demo.environments:
        written = project["environments"][one.name]
        assert written["database"]["url"] == f"sqlite:///{demo.directory}/targets/{one.name}/shared/app.db"
        assert written["variables"] == {"PORT": str(one.port), "ENVIRONMENT_NAME": one.name}
        assert written["url"] == f"http://127.0.0.1:{one.port}"
        assert one.shared.is_dir()


def test_its_settings_load_as_any_workspaces_do(tmp_path: Path) -> None:
    demo = make_demo(tmp_path / "demo", git=None)
    project = load_settings(demo.directory, environ={}).projects["credentialmate"]
    assert {name: one.gate.value for name, one in project.environments.items()} == {
        "development": "development",
        "staging": "staging",
        "production": "production",
    }
    assert project.venv == sys.prefix


@needs_git
def test_with_a_loose_umask_nobody_else_may_change_the_demo(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        demo = make_demo(tmp_path / "demo", git=GIT)
    finally:
        os.umask(before)
    loose = [path for path in demo.directory.rglob("*") if path.lstat().st_mode & stat.S_IWOTH]
    assert [path for path in loose if not path.is_symlink()] == []
    load_settings(demo.directory, environ={})


def test_a_name_that_toml_must_quote_is_quoted(tmp_path: Path) -> None:
    demo = make_demo(tmp_path / 'say "hi" \\ 100% ü𝄞', git=None)

    project = settings_of(demo.directory)["projects"]["credentialmate"]  # type: ignore[index]
    url = project["environments"]["staging"]["database"]["url"]
    assert url == f"sqlite:///{demo.environments[1].database}"


@pytest.mark.parametrize("git_program", [pytest.param(GIT, marks=needs_git), None])
def test_every_queue_file_names_versions_that_the_project_has(
    tmp_path: Path, git_program: str | None
) -> None:
    demo = make_demo(tmp_path / "demo", git=git_program)

    seen: set[str] = set()
    for file in (demo.queue_file, *demo.next_files):
        queue = json.loads(file.read_text(encoding="utf-8"))
        assert queue["project"] == "credentialmate"
        environments = [task["environment"] for task in queue["features"]]
        stopped = file.name.startswith("blocked")  # by what only production minds
        assert environments == (["production"] if stopped else ["development", "staging", "production"])
        ids = {task["id"] for task in queue["features"]}
        assert not ids & seen, "the files are added to one queue"
        seen |= ids
        if git_program is not None:
            tags = git(demo.project, "tag").split()
            assert all(f"v{task['version']}" in tags for task in queue["features"])


def test_the_queue_is_the_cascade_of_the_guide(tmp_path: Path) -> None:
    queue = json.loads(make_demo(tmp_path / "demo", git=None).queue_file.read_text(encoding="utf-8"))

    chain = [(task["id"], task.get("depends_on")) for task in queue["features"]]
    assert chain == [
        ("DEPLOY-DEV-001", None),
        ("DEPLOY-STAGING-001", ["DEPLOY-DEV-001"]),
        ("DEPLOY-PROD-001", ["DEPLOY-STAGING-001"]),
    ]
    assert queue["features"][2]["requires_approval"] is True
    assert {task["version"] for task in queue["features"]} == {"2.1.0"}


def test_making_it_again_opens_what_is_there_and_changes_nothing(tmp_path: Path) -> None:
    first = make_demo(tmp_path / "demo", git=None)
    (tmp_path / "demo" / "opconsole.toml").write_text("# edited\n", encoding="utf-8")

    again = make_demo(tmp_path / "demo", git=None)

    assert not again.created
    assert again.environments == first.environments
    assert (tmp_path / "demo" / "opconsole.toml").read_text(encoding="utf-8") == "# edited\n"


def test_a_folder_with_anything_else_in_it_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")

    with pytest.raises(DemoError, match="is not empty and no demo"):
        make_demo(tmp_path, git=None)

    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "demo").write_text("", encoding="utf-8")
    with pytest.raises(DemoError, match="is a file"):
        make_demo(tmp_path / "demo", git=None)


@pytest.mark.parametrize("name", ["what?", "two\nlines"])
def test_a_name_that_no_database_url_can_hold_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DemoError, match="choose another folder"):
        make_demo(tmp_path / name, git=None)
    assert list(tmp_path.iterdir()) == []


def test_when_git_fails_nothing_half_made_is_left(tmp_path: Path) -> None:
    broken = tmp_path / "git"
    broken.write_text("#!/bin/sh\necho 'no room' >&2\nexit 128\n", encoding="utf-8")
    broken.chmod(0o755)

    with pytest.raises(DemoError, match=r"git init .* failed: no room"):
        make_demo(tmp_path / "demo", git=str(broken))
    assert not (tmp_path / "demo").exists()

    (tmp_path / "empty").mkdir()
    with pytest.raises(DemoError, match="could not be run"):
        make_demo(tmp_path / "empty", git=str(tmp_path / "missing"))
    assert list((tmp_path / "empty").iterdir()) == []


def test_an_unusable_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(DemoError, match="could not be written"):
        make_demo(tmp_path / "file" / "demo", git=None)


def test_a_folder_that_is_no_demo_cannot_be_opened_as_one(tmp_path: Path) -> None:
    with pytest.raises(DemoError, match="is no demo workspace"):
        open_demo(tmp_path)


@pytest.mark.parametrize(
    "text", ["", "[]", '{"source": "git"}', '{"source": "git", "python": "x", "environments": 1}']
)
def test_a_damaged_marker_says_what_to_do(tmp_path: Path, text: str) -> None:
    (tmp_path / MARKER).write_text(text, encoding="utf-8")
    with pytest.raises(DemoError, match="make a new demo in another folder"):
        open_demo(tmp_path)


def test_the_default_is_a_new_folder_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    first = make_demo(git=None)
    assert first.directory.is_relative_to(tmp_path.resolve())
    assert default_directory() != first.directory


def test_free_ports_are_all_different() -> None:
    assert len(set(free_ports(3))) == 3
