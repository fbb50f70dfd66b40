"""Migration tasks, and migrations that guardrails or databases stop."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from opconsole.journal.records import StepState


def migration(action: str, environment: str = "staging", **more: object) -> dict[str, object]:
    return {"id": "M", "agent_type": "migration", "action": action, "environment": environment, **more}


def tables(path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return {name for (name,) in rows} - {"alembic_version"}


async def test_a_migration_to_staging_has_a_first_time_of_its_own(project, migrations):
    project.queue(migration("run"))
    async with project.hosted() as driver:
        await driver.go()
        assert driver.state("M") == "waiting", driver.run("M").reason
        assert driver.approval("M").why == ("first time in staging",)
        assert not project.database("staging").exists()
        await driver.approve("M")
        run = driver.run("M")
        assert (run.state, run.reason, run.revision_after) == ("succeeded", "migrated", "0001")
        assert tables(project.database("staging")) == {"t0001"}
        migrations()
        project.queue({**migration("run"), "id": "M2"})
        await driver.engine.reload()
        await driver.idle()
        assert driver.state("M2") == "succeeded", driver.run("M2").reason
    assert tables(project.database("staging")) == {"t0001", "t0002"}


async def test_in_git_a_migration_without_a_version_runs_from_head(in_git, migrations):
    in_git.git("add", "-A")
    in_git.git("commit", "-qm", "migrations")
    in_git.queue(migration("run"))
    async with in_git.hosted() as driver:
        await driver.go()
        await driver.approve("M")
        assert driver.state("M") == "succeeded", driver.run("M").reason
    assert in_git.git("tag", "--list") == "v1.0.0"


async def test_validating_touches_no_database_and_asks_nobody(project, migrations):
    project.queue(migration("validate", "production"))
    async with project.hosted() as driver:
        await driver.go()
        run = driver.run("M")
        assert (run.state, run.reason) == ("succeeded", "validated")
        assert (True, "Migrations validated (reversible)") in run.preflight
        assert driver.effects("M") == []
    assert not project.database("production").exists()


async def test_a_downgrade_takes_the_newest_migration_back_once_it_is_approved(project, migrations):
    migrations()
    project.queue(migration("run", "development"))
    async with project.hosted() as driver:
        await driver.go()
        assert driver.run("M").revision_after == "0002", driver.run("M").reason
        project.queue({**migration("downgrade", "development"), "id": "DOWN"})
        await driver.engine.reload()
        await driver.idle()
        assert driver.state("DOWN") == "waiting", driver.run("DOWN").reason
        assert driver.approval("DOWN").why == ("a downgrade needs approval",)
        await driver.approve("DOWN")
        run = driver.run("DOWN")
        assert (run.state, run.revision_before, run.revision_after) == ("succeeded", "0002", "0001")
        assert driver.effects("DOWN") == ["migrate-back"]
    assert tables(project.database("development")) == {"t0001"}


async def test_a_downgrade_of_what_cannot_be_taken_back_fails_before_anything_changes(project, migrations):
    migrations(down="pass")
    project.queue(migration("run", "development"))
    async with project.hosted() as driver:
        await driver.go()
        project.queue({**migration("downgrade", "development"), "id": "DOWN"})
        await driver.engine.reload()
        await driver.idle()
        run = driver.run("DOWN")
        assert run.state == "failed"
        assert "0002" in run.reason
        assert "cannot be taken back" in run.reason


async def test_a_dropped_table_blocks_production_with_a_report_and_an_alert(project, deploy, migrations):
    migrations(up='op.execute("DROP TABLE t0001")')
    project.queue(deploy("PROD", "production", run_migrations=True))
    async with project.hosted() as driver:
        await driver.go()
        run = driver.run("PROD")
        assert run.state == "blocked"
        assert "DROP TABLE" in run.reason
        assert (False, "SQL safety violations") in run.preflight
        assert any(
            finding["verdict"] == "block" for file in run.report["files"] for finding in file["findings"]
        )
        assert [event.detail["priority"] for event in driver.events("alert")] == ["P0"]
        assert driver.step("PROD", "build").state is StepState.SKIPPED
        assert driver.reader.waiting_approvals() == []
    assert not project.database("production").exists()


async def test_an_irreversible_migration_blocks_production(project, deploy, migrations):
    migrations(down="pass")
    project.queue(deploy("PROD", "production", run_migrations=True))
    async with project.hosted() as driver:
        await driver.go()
        assert driver.state("PROD") == "blocked"
        assert "0002_make.py" in driver.run("PROD").reason


async def test_half_done_ddl_on_sqlite_halts_and_is_called_half_changed(project, deploy, migrations):
    # As Alembic's own template has it: no transaction around DDL.
    env = project.path / "alembic" / "env.py"
    env.write_text(env.read_text().replace("TRANSACTION = True", "TRANSACTION = False"))
    project.queue(deploy("ONE", "development", run_migrations=True))
    async with project.hosted() as driver:
        await driver.go()
        assert driver.state("ONE") == "succeeded", driver.run("ONE").reason
        migrations(
            up='op.execute("CREATE TABLE half (id INTEGER)"); op.execute("INSERT INTO nowhere VALUES (1)")'
        )
        project.queue(deploy("TWO", "development", "1.1.0", run_migrations=True))
        await driver.engine.reload()
        await driver.idle()
        run = driver.run("TWO")
        assert run.state == "halted", run.reason
        assert "half changed" in run.reason
        assert "nowhere" in driver.log("TWO")
        assert run.revision_after == "unknown"
        refused = await driver.decide("TWO", "revert")
        assert not refused.granted
        assert "nobody can tell" in refused.text
    assert tables(project.database("development")) == {"t0001", "half"}


async def test_a_migration_that_fails_cleanly_is_taken_back_with_its_release(project, deploy, migrations):
    project.queue(deploy("ONE", "development", run_migrations=True))
    async with project.hosted() as driver:
        await driver.go()
        migrations(
            up='op.execute("CREATE TABLE half (id INTEGER)"); op.execute("INSERT INTO nowhere VALUES (1)")'
        )
        project.queue(deploy("TWO", "development", "1.1.0", run_migrations=True))
        await driver.engine.reload()
        await driver.idle()
        run = driver.run("TWO")
        assert run.state == "rolled_back", run.reason
        assert "the database stands at 0001" in run.reason
    assert tables(project.database("development")) == {"t0001"}
    assert project.current("development") == "1.0.0-1"


async def test_a_migration_task_that_fails_cleanly_leaves_nothing_behind_and_lets_go(project, migrations):
    project.queue(migration("run", "development"))
    async with project.hosted() as driver:
        await driver.go()
        migrations(up='op.execute("INSERT INTO nowhere VALUES (1)")')
        project.queue({**migration("run", "development"), "id": "M2"})
        await driver.engine.reload()
        await driver.idle()
        run = driver.run("M2")
        assert run.state == "rolled_back", run.reason
        assert "the database stands at 0001" in run.reason
        assert driver.effects("M2") == ["migrate"]
        assert driver.reader.lock("app", "development").run is None
    assert tables(project.database("development")) == {"t0001"}
