"""Migrations on a real PostgreSQL: they are over when the database says so, whoever was killed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

ENV_PY = """\
import logging, os
from alembic import context
from sqlalchemy import create_engine

logging.basicConfig(level=logging.WARNING)
logging.getLogger("alembic.runtime.migration").setLevel(logging.INFO)
engine = create_engine(os.environ["DATABASE_URL"])
with engine.connect() as connection:
    context.configure(connection=connection, transaction_per_migration={each})
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
"""

HELD = 'op.execute("CREATE TABLE slow AS SELECT 1 AS one, pg_advisory_lock(42)::text AS two")'
ALONE = """with op.get_context().autocommit_block():
        op.execute("CREATE TABLE slow AS SELECT 1 AS one, pg_advisory_lock(42)::text AS two")"""
PATIENT = "client_check = 0.0\nlock_timeout = 0.0"  # the server does not look after its client, and works on

AT_WORK = (
    "SELECT pid, application_name FROM pg_stat_activity WHERE datname = current_database() "
    "AND application_name LIKE 'opconsole r-% migrate' AND state = 'active' AND query LIKE '%advisory_lock%'"
)


def migration(action="run", environment="development", **more):
    return {"id": "M", "agent_type": "migration", "action": action, "environment": environment, **more}


class Database:
    """The database that the migrations run in, seen from beside."""

    def __init__(self, url, ask):
        self.url = url
        self._ask = ask

    def ask(self, statement):
        return self._ask(self.url, statement)

    def at_work(self):
        """List the sessions of a migration that are at a long statement: the process and the name."""
        return self.ask(AT_WORK)

    def tables(self):
        rows = self.ask(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        )
        return {name for (name,) in rows} - {"alembic_version"}


@pytest.fixture
def database(postgres, ask_postgres):
    return Database(postgres(), ask_postgres)


@pytest.fixture
def on_postgres(project, migrations, database):
    """The project with its migrations on PostgreSQL; the password in the URL is nobody's business."""
    project.dialect = "postgresql"
    project.environ["APP_URL"] = database.url.replace("postgres:@", "postgres:h1dden-word@")
    project.databases = dict.fromkeys(("development", "staging", "production"), "env:APP_URL")
    project.settings()
    project.write("alembic/env.py", ENV_PY.format(each=False))
    return project


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


class Gate:
    """A lock that the migrations wait for until it is opened."""

    def __init__(self, holder, started):
        self._holder = holder
        self.reached = started

    def open(self):
        self._holder.execute("SELECT pg_advisory_unlock(42)")


@pytest.fixture
def gate(database, until, alembic_of):
    async def started():
        """Wait until a migration is at the gate; give the database's session and the program."""
        await until(database.at_work, "the migration works")
        [(session, name)] = database.at_work()
        [program] = alembic_of(name.split()[1])
        return session, program

    with psycopg.connect(database.url.replace("+psycopg", ""), autocommit=True) as holder:
        holder.execute("SELECT pg_advisory_lock(42)")
        yield Gate(holder, started)


async def test_the_guides_migration_task_runs_end_to_end(on_postgres, migrations, database):
    migrations(
        up="op.execute(\"CREATE TABLE seen AS SELECT current_setting('application_name') AS name, "
        "current_setting('lock_timeout') AS locks, current_setting('statement_timeout') AS statements\")",
        down='op.drop_table("seen")',
    )
    on_postgres.migration_lines = "lock_timeout = 7.0"
    on_postgres.settings()
    on_postgres.queue(
        {
            "id": "MIGRATE-001",
            "description": "Run database migrations for credentialmate staging",
            "agent_type": "migration",
            "environment": "staging",
            "migrations_path": "alembic/versions",
            "completion_promise": "MIGRATIONS_COMPLETE",
        }
    )
    async with on_postgres.hosted() as driver:
        await driver.go()
        assert driver.approval("MIGRATE-001").why == ("first time in staging",)
        assert database.tables() == set()
        await driver.approve("MIGRATE-001")
        run = driver.run("MIGRATE-001")
        assert (run.state, run.revision_before, run.revision_after) == ("succeeded", "base", "0002"), (
            run.reason
        )
        assert database.ask("SELECT * FROM seen") == [(f"opconsole {run.id} migrate", "7s", "10min")]
        told = [event.detail["text"] for event in driver.events("progress")]
        assert told == ["1/2 0001 Make t0001.", "2/2 0002 Make t0002."]
        assert [event.detail["text"] for event in driver.events("promise")] == ["MIGRATIONS_COMPLETE"]
        assert "h1dden-word" not in driver.log("MIGRATE-001")
        assert "h1dden-word" not in str(run.plan)


async def test_a_migration_whose_program_is_killed_is_over_when_its_session_is(
    on_postgres, migrations, database, gate, until
):
    on_postgres.migration_lines = PATIENT
    on_postgres.settings()
    migrations(up=HELD, down='op.drop_table("slow")')
    on_postgres.queue(migration())
    async with on_postgres.hosted() as driver:
        going = asyncio.ensure_future(driver.go())
        backend, program = await gate.reached()
        os.kill(program, signal.SIGKILL)
        await until(lambda: f"waiting for session {backend}" in driver.log("M"), "it is waited for")
        assert driver.state("M") == "running"
        gate.open()
        await going
        assert database.at_work() == []
        run = driver.run("M")
        assert run.state == "rolled_back", run.reason
        assert "the database stands at base, as before" in run.reason
        assert run.revision_after == "base"
        assert database.tables() == set()


async def test_what_an_autocommit_block_left_behind_after_its_program_was_killed_is_found(
    on_postgres, migrations, database, gate, until
):
    on_postgres.migration_lines = PATIENT
    on_postgres.settings()
    migrations(up=ALONE, down='op.drop_table("slow")')
    on_postgres.queue(migration(revision="0001"))
    async with on_postgres.hosted() as driver:
        await driver.go()
        assert driver.state("M") == "succeeded", driver.run("M").reason
        on_postgres.queue({**migration(), "id": "M2"})
        await driver.engine.reload()
        going = asyncio.ensure_future(driver.idle())
        _, program = await gate.reached()
        os.kill(program, signal.SIGKILL)
        await until(lambda: "waiting for session" in driver.log("M2"), "it is waited for")
        assert database.tables() == {"t0001"}
        gate.open()
        await going
        run = driver.run("M2")
        assert run.state == "halted", run.reason
        assert "half changed" in run.reason
        assert run.revision_after == "unknown"
        assert database.tables() == {"t0001", "slow"}  # it came after its program's death


async def test_a_server_that_looks_after_its_client_ends_a_killed_migration_soon(
    on_postgres, migrations, database, gate, until
):
    migrations(up=HELD, down='op.drop_table("slow")')
    on_postgres.queue(migration())
    async with on_postgres.hosted() as driver:
        going = asyncio.ensure_future(driver.go())
        _, program = await gate.reached()
        os.kill(program, signal.SIGKILL)
        await going
        assert driver.state("M") == "rolled_back", driver.run("M").reason
        assert "telling the database to end" not in driver.log("M")


async def test_when_the_time_is_up_the_session_is_ended_and_that_is_verified(
    on_postgres, migrations, database, gate
):
    on_postgres.migration_lines = f"{PATIENT}\nstatement_timeout = 0.0"
    # More than a busy machine needs to begin.
    on_postgres.more = "[projects.app.environments.development.limits]\nmigration = 15.0"
    on_postgres.settings()
    migrations(up=HELD, down='op.drop_table("slow")')
    on_postgres.queue(migration())
    async with on_postgres.hosted() as driver:
        await driver.go()
        run = driver.run("M")
        assert run.state == "rolled_back", run.reason
        assert "the database stands at base, as before" in run.reason
        assert "telling the database to end session" in driver.log("M")
        assert "the database is done with the migration" in driver.log("M")
    assert database.at_work() == []
    assert database.tables() == set()


async def test_a_cancelled_migration_is_only_called_so_when_its_session_is_gone(
    on_postgres, migrations, database, gate, until
):
    on_postgres.migration_lines = PATIENT
    on_postgres.settings()
    migrations(up=HELD, down='op.drop_table("slow")')
    on_postgres.queue(migration())
    async with on_postgres.hosted() as driver:
        going = asyncio.ensure_future(driver.go())
        await gate.reached()
        await driver.engine.scheduler.cancel(driver.run("M").key)
        assert database.at_work() == []
        run = driver.run("M")
        assert (run.state, run.revision_after) == ("interrupted", "base")
        assert "the migration was cancelled; the database stands at base, as before" in driver.log("M")
        await going
    assert database.tables() == set()


async def test_a_lock_that_somebody_holds_fails_the_migration_soon_and_cleanly(
    on_postgres, migrations, database
):
    on_postgres.migration_lines = "lock_timeout = 1.0"
    on_postgres.settings()
    on_postgres.queue(migration())
    async with on_postgres.hosted() as driver:
        await driver.go()
        migrations(up='op.execute("ALTER TABLE t0001 ADD c int")', down='op.drop_column("t0001", "c")')
        on_postgres.queue({**migration(), "id": "M2"})
        await driver.engine.reload()
        with psycopg.connect(database.url.replace("+psycopg", "")) as somebody:
            somebody.execute("SELECT * FROM t0001")
            await driver.idle()
        run = driver.run("M2")
        assert run.state == "rolled_back", run.reason
        assert "lock timeout" in driver.log("M2")
        assert "stands at 0001, as before" in run.reason


async def test_where_each_revision_is_a_transaction_the_database_stands_whole_on_the_way(
    on_postgres, migrations, database
):
    on_postgres.write("alembic/env.py", ENV_PY.format(each=True))
    migrations()
    migrations(up='op.execute("SELECT nothing FROM nowhere")')
    on_postgres.queue(migration())
    async with on_postgres.hosted() as driver:
        await driver.go()
        run = driver.run("M")
        assert run.state == "rolled_back", run.reason
        assert "stands at 0002, whole, on the way to 0003" in run.reason
        assert driver.effects("M") == ["migrate", "migrate-back"]
    assert database.tables() == set()


async def test_in_production_a_failed_migration_halts_and_revert_leads_back(
    on_postgres, migrations, database
):
    on_postgres.write("alembic/env.py", ENV_PY.format(each=True))
    migrations()
    migrations(up='op.execute("SELECT nothing FROM nowhere")', down='op.execute("SELECT 1")')
    on_postgres.queue(migration(environment="production"))
    async with on_postgres.hosted() as driver:
        await driver.go()
        await driver.approve("M")
        run = driver.run("M")
        assert (run.state, run.revision_after) == ("halted", "0002"), run.reason
        assert "stands at 0002, whole, on the way to 0003" in run.reason
        assert (await driver.decide("M", "revert")).granted
        plan = driver.approval("M").plan
        assert [file["revision"] for file in plan["migrations"]["files"]] == ["0001", "0002"]
        await driver.approve("M")
        run = driver.run("M")
        assert (run.state, run.revision_after) == ("rolled_back", "base"), run.reason
    assert database.tables() == set()


async def test_a_task_may_name_its_revision_and_a_downgrade_goes_back_several(
    on_postgres, migrations, database
):
    migrations()
    migrations()
    on_postgres.queue(migration(revision="0002"))
    async with on_postgres.hosted() as driver:
        await driver.go()
        assert driver.run("M").revision_after == "0002", driver.run("M").reason
        on_postgres.queue({**migration(revision="0001"), "id": "BEHIND"})
        await driver.engine.reload()
        await driver.idle()
        assert driver.state("BEHIND") == "failed"
        assert "beyond 0001" in driver.run("BEHIND").reason
        on_postgres.queue({**migration("downgrade", revision="base"), "id": "DOWN"})
        await driver.engine.reload()
        await driver.idle()
        plan = driver.approval("DOWN").plan
        assert [file["revision"] for file in plan["migrations"]["files"]] == ["0001", "0002"]
        await driver.approve("DOWN")
        assert driver.run("DOWN").revision_after == "base", driver.run("DOWN").reason
    assert database.tables() == set()


async def test_without_the_library_nothing_is_migrated_and_what_to_install_is_said(
    on_postgres, database, monkeypatch
):
    on_postgres.queue(migration())
    async with on_postgres.hosted() as driver:
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, "psycopg", None)
            await driver.go()
        run = driver.run("M")
        assert run.state == "failed"
        assert "pip install 'opconsole[postgres]'" in run.reason
    assert database.tables() == set()


# -- when the worker dies, too ---------------------------------------------------------------------------


@pytest.fixture
def worker(on_postgres):
    """Host the workspace in a process of its own, which can be killed."""
    begun = []

    def start():
        variables = {**os.environ, **on_postgres.environ}
        argv = [sys.executable, "-m", "opconsole", "-C", str(on_postgres.root), "run", "--project", "app"]
        quiet = subprocess.DEVNULL
        begun.append(subprocess.Popen(argv, env=variables, stdin=quiet, stdout=quiet, stderr=quiet))
        return begun[-1]

    yield start
    for process in begun:
        process.kill()
        process.wait()


@pytest.fixture
def killed(worker, database, gate):
    """Let a worker begin a migration and kill it in the middle; *all_of_it*: its step's processes, too."""

    async def kill(*, all_of_it):
        process = worker()
        _, program = await gate.reached()
        shim = parent_of(program)
        process.kill()
        process.wait()
        if all_of_it:
            os.kill(shim, signal.SIGKILL)
        assert database.at_work(), "the database works on"
        return gate

    return kill


async def test_a_migration_that_outlives_its_worker_is_adopted_and_runs_once(
    on_postgres, migrations, killed, database, until
):
    migrations(up=HELD, down='op.drop_table("slow")')
    on_postgres.queue(migration())
    gate = await killed(all_of_it=False)
    async with on_postgres.hosted() as driver:
        going = asyncio.ensure_future(driver.idle())
        await until(lambda: "still runs; it is adopted" in driver.log("M"), "it is adopted")
        gate.open()
        await going
        run = driver.run("M")
        assert (run.state, run.revision_after) == ("succeeded", "0002"), run.reason
        assert driver.log("M").count("Running upgrade 0001 -> 0002") == 1
        assert driver.step("M", "migrate").detail == "base → 0002"
    assert database.tables() == {"t0001", "slow"}


async def test_a_migration_killed_with_its_worker_is_waited_for_and_run_again_from_a_clean_start(
    on_postgres, migrations, killed, database, until
):
    on_postgres.migration_lines = PATIENT
    on_postgres.settings()
    migrations(up=HELD, down='op.drop_table("slow")')
    on_postgres.queue(migration())
    gate = await killed(all_of_it=True)
    async with on_postgres.hosted() as driver:
        going = asyncio.ensure_future(driver.idle())
        await until(lambda: "waiting for session" in driver.log("M"), "it is waited for")
        gate.open()
        await going
        run = driver.run("M")
        assert (run.state, run.revision_after) == ("succeeded", "0002"), run.reason
        log = driver.log("M")
        waited, again = log.index("waiting for session"), log.index("migrating again")
        assert waited < log.index("the database is done with the migration") < again
    assert database.tables() == {"t0001", "slow"}


async def test_a_migration_killed_with_its_worker_in_an_autocommit_block_is_for_a_person(
    on_postgres, migrations, killed, database, until
):
    on_postgres.migration_lines = PATIENT
    on_postgres.settings()
    migrations(up=ALONE, down='op.drop_table("slow")')
    on_postgres.queue(migration())
    gate = await killed(all_of_it=True)
    async with on_postgres.hosted() as driver:
        going = asyncio.ensure_future(driver.idle())
        await until(lambda: "waiting for session" in driver.log("M"), "it is waited for")
        gate.open()
        await going
        run = driver.run("M")
        assert run.state == "interrupted", run.reason
        assert "ended without a record" in run.reason
        assert driver.log("M").count("Running upgrade 0001 -> 0002") == 1
        assert (await driver.decide("M", "abort")).granted
    assert (
        "slow" in database.tables()
    )  # it came although its program was dead: nothing was done twice over it
