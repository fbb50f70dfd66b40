"""What a rollback loses is read from its migrations, counted in a real database, and told to who decides."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from guardrails.findings import Direction
from guardrails.migrations.read import read_migration
from opconsole.cli.asking import approval_prompt, plan_lines
from opconsole.databases import DatabaseError, open_database
from opconsole.losing import Loss, read_losses


def losses(down: str) -> list[str]:
    import ast  # noqa: PLC0415 (for this alone)

    body = "\n".join(f"    {line}" for line in down.splitlines())
    head = "from alembic import op\nrevision = '1'\ndown_revision = None\ndef upgrade():\n    pass\n"
    text = f"{head}def downgrade():\n{body}\n"
    file = read_migration(ast.parse(text), "0001.py", "sqlite")
    assert all(one.direction is Direction.DOWNGRADE for one in file.operations)
    return [str(loss) for loss in read_losses(file.operations)]


def test_what_a_downgrade_takes_away_is_read_from_it() -> None:
    assert losses("op.drop_table('renewals')") == ["table renewals"]
    assert losses("op.drop_column('users', 'email')") == ["column users.email"]
    assert losses("op.execute('DROP TABLE renewals')") == ["table renewals"]
    assert losses("op.execute('ALTER TABLE users DROP COLUMN email')") == ["column users.email"]
    assert losses("with op.batch_alter_table('users') as batch:\n    batch.drop_column('email')") == [
        "column users.email"
    ]
    assert losses("op.execute('DELETE FROM renewals')") == ["table renewals"]
    assert losses("op.drop_index('ix_users')") == []
    assert losses("op.add_column('users', None)") == []


def test_what_cannot_be_told_counts_as_lost() -> None:
    assert losses("op.execute(statement_of_somebody())") == ["table (unknown)"]


FIRST = "op.execute('CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT)')"
UNDO_FIRST = "op.execute('DROP TABLE people')"
SECOND = (
    "op.execute('ALTER TABLE people ADD COLUMN email TEXT'); op.execute('CREATE TABLE letters (id INTEGER)')"
)
UNDO_SECOND = "op.drop_table('letters'); op.execute('ALTER TABLE people DROP COLUMN email')"


async def two_releases(project: Any, driver: Any, deploy: Any, migrations: Any, environment: str) -> None:
    """Deploy two versions with a migration each; the second adds a table and a column."""
    migrations(FIRST, UNDO_FIRST)
    project.settings()
    more = {"run_migrations": True, "migrations_path": "alembic/versions"}
    project.queue(deploy("D1", environment, "1.0.0", **more))
    await driver.engine.reload()
    await driver.go()
    if driver.state("D1") == "waiting":
        await driver.approve("D1")
    assert driver.state("D1") == "succeeded", driver.run("D1").reason
    migrations(SECOND, UNDO_SECOND)
    project.write("app.txt", "1.1.0\n")
    project.queue(deploy("D2", environment, "1.1.0", **more))
    await driver.engine.reload()
    await driver.go()
    if driver.state("D2") == "waiting":
        await driver.approve("D2")
    assert driver.state("D2") == "succeeded", driver.run("D2").reason


def write(project: Any, environment: str, *statements: str) -> None:
    with closing(sqlite3.connect(project.database(environment))) as database:
        for statement in statements:
            database.execute(statement)
        database.commit()


async def roll_back(project: Any, driver: Any, environment: str) -> None:
    project.queue({"id": "BACK", "agent_type": "rollback", "environment": environment})
    await driver.engine.reload()
    await driver.idle()


async def test_a_rollback_that_loses_rows_is_of_the_third_tier_and_names_and_counts_them(
    project: Any, deploy: Any, migrations: Any
) -> None:
    async with project.hosted() as driver:
        await two_releases(project, driver, deploy, migrations, "production")
        write(
            project,
            "production",
            "INSERT INTO people (name, email) VALUES ('a', 'a@b.org'), ('b', NULL), ('c', 'c@b.org')",
            "INSERT INTO letters VALUES (1)",
        )
        await roll_back(project, driver, "production")
        assert driver.state("BACK") == "waiting"
        approval, run = driver.approval("BACK"), driver.run("BACK")
    assert approval.tier == 3
    assert approval.why == (
        "production always needs approval",
        "takes back 1 deployment: 1.1.0",
        "loses table letters: 1 row",
        "loses column people.email: 2 values",
    )
    assert approval.plan["loses"] == {"names": ["table letters", "column people.email"], "data": True}
    # The guide's prompt stays as it is; what is lost is told below it.
    assert "loses" not in approval_prompt(run, approval)
    assert "Why: loses column people.email: 2 values" in plan_lines(run, approval)


async def test_a_rollback_over_empty_tables_loses_nothing_until_somebody_writes_into_them(
    project: Any, deploy: Any, migrations: Any
) -> None:
    async with project.hosted() as driver:
        await two_releases(project, driver, deploy, migrations, "production")
        await roll_back(project, driver, "production")
        approval = driver.approval("BACK")
        assert approval.tier == 2
        assert "drops table letters, which is empty now" in approval.why
        write(project, "production", "INSERT INTO letters VALUES (1)")
        await driver.approve("BACK")
        # What was approved was a plan that loses nothing.
        assert driver.state("BACK") == "waiting"
        again = driver.approval("BACK")
        assert again.digest != approval.digest
        assert again.tier == 3
        assert "loses table letters: 1 row" in again.why


async def test_staging_still_goes_back_by_itself(project: Any, deploy: Any, migrations: Any) -> None:
    async with project.hosted() as driver:
        await two_releases(project, driver, deploy, migrations, "development")
        write(project, "development", "INSERT INTO letters VALUES (1)")
        await roll_back(project, driver, "development")
        assert driver.state("BACK") == "succeeded", driver.run("BACK").reason


def test_sqlite_counts_without_writing_and_knows_names_in_any_case(tmp_path: Path) -> None:
    file = tmp_path / "app.db"
    with closing(sqlite3.connect(file)) as made:
        made.execute('CREATE TABLE "Odd "" name" (a TEXT, "B b" TEXT)')
        made.executemany('INSERT INTO "Odd "" name" VALUES (?, ?)', [("1", None), ("2", "x")])
        made.commit()
    before = file.read_bytes()
    database = open_database(f"sqlite:///{file}")
    assert database.count('odd " name', None, 10) == 2
    assert database.count('main.ODD " NAME', "b B", 10) == 1
    assert database.count("missing", None, 10) is None
    assert database.count('odd " name', "missing", 10) is None
    assert file.read_bytes() == before
    assert open_database(f"sqlite:///{tmp_path}/none.db").count("t", None, 10) is None


def test_counting_has_an_end(tmp_path: Path) -> None:
    file = tmp_path / "app.db"
    with closing(sqlite3.connect(file)) as made:
        made.execute("CREATE TABLE t (a TEXT)")
        made.executemany("INSERT INTO t VALUES (?)", [("x" * 200,)] * 100_000)
        made.commit()
    with pytest.raises(DatabaseError, match="interrupted"):
        open_database(f"sqlite:///{file}").count("t", "a", 0.0)


def test_postgres_counts_in_schemas_and_only_reads(postgres: Any, ask_postgres: Any) -> None:
    url = postgres()
    ask_postgres(url, 'CREATE TABLE "People" (id int, email text)')
    ask_postgres(url, "INSERT INTO \"People\" VALUES (1, 'a'), (2, NULL)")
    ask_postgres(url, "CREATE SCHEMA app")
    ask_postgres(url, "CREATE TABLE app.letters (id int)")
    database = open_database(url)
    assert database.count("people", None, 10) == 2
    assert database.count("people", "EMAIL", 10) == 1
    assert database.count("app.letters", None, 10) == 0
    assert database.count("letters", None, 10) is None
    assert database.count("people; DROP TABLE people", None, 10) is None
    assert ask_postgres(url, 'SELECT count(*) FROM "People"') == [(2,)]


def test_mysql_counts_rows_and_values(mysql: Any, ask_mysql: Any) -> None:
    url = mysql()
    ask_mysql(url, "CREATE TABLE People (id int, email text)")
    ask_mysql(url, "INSERT INTO People VALUES (1, 'a'), (2, NULL)")
    database = open_database(url)
    assert database.count("people", None, 10) == 2
    assert database.count("people", "EMAIL", 10) == 1
    assert database.count("letters", None, 10) is None


def test_a_database_of_another_kind_is_not_counted() -> None:
    with pytest.raises(DatabaseError, match="cannot look into"):
        open_database("oracle://localhost/x").count("t", None, 10)


def test_a_loss_says_what_it_is() -> None:
    assert str(Loss("people", "email")) == "column people.email"
    assert str(Loss("people")) == "table people"
