"""The SQL of a plan that waits, for who decides it: written by Alembic from the run's own copy."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from opconsole.client import Client
from opconsole.plan_sql import plan_sql
from opconsole.steps import StepFailed
from opconsole.workspace import Workspace


async def test_the_sql_of_a_waiting_plan_is_that_of_its_own_copy_and_runs_nothing(
    project, deploy, migrations
):
    newer = migrations()
    project.queue(deploy("ONE", "production", run_migrations=True))
    async with project.hosted() as driver:
        await driver.go()
        assert driver.state("ONE") == "waiting", driver.run("ONE").reason
        newer.write_text("raise SystemExit('the checkout has moved on')\n")
        workspace = Workspace.open(project.root, environ={})
        sql = await plan_sql(workspace, driver.place, driver.run("ONE"), project.environ)
    assert sql.index("CREATE TABLE t0001") < sql.index("CREATE TABLE t0002")
    with closing(sqlite3.connect(project.database("production"))) as database:
        assert database.execute("SELECT name FROM sqlite_master").fetchall() == []


async def test_a_plan_without_migrations_has_no_sql_and_a_read_only_console_runs_no_alembic(
    project, deploy, migrations
):
    project.queue(deploy("ONE", "production"))
    async with project.hosted() as driver:
        await driver.go()
        run, workspace = driver.run("ONE"), Workspace.open(project.root, environ={})
        with pytest.raises(StepFailed, match="names no migrations"):
            await plan_sql(workspace, driver.place, run, project.environ)
        client = Client(workspace, driver.place, operator="ana", read_only=True)
        try:
            with pytest.raises(PermissionError, match=r"read-only.*env\.py"):
                await client.migration_sql(run.id)
        finally:
            client.close()
