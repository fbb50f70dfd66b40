"""Migrations on a real MariaDB or MySQL, which commits each change of the schema by itself."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

ENV_PY = """\
import logging, os
from alembic import context
from sqlalchemy import create_engine

logging.basicConfig(level=logging.WARNING)
logging.getLogger("alembic.runtime.migration").setLevel(logging.INFO)
engine = create_engine(os.environ["DATABASE_URL"])
with engine.connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
"""

AT_WORK = (
    "SELECT id FROM information_schema.processlist "
    "WHERE db = DATABASE() AND id <> CONNECTION_ID() AND info LIKE '%SLEEP%'"
)


def migration(action="run", **more):
    return {"id": "M", "agent_type": "migration", "action": action, "environment": "development", **more}


class Database:
    """The database that the migrations run in, seen from beside."""

    def __init__(self, url, ask):
        self.url = url
        self._ask = ask

    def at_work(self):
        return self._ask(self.url, AT_WORK)

    def tables(self):
        rows = self._ask(self.url, "SHOW TABLES")
        return {name for (name,) in rows} - {"alembic_version"}


@pytest.fixture
def database(mysql, ask_mysql):
    return Database(mysql(), ask_mysql)


@pytest.fixture
def on_mysql(project, migrations, database):
    """The project with its migrations on MariaDB or MySQL."""
    project.dialect = "mariadb"
    project.environ["APP_URL"] = database.url
    project.databases = {"development": "env:APP_URL"}
    project.settings()
    project.write("alembic/env.py", ENV_PY)
    return project


async def test_migrations_run_and_are_taken_back(on_mysql, migrations, database):
    migrations()
    on_mysql.queue(migration())
    async with on_mysql.hosted() as driver:
        await driver.go()
        run = driver.run("M")
        assert (run.state, run.revision_after) == ("succeeded", "0002"), run.reason
        assert database.tables() == {"t0001", "t0002"}
        on_mysql.queue({**migration("downgrade", revision="base"), "id": "DOWN"})
        await driver.engine.reload()
        await driver.idle()
        await driver.approve("DOWN")
        assert driver.run("DOWN").revision_after == "base", driver.run("DOWN").reason
        assert "h1dden-word" not in driver.log("M") + driver.log("DOWN")
    assert database.tables() == set()


async def test_half_done_changes_of_the_schema_are_found(on_mysql, migrations, database):
    on_mysql.queue(migration())
    async with on_mysql.hosted() as driver:
        await driver.go()
        two = 'op.execute("CREATE TABLE half (id int)"); op.execute("INSERT INTO nowhere VALUES (1)")'
        migrations(up=two)
        on_mysql.queue({**migration(), "id": "M2"})
        await driver.engine.reload()
        await driver.idle()
        run = driver.run("M2")
        assert run.state == "halted", run.reason
        assert "half changed" in run.reason
        assert run.revision_after == "unknown"
    assert database.tables() == {"t0001", "half"}


async def test_a_revision_that_fails_behind_others_leaves_nobody_sure(on_mysql, migrations, database):
    migrations()
    migrations(up='op.execute("INSERT INTO nowhere VALUES (1)")')
    on_mysql.queue(migration())
    async with on_mysql.hosted() as driver:
        await driver.go()
        run = driver.run("M")
        assert run.state == "halted", run.reason
        assert "stands at 0002, on the way to 0003" in run.reason
        assert run.revision_after == "unknown"


async def test_a_statement_whose_program_was_killed_is_waited_for_and_what_it_did_is_found(
    on_mysql, migrations, database, until, alembic_of
):
    on_mysql.queue(migration())
    async with on_mysql.hosted() as driver:
        await driver.go()
        # Long enough to be killed in the middle; a lock would not do: who waits for one is looked after.
        migrations(up='op.execute("CREATE TABLE slow AS SELECT SLEEP(15) AS one")')
        on_mysql.queue({**migration(), "id": "M2"})
        await driver.engine.reload()
        going = asyncio.ensure_future(driver.idle())
        await until(database.at_work, "the migration works")
        [(session,)] = database.at_work()
        [program] = alembic_of(driver.run("M2").id)
        os.kill(program, signal.SIGKILL)
        await until(lambda: f"waiting for session {session}" in driver.log("M2"), "it is waited for")
        assert database.at_work()
        await going
        assert database.at_work() == []
        run = driver.run("M2")
        assert run.state == "halted", run.reason
        assert "half changed" in run.reason
    assert database.tables() == {"t0001", "slow"}
