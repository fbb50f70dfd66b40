from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from opconsole.alembic_program import (
    BASE,
    AlembicConfigError,
    UnsafeTreeError,
    check_revision,
    current_argv,
    current_revision,
    downgrade_argv,
    find_config,
    parse_current,
    parse_progress,
    sql_argv,
    upgrade_argv,
)
from opconsole.programs import Ending, ProgramResult
from opconsole.steps import CAPTURE_LIMIT, NO_VARIABLES, StepFailed

INI = "[alembic]\nscript_location = %(here)s/alembic\n"

ENV = """
import os
from alembic import context
from sqlalchemy import create_engine

print("connecting")
print("0123456789ab is what a revision looks like")
engine = create_engine(os.environ["DATABASE_URL"])
with engine.connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
"""

MIGRATION = '''"""Change {name}.

Rev: cafe (head)
"""
from alembic import op
import sqlalchemy as sa

revision = "{name}"
down_revision = {down}

def upgrade():
    op.create_table("{name}_t", sa.Column("id", sa.Integer, primary_key=True))

def downgrade():
    op.drop_table("{name}_t")
'''


class Subprocesses:
    """A StepContext that runs programs plainly, for tests."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = {"PATH": f"{Path(sys.executable).parent}:{os.defpath}", **variables}

    def note(self, text: str) -> None:
        pass

    async def program(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        variables: Mapping[str, str] = NO_VARIABLES,
        limit: float | None = None,
    ) -> ProgramResult:
        return (await self.capture(argv, cwd=cwd, variables=variables, limit=limit))[0]

    async def capture(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        variables: Mapping[str, str] = NO_VARIABLES,
        limit: float | None = None,
    ) -> tuple[ProgramResult, str]:
        started = datetime.now(UTC)
        process = await asyncio.create_subprocess_exec(
            *argv,
            cwd=cwd,
            env={**self._variables, **variables},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        output, _ = await process.communicate()
        status = process.returncode
        ended = datetime.now(UTC)
        result = ProgramResult(Ending.EXITED, status, None, started, ended, f"exited with status {status}")
        return result, output[:CAPTURE_LIMIT].decode()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    backend = tmp_path / "project" / "backend"
    versions = backend / "alembic" / "versions"
    versions.mkdir(parents=True)
    (backend / "alembic.ini").write_text(INI)
    (backend / "alembic" / "env.py").write_text(ENV)
    (versions / "0001_a.py").write_text(MIGRATION.format(name="aaaa", down="None"))
    (versions / "0002_b.py").write_text(MIGRATION.format(name="bbbb", down='"aaaa"'))
    return tmp_path / "project"


@pytest.fixture
def config(project: Path) -> Path:
    return find_config(project, "backend/alembic/versions")


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/app.db"


@pytest.fixture
def context(url: str) -> Subprocesses:
    return Subprocesses({"DATABASE_URL": url})


# -- with the real Alembic -------------------------------------------------------------------------------


async def test_the_revision_follows_the_migrations_there_and_back(
    config: Path, context: Subprocesses
) -> None:
    assert await current_revision(context, config) == frozenset()
    assert (await context.program(upgrade_argv(config, "head"), cwd=config.parent)).ok
    assert await current_revision(context, config) == {"bbbb"}
    assert (await context.program(downgrade_argv(config, "aaaa"), cwd=config.parent)).ok
    assert await current_revision(context, config) == {"aaaa"}
    assert (await context.program(downgrade_argv(config, BASE), cwd=config.parent)).ok
    assert await current_revision(context, config) == frozenset()


async def test_several_heads_are_all_told(project: Path, config: Path, context: Subprocesses) -> None:
    branch = MIGRATION.format(name="cccc", down='"aaaa"')
    (project / "backend" / "alembic" / "versions" / "0003_c.py").write_text(branch)
    assert (await context.program(upgrade_argv(config, "heads"), cwd=config.parent)).ok
    assert await current_revision(context, config) == {"bbbb", "cccc"}


async def test_an_alembic_that_fails_is_never_taken_for_base(
    project: Path, config: Path, context: Subprocesses
) -> None:
    (project / "backend" / "alembic" / "env.py").write_text("raise RuntimeError('no database')")
    with pytest.raises(StepFailed, match="could not tell the database's revision"):
        await current_revision(context, config)


async def test_an_env_py_that_never_connects_is_never_taken_for_base(
    project: Path, config: Path, context: Subprocesses
) -> None:
    (project / "backend" / "alembic" / "env.py").write_text("print('offline')")
    with pytest.raises(StepFailed, match="did not say at which revision"):
        await current_revision(context, config)


async def test_a_database_ahead_of_the_projects_files_is_a_failure(
    project: Path, config: Path, context: Subprocesses
) -> None:
    assert (await context.program(upgrade_argv(config, "head"), cwd=config.parent)).ok
    (project / "backend" / "alembic" / "versions" / "0002_b.py").unlink()
    with pytest.raises(StepFailed):
        await current_revision(context, config)


# -- arguments and output --------------------------------------------------------------------------------


def test_the_argument_lists_are_plain(config: Path) -> None:
    start = ("python", "-m", "alembic", "-c", "alembic.ini")
    assert current_argv(config) == (*start, "current", "--verbose")
    assert upgrade_argv(config, "head") == (*start, "upgrade", "head")
    assert downgrade_argv(config, BASE) == (*start, "downgrade", "base")
    assert sql_argv(config, BASE, "bbbb") == (*start, "upgrade", "base:bbbb", "--sql")
    assert sql_argv(config, "bbbb", "aaaa", back=True) == (*start, "downgrade", "bbbb:aaaa", "--sql")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("INFO  [alembic.runtime.migration] Running upgrade  -> aaaa, Make a.", ("upgrade", "aaaa")),
        ("INFO  [alembic.runtime.migration] Running upgrade aaaa -> bbbb", ("upgrade", "bbbb")),
        ("Running upgrade aaaa, bbbb -> cccc, Merge, and more", ("upgrade", "cccc")),
        ("Running downgrade bbbb -> aaaa, Make b.", ("downgrade", "bbbb")),
        ("Running downgrade aaaa -> , Make a.", ("downgrade", "aaaa")),
        ("Running upgrade tests", None),
        ("upgrade aaaa -> bbbb", None),
    ],
)
def test_progress_is_read_from_alembics_log(line: str, told: tuple[str, str] | None) -> None:
    assert parse_progress(line) == told


@pytest.mark.parametrize("revision", ["-1", "--sql", "", "a b", "a;b", "a\n", "+1"])
def test_a_revision_that_would_be_an_option_is_refused(revision: str) -> None:
    with pytest.raises(ValueError, match="is not a revision"):
        check_revision(revision)


def test_output_is_read_through_noise() -> None:
    verbose = (
        "INFO  [alembic.runtime.migration] Context impl SQLiteImpl.\n"
        "Current revision(s) for sqlite:///app.db:\n"
        "Rev: ae1027a6acf (head) (mergepoint)\nMerges: a, b\nPath: /x/y.py\n\n    Rev: fake (head)\n"
    )
    assert parse_current(verbose) == {"ae1027a6acf"}
    assert parse_current("Current revision(s) for sqlite:///app.db:\n") == frozenset()
    assert parse_current("connecting\nae1027a6acf (head)\n0123456789ab\r\n") == {
        "ae1027a6acf",
        "0123456789ab",
    }
    assert parse_current("connecting\nDone.\n") is None
    assert parse_current("") is None


# -- alembic.ini -----------------------------------------------------------------------------------------


def test_the_nearest_alembic_ini_above_the_migrations_is_found(project: Path) -> None:
    (project / "alembic.ini").write_text(INI)
    nearest = find_config(project, "backend/alembic/versions")
    assert nearest == Path(os.path.realpath(project)) / "backend" / "alembic.ini"
    nearest.unlink()
    assert find_config(project, "backend/alembic/versions").parent == Path(os.path.realpath(project))


def test_the_configured_alembic_ini_goes_first(project: Path) -> None:
    (project / "other.ini").write_text(INI)
    assert find_config(project, "backend/alembic/versions", "other.ini").name == "other.ini"
    with pytest.raises(AlembicConfigError, match=r"there is no none\.ini"):
        find_config(project, "backend/alembic/versions", "none.ini")


def test_an_alembic_ini_outside_the_project_is_not_found(project: Path) -> None:
    (project / "backend" / "alembic.ini").unlink()
    (project.parent / "alembic.ini").write_text(INI)
    with pytest.raises(AlembicConfigError, match=r"there is no alembic\.ini"):
        find_config(project, "backend/alembic/versions")


@pytest.mark.parametrize("path", ["../../etc", "/etc", "backend/../../x"])
def test_a_migrations_path_out_of_the_project_is_refused(project: Path, path: str) -> None:
    with pytest.raises(UnsafeTreeError):
        find_config(project, path)


def test_links_out_of_the_project_are_refused(project: Path) -> None:
    (project / "migrations").symlink_to("/etc")
    with pytest.raises(UnsafeTreeError):
        find_config(project, "migrations")
    (project / "backend" / "alembic.ini").unlink()
    (project / "backend" / "alembic.ini").symlink_to("/etc/hostname")
    with pytest.raises(UnsafeTreeError):
        find_config(project, "backend/alembic/versions")


def test_a_migrations_folder_that_is_not_there_is_named(project: Path) -> None:
    with pytest.raises(AlembicConfigError, match="there is no folder backend/none"):
        find_config(project, "backend/none")
