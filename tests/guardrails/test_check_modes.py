"""Which files are read and which findings decide: since a revision, since a commit, without downgrades."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from guardrails.changed import ChangedError, changed_since
from guardrails.check import SinceError, check_paths
from guardrails.environments import GateKind
from guardrails.findings import Report

MIGRATION = '''"""Change it."""
from alembic import op
revision = "{revision}"
down_revision = {down}
def upgrade():
    op.execute("{sql}")
def downgrade():
    op.execute("SELECT 1")
'''


def check(*paths: Path, **options: object) -> Report:
    return check_paths(paths, environment="production", gate=GateKind.PRODUCTION, **options)  # type: ignore[arg-type]


def seen(report: Report) -> list[tuple[str, str, str]]:
    return [(Path(f.path).name, f.rule, f.verdict.value) for f in report.findings]


def migration(folder: Path, revision: str, down: str | None, sql: str) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / f"{revision}.py"
    file.write_text(MIGRATION.format(revision=revision, down=repr(down), sql=sql))
    return file


def git(folder: Path, *words: str) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    variables = {
        **clean,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        "HOME": str(folder),
    }
    return subprocess.run(
        ["git", "-c", "user.name=A", "-c", "user.email=a@example.org", "-C", str(folder), *words],
        env=variables,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    versions = tmp_path / "versions"
    migration(versions, "a1", None, "DROP TABLE a")
    migration(versions, "b2", "a1", "DROP TABLE b")
    (tmp_path / "old.sql").write_text("TRUNCATE old;")
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "one")
    return tmp_path


# -- since a revision -----------------------------------------------------------------------------------


def test_only_what_the_database_lacks_decides(tmp_path: Path) -> None:
    migration(tmp_path, "a1", None, "DROP TABLE a")
    migration(tmp_path, "b2", "a1", "DROP TABLE b")
    assert seen(check(tmp_path, since_revision="a1")) == [
        ("a1.py", "drop-table", "warn"),
        ("b2.py", "drop-table", "block"),
    ]
    assert check(tmp_path, since_revision="head").verdict.value == "warn"


def test_files_named_one_by_one_find_their_chain_beside_them(tmp_path: Path) -> None:
    first = migration(tmp_path, "a1", None, "DROP TABLE a")
    second = migration(tmp_path, "b2", "a1", "DROP TABLE b")
    assert seen(check(first, second, since_revision="a1")) == [
        ("a1.py", "drop-table", "warn"),
        ("b2.py", "drop-table", "block"),
    ]
    assert seen(check(first, since_revision="b2")) == [("a1.py", "drop-table", "warn")]
    assert seen(check(second)) == [("b2.py", "drop-table", "block")]


def test_a_file_is_itself_however_its_path_is_spelled(tmp_path: Path) -> None:
    migration(tmp_path / "versions", "a1", None, "DROP TABLE a")
    migration(tmp_path / "versions", "b2", "a1", "DROP TABLE b")
    spelled = tmp_path / "versions" / ".." / "versions" / "b2.py"
    assert seen(check(spelled, since_revision="a1")) == [("b2.py", "drop-table", "block")]
    assert seen(check(spelled, since_revision="b2")) == [("b2.py", "drop-table", "warn")]


def test_a_revision_that_no_migration_has_is_an_error_and_one_of_another_folder_is_noted(
    tmp_path: Path,
) -> None:
    migration(tmp_path / "one", "a1", None, "DROP TABLE a")
    migration(tmp_path / "two", "c3", None, "DROP TABLE c")
    with pytest.raises(
        SinceError, match=r"one: revision 'zz' is not in the migrations folder; .*two: revision 'zz'"
    ):
        check(tmp_path, since_revision="zz")
    report = check(tmp_path, since_revision="a1")
    assert seen(report) == [("a1.py", "drop-table", "warn"), ("c3.py", "drop-table", "block")]
    assert len(report.notes) == 1
    assert (
        "two: revision 'a1' is not in the migrations folder; so all migrations there decide"
        in report.notes[0]
    )


# -- without downgrades ---------------------------------------------------------------------------------


def test_a_project_without_downgrades_says_so_in_every_report(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(
        MIGRATION.format(revision="1", down=None, sql="SELECT 1").split("def down")[0]
    )
    assert seen(check(tmp_path)) == [("a.py", "missing-downgrade", "block")]
    report = check(tmp_path, downgrade_required=False)
    assert seen(report) == [("a.py", "missing-downgrade", "warn")]
    assert report.notes == ("a missing or empty downgrade() does not block here, by a setting",)


# -- changed since --------------------------------------------------------------------------------------


def test_only_changed_staged_and_new_files_are_read(repository: Path) -> None:
    assert seen(check(repository, changed=changed_since("HEAD", [repository]))) == []
    (repository / "new é.sql").write_text("TRUNCATE new;")
    migration(repository / "versions", "c3", "b2", "DROP TABLE c")
    git(repository, "add", "versions")
    with (repository / "versions" / "b2.py").open("a") as out:
        out.write("# changed\n")
    changed = changed_since("HEAD", [repository])
    assert seen(check(repository, changed=changed)) == [
        ("new é.sql", "truncate", "block"),
        ("b2.py", "drop-table", "block"),
        ("c3.py", "drop-table", "block"),
    ]
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "-m", "two")
    assert seen(check(repository, changed=changed_since("HEAD", [repository]))) == []
    assert len(check(repository, changed=changed_since("HEAD~1", [repository])).files) == 3


def test_the_chain_of_a_changed_migration_is_still_judged(repository: Path) -> None:
    migration(repository / "versions", "c3", "a1", "SELECT 1")
    assert seen(check(repository, changed=changed_since("HEAD", [repository]))) == [
        ("b2.py", "several-heads", "warn"),
        ("c3.py", "several-heads", "warn"),
    ]


def test_a_migration_taken_out_leaves_a_fault_behind(repository: Path) -> None:
    (repository / "versions" / "a1.py").unlink()
    assert seen(check(repository, changed=changed_since("HEAD", [repository]))) == [
        ("b2.py", "missing-parent", "warn")
    ]


def test_what_main_did_meanwhile_does_not_count(repository: Path) -> None:
    git(repository, "switch", "--quiet", "-c", "work")
    (repository / "mine.sql").write_text("TRUNCATE mine;")
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "-m", "mine")
    git(repository, "switch", "--quiet", "main")
    (repository / "old.sql").write_text("TRUNCATE theirs;")
    git(repository, "commit", "--quiet", "-am", "theirs")
    git(repository, "switch", "--quiet", "work")
    assert [path.name for path in changed_since("main", [repository]).present] == ["mine.sql"]


def test_a_hook_s_variables_do_not_lead_to_another_repository(repository: Path, tmp_path: Path) -> None:
    (repository / "old.sql").write_text("TRUNCATE other;")
    environ = {**os.environ, "GIT_DIR": "/nowhere", "GIT_INDEX_FILE": "/nowhere/index"}
    changed = changed_since("HEAD", [repository / "versions"], environ)
    assert [path.name for path in changed.present] == ["old.sql"]


@pytest.mark.parametrize("revision", ["nonsense", "", "--all", "HEAD --output=x", "-h"])
def test_a_revision_that_git_does_not_know_is_named(repository: Path, revision: str) -> None:
    with pytest.raises(ChangedError, match="git knows no revision"):
        changed_since(revision, [repository])


def test_without_git_or_a_repository_it_says_so(
    repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with pytest.raises(ChangedError, match="git is not installed"):
        changed_since("HEAD", [repository], {"PATH": str(repository)})
    outside = tmp_path_factory.mktemp("outside")
    with pytest.raises(ChangedError, match="is in no git repository"):
        changed_since("HEAD", [outside], {**os.environ, "GIT_CEILING_DIRECTORIES": str(outside.parent)})


def test_nothing_that_the_repository_configures_is_run(repository: Path) -> None:
    spy = repository / "spy.sh"
    spy.write_text(f"#!/bin/sh\ntouch '{repository}/ran'\n")
    spy.chmod(0o755)
    for name in ("core.fsmonitor", "diff.external"):
        git(repository, "config", name, str(spy))
    (repository / "old.sql").write_text("TRUNCATE other;")
    changed_since("HEAD", [repository])
    assert not (repository / "ran").exists()
