from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from opconsole.artifacts import StoreDamagedError
from opconsole.git import Git
from opconsole.sources import (
    BadVersionError,
    GitError,
    GitMissingError,
    SourceChangedError,
    SourceError,
    SourceKind,
    SourceStore,
    SourceVersion,
    TagConflictError,
    TagMissingError,
    UnsafeTreeError,
    check_version,
    create_tag,
    resolve_source,
)
from opconsole.trees import remove_tree

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed here")

GitCommand = Callable[..., str]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SourceStore]:
    yield SourceStore(tmp_path / "sources")
    remove_tree(tmp_path / "sources")  # read-only folders would stand in pytest's way later


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    project = tmp_path / "folder"
    (project / "src").mkdir(parents=True)
    (project / "src" / "app.py").write_text("VERSION = '1.0.0'\n")
    (project / "__pycache__").mkdir()
    (project / "__pycache__" / "app.pyc").write_text("cache")
    (project / ".venv").mkdir()
    (project / ".venv" / "python").symlink_to("/usr/bin/python3")
    return project


def git_in(project: Path) -> GitCommand:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(project),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@example.org",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@example.org",
    }

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=project, env=environment, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    return git


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    project = tmp_path / "project"
    (project / "src").mkdir(parents=True)
    (project / "src" / "app.py").write_text("VERSION = '1.0.0'\n")
    (project / "run").write_text("#!/bin/sh\n")
    (project / "run").chmod(0o755)
    git = git_in(project)
    git("init", "-q", "-b", "main")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    return project


@pytest.fixture
def git(repository: Path) -> GitCommand:
    return git_in(repository)


def commit(git: GitCommand, repository: Path, text: str) -> str:
    (repository / "src" / "app.py").write_text(text)
    git("add", ".")
    git("commit", "-q", "-m", text)
    return git("rev-parse", "HEAD")


# -- versions --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["2.1.0", "2.1.0-rc.1", "1", "2024.05.01+build_7"])
def test_a_plain_version_is_taken(version: str) -> None:
    assert check_version(version) == version


@pytest.mark.parametrize(
    "version",
    [
        "1; rm -rf ~",
        "--upload-pack=x",
        "-1",
        "",
        "../x",
        "1..2",
        "a/b",
        "1\n",
        "1\0",
        "1.0.lock",
        "1.",
        "x" * 129,
    ],
)
async def test_a_version_that_is_a_command_an_option_or_a_path_is_refused(version: str, folder: Path) -> None:
    with pytest.raises(BadVersionError, match="is not a version"):
        await resolve_source(folder, version=version, allow_head=True)


# -- git -------------------------------------------------------------------------------------------------


@needs_git
@pytest.mark.parametrize("tag", ["v1.0.0", "1.0.0"])
async def test_the_versions_tag_names_the_commit(repository: Path, git: GitCommand, tag: str) -> None:
    git("tag", "-a", "-m", "annotated", tag)
    wanted = git("rev-parse", "HEAD")
    commit(git, repository, "later")
    source = await resolve_source(repository, version="1.0.0", allow_head=False)
    assert source == SourceVersion(wanted, "1.0.0", tag, SourceKind.GIT)


@needs_git
async def test_two_tags_that_agree_are_one(repository: Path, git: GitCommand) -> None:
    git("tag", "v1.0.0")
    git("tag", "1.0.0")
    assert (await resolve_source(repository, version="1.0.0", allow_head=False)).tag == "v1.0.0"


@needs_git
async def test_two_tags_that_disagree_are_refused(repository: Path, git: GitCommand) -> None:
    git("tag", "v1.0.0")
    commit(git, repository, "later")
    git("tag", "1.0.0")
    with pytest.raises(TagConflictError, match=r"v1\.0\.0 names .* and 1\.0\.0 names"):
        await resolve_source(repository, version="1.0.0", allow_head=True)


@needs_git
async def test_a_branch_of_that_name_is_no_tag(repository: Path, git: GitCommand) -> None:
    git("branch", "v1.0.0")
    with pytest.raises(TagMissingError, match=r"no tag v1\.0\.0 or 1\.0\.0"):
        await resolve_source(repository, version="1.0.0", allow_head=False)


@needs_git
async def test_development_takes_head_and_names_what_is_not_committed(
    repository: Path, git: GitCommand
) -> None:
    (repository / "src" / "app.py").write_text("edited")
    (repository / "new\x1b.py").write_text("")
    source = await resolve_source(repository, version="1.1.0", allow_head=True)
    assert source.commit == git("rev-parse", "HEAD")
    assert source.creates_tag
    assert source.tag is None
    assert source.note is not None
    assert "'src/app.py'" in source.note
    assert r"'new\x1b.py'" in source.note


@needs_git
async def test_what_opconsole_writes_into_the_project_is_nobodys_forgotten_change(repository: Path) -> None:
    (repository / ".aibrain").mkdir()
    (repository / ".aibrain" / "deployments.json").write_text("{}")
    source = await resolve_source(repository, version="1.1.0", allow_head=True)
    assert source.note is None


@needs_git
async def test_without_a_version_heads_own_tag_or_short_id_is_one(repository: Path, git: GitCommand) -> None:
    head = git("rev-parse", "HEAD")
    unnamed = await resolve_source(repository, version=None, allow_head=True)
    assert (unnamed.version, unnamed.creates_tag) == (f"0+{head[:12]}", False)
    git("tag", "v3.0.0")
    assert (await resolve_source(repository, version=None, allow_head=True)).version == "3.0.0"
    with pytest.raises(SourceError, match="a version is needed"):
        await resolve_source(repository, version=None, allow_head=False)


@needs_git
async def test_the_tag_is_created_once_for_the_commit_that_was_deployed(
    repository: Path, git: GitCommand
) -> None:
    source = await resolve_source(repository, version="1.1.0", allow_head=True)
    commit(git, repository, "later")
    assert await create_tag(repository, source) == "v1.1.0"
    assert await create_tag(repository, source) == "v1.1.0"
    assert git("rev-parse", "v1.1.0^{commit}") == source.commit


@needs_git
async def test_a_tag_that_appeared_meanwhile_elsewhere_is_not_moved(
    repository: Path, git: GitCommand
) -> None:
    source = await resolve_source(repository, version="1.1.0", allow_head=True)
    later = commit(git, repository, "later")
    git("tag", "v1.1.0")
    with pytest.raises(TagConflictError, match=r"tag v1\.1\.0 names"):
        await create_tag(repository, source)
    assert git("rev-parse", "v1.1.0") == later


async def test_git_missing_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (folder / ".git").mkdir()
    with pytest.raises(GitMissingError, match="install git"):
        await resolve_source(folder, version="1.0.0", allow_head=True)


@needs_git
async def test_a_folder_said_to_be_git_that_is_none_says_what_git_said(folder: Path) -> None:
    with pytest.raises(GitError, match="not a git repository"):
        await resolve_source(folder, kind=SourceKind.GIT, version="1.0.0", allow_head=True)


@needs_git
async def test_a_repository_without_a_commit_says_so(tmp_path: Path) -> None:
    project = tmp_path / "fresh"
    project.mkdir()
    git_in(project)("init", "-q")
    with pytest.raises(SourceError, match="no commit yet"):
        await resolve_source(project, version="1.0.0", allow_head=True)


@needs_git
async def test_git_variables_of_the_caller_do_not_reach_git(
    repository: Path, git: GitCommand, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_EXEC_PATH"):
        monkeypatch.setenv(name, str(tmp_path / "elsewhere"))
    source = await resolve_source(repository, version="1.0.0", allow_head=True)
    assert source.commit == git("rev-parse", "HEAD")


@needs_git
async def test_hooks_and_monitors_of_the_repository_do_not_run(
    repository: Path, git: GitCommand, tmp_path: Path
) -> None:
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    trap.chmod(0o755)
    git("config", "core.fsmonitor", str(trap))
    shutil.copy(trap, repository / ".git" / "hooks" / "reference-transaction")
    source = await resolve_source(repository, version="1.0.0", allow_head=True)
    await create_tag(repository, source)
    assert not (tmp_path / "ran").exists()


@needs_git
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a repository to another user")
async def test_a_repository_of_another_user_is_read(repository: Path, git: GitCommand) -> None:
    wanted = git("rev-parse", "HEAD")
    for path in (repository, *repository.rglob("*")):
        os.chown(path, 12345, 12345, follow_symlinks=False)
    assert (await resolve_source(repository, version="1.0.0", allow_head=True)).commit == wanted


@needs_git
async def test_git_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    slow = tmp_path / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text("#!/bin/sh\nsleep 60 & sleep 60\n")
    slow.chmod(0o755)
    path = f"{slow.parent}{os.pathsep}{os.environ['PATH']}"
    with pytest.raises(GitError, match=r"longer than 0\.2 s"):
        await Git(tmp_path, limit=0.2, path=path).run("status")


# -- exports of commits ----------------------------------------------------------------------------------


@needs_git
async def test_an_export_holds_the_commit_and_nothing_that_lies_about(
    repository: Path, store: SourceStore
) -> None:
    source = await resolve_source(repository, version="1.0.0", allow_head=True)
    (repository / "src" / "app.py").write_text("edited")
    (repository / "stray.py").write_text("stray")
    stored = await store.export(repository, source)
    assert sorted(str(path.relative_to(stored.path)) for path in stored.path.rglob("*")) == [
        "run",
        "src",
        "src/app.py",
    ]
    assert (stored.path / "src" / "app.py").read_text() == "VERSION = '1.0.0'\n"
    assert (stored.path / "run").stat().st_mode & 0o777 == 0o555
    assert await store.export(repository, source) == stored


@needs_git
async def test_a_project_in_a_repositorys_folder_is_exported_alone(
    repository: Path, git: GitCommand, store: SourceStore
) -> None:
    source = await resolve_source(repository / "src", version="1.0.0", allow_head=True)
    assert source.kind is SourceKind.GIT
    stored = await store.export(repository / "src", source)
    assert [path.name for path in stored.path.iterdir()] == ["app.py"]


@needs_git
async def test_a_folder_that_a_repository_around_it_does_not_track_is_a_plain_folder(
    repository: Path, git: GitCommand
) -> None:
    (repository / "other").mkdir()
    (repository / "other" / "file").write_text("")
    source = await resolve_source(repository / "other", version="1.0.0", allow_head=False)
    assert source.kind is SourceKind.FOLDER


@needs_git
async def test_a_committed_link_that_leaves_the_project_is_refused(
    repository: Path, git: GitCommand, store: SourceStore, tmp_path: Path
) -> None:
    (repository / "versions").symlink_to("/etc")
    git("add", ".")
    git("commit", "-q", "-m", "link")
    source = await resolve_source(repository, version="1.0.0", allow_head=True)
    with pytest.raises(UnsafeTreeError, match="'versions': a link to '/etc'"):
        await store.export(repository, source)
    assert list((tmp_path / "sources").iterdir()) == []


@needs_git
async def test_a_submodule_is_named_rather_than_left_out(
    repository: Path, git: GitCommand, store: SourceStore
) -> None:
    git("update-index", "--add", "--cacheinfo", f"160000,{git('rev-parse', 'HEAD')},vendor/lib")
    git("commit", "-q", "-m", "submodule")
    source = await resolve_source(repository, version="1.0.0", allow_head=True)
    with pytest.raises(SourceError, match="'vendor/lib' is a git submodule"):
        await store.export(repository, source)


@needs_git
async def test_a_commit_that_is_gone_is_an_error_of_git(repository: Path, store: SourceStore) -> None:
    with pytest.raises(GitError):
        await store.export(repository, SourceVersion("0" * 40, "1.0.0", "v1.0.0", SourceKind.GIT))
    with pytest.raises(SourceError, match="is not a commit"):
        await store.export(repository, SourceVersion("--output=x", "1.0.0", "v1.0.0", SourceKind.GIT))


@needs_git
async def test_a_replaced_object_does_not_change_what_is_exported(
    repository: Path, git: GitCommand, store: SourceStore
) -> None:
    good = git("rev-parse", "HEAD")
    source = await resolve_source(repository, version="1.0.0", allow_head=True)
    evil = commit(git, repository, "evil")
    git("replace", good, evil)
    stored = await store.export(repository, source)
    assert (stored.path / "src" / "app.py").read_text() == "VERSION = '1.0.0'\n"


# -- plain folders ---------------------------------------------------------------------------------------


async def test_a_folders_tree_digest_stands_for_its_commit(folder: Path) -> None:
    first = await resolve_source(folder, version="1.0.0", allow_head=False)
    (folder / "__pycache__" / "app.pyc").write_text("other cache")
    assert await resolve_source(folder, version="1.0.0", allow_head=False) == first
    (folder / "src" / "app.py").write_text("changed")
    changed = await resolve_source(folder, version="1.0.0", allow_head=False)
    assert first.commit.startswith("sha256:")
    assert first.commit != changed.commit
    assert (first.kind, first.tag, first.creates_tag) == (SourceKind.FOLDER, None, False)


async def test_a_folder_is_exported_without_its_exclusions(folder: Path, store: SourceStore) -> None:
    (folder / "secret.env").write_text("KEY=1")
    source = await resolve_source(folder, version="1.0.0", allow_head=False, exclude=["*.env"])
    stored = await store.export(folder, source, exclude=["*.env"])
    assert stored.digest == source.commit
    assert [path.name for path in stored.path.iterdir()] == ["src"]


async def test_a_folder_that_changed_since_it_was_resolved_is_refused(
    folder: Path, store: SourceStore
) -> None:
    source = await resolve_source(folder, version="1.0.0", allow_head=False)
    (folder / "src" / "app.py").write_text("changed")
    with pytest.raises(SourceChangedError):
        await store.export(folder, source)


async def test_a_link_in_the_migrations_folder_that_leaves_the_project_is_refused(folder: Path) -> None:
    (folder / "versions").mkdir()
    (folder / "versions" / "0001.py").symlink_to("../../outside.py")
    with pytest.raises(UnsafeTreeError, match=r"versions/0001\.py"):
        await resolve_source(folder, version="1.0.0", allow_head=False)


async def test_a_project_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="there is no project at"):
        await resolve_source(tmp_path / "none", version="1.0.0", allow_head=False)


async def test_a_folder_has_no_tags(folder: Path) -> None:
    source = await resolve_source(folder, version="1.0.0", allow_head=True)
    with pytest.raises(SourceError, match="plain folder"):
        await create_tag(folder, source)


# -- what happens to an export later ---------------------------------------------------------------------


async def test_a_file_swapped_between_scan_and_run_is_found(
    folder: Path, store: SourceStore, tmp_path: Path
) -> None:
    stored = await store.export(folder, await resolve_source(folder, version="1.0.0", allow_head=False))
    assert await store.verify(stored.digest) == stored
    swapped = stored.path / "src" / "app.py"
    swapped.parent.chmod(0o755)
    swapped.unlink()
    swapped.write_text("evil")
    with pytest.raises(StoreDamagedError):
        await store.verify(stored.digest)
    with pytest.raises(StoreDamagedError):
        await store.working_copy(stored.digest, tmp_path / "work")
    assert not (tmp_path / "work").exists()


async def test_a_working_copy_can_be_written_and_leaves_the_store_alone(
    folder: Path, store: SourceStore, tmp_path: Path
) -> None:
    stored = await store.export(folder, await resolve_source(folder, version="1.0.0", allow_head=False))
    copy = await store.working_copy(stored.digest, tmp_path / "work")
    (copy / "src" / "app.py").write_text("built")
    (copy / "dist").mkdir()
    assert await store.verify(stored.digest) == stored


async def test_pruning_keeps_protected_exports(folder: Path, store: SourceStore) -> None:
    first = await store.export(folder, await resolve_source(folder, version="1.0.0", allow_head=False))
    (folder / "src" / "app.py").write_text("second")
    second = await store.export(folder, await resolve_source(folder, version="2.0.0", allow_head=False))
    assert await store.prune([second.digest]) == [first.digest]
