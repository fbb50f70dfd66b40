"""Rollback tasks: back to an earlier release, through the gate of their environment."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest


def back(environment: str, **more: object) -> dict[str, object]:
    return {"id": "BACK", "agent_type": "rollback", "environment": environment, **more}


@pytest.fixture
def three(project, deploy):
    """Deploy three versions to an environment, one after the other."""

    async def go(driver, environment: str) -> None:
        for number, version in enumerate(("1.0.0", "1.1.0", "1.2.0")):
            project.write("app.txt", f"{version}\n")
            project.queue(deploy(f"D{number}", environment, version))
            await driver.engine.reload()
            await driver.go()
            if driver.state(f"D{number}") == "waiting":
                await driver.approve(f"D{number}")
        assert project.current(environment) == "1.2.0-1"

    return go


async def test_in_development_a_rollback_goes_to_the_previous_release_by_itself(project, three):
    async with project.hosted() as driver:
        await three(driver, "development")
        project.queue(back("development"))
        await driver.engine.reload()
        await driver.idle()
        run = driver.run("BACK")
        assert (run.state, run.reason) == ("succeeded", "rolled back to 1.1.0")
        assert driver.reader.current_release("app", "development").version == "1.1.0"
        assert run.plan["version"] == {"from": "1.2.0", "to": "1.1.0"}
        assert run.plan["release"] == {"from": "1.2.0-1", "to": "1.1.0-1"}
    assert project.current("development") == "1.1.0-1"
    last = project.deployments()[-1]
    assert (last["version"], last["status"], last["rollback_executed"]) == ("1.1.0", "success", True)


async def test_a_rollback_goes_to_what_served_before_and_not_to_what_was_gone_back_from(
    project, three, deploy
):
    async with project.hosted() as driver:
        await three(driver, "development")
        again = deploy("AGAIN", "development", "1.3.0")
        for entry in (back("development"), again, {**back("development"), "id": "ONCE-MORE"}):
            project.write("app.txt", f"{entry['id']}\n")
            project.queue(entry)
            await driver.engine.reload()
            await driver.go()
            assert driver.state(entry["id"]) == "succeeded"
        assert driver.run("AGAIN").previous_release == "1.1.0-1"
        assert driver.run("ONCE-MORE").plan["release"] == {"from": "1.3.0-1", "to": "1.1.0-1"}
    assert project.current("development") == "1.1.0-1"


async def test_a_rollback_to_a_named_version(project, three):
    async with project.hosted() as driver:
        await three(driver, "development")
        project.queue(back("development", version="1.0.0"))
        await driver.engine.reload()
        await driver.idle()
        assert driver.state("BACK") == "succeeded"
    assert project.current("development") == "1.0.0-1"


async def test_in_production_a_rollback_waits_for_approval(project, three):
    async with project.hosted() as driver:
        await three(driver, "production")
        project.queue(back("production"))
        await driver.engine.reload()
        await driver.idle()
        assert driver.state("BACK") == "waiting"
        assert driver.approval("BACK").why == (
            "production always needs approval",
            "takes back 1 deployment: 1.2.0",
        )
        assert driver.effects("BACK") == []
        await driver.approve("BACK")
        assert driver.state("BACK") == "succeeded"
        assert "manual verification required" in driver.run("BACK").reason
    assert project.current("production") == "1.1.0-1"


async def test_a_rollback_to_an_unknown_version_names_those_that_are_known(project, three):
    async with project.hosted() as driver:
        await three(driver, "development")
        project.queue(back("development", version="0.9.0"))
        await driver.engine.reload()
        await driver.idle()
        run = driver.run("BACK")
        assert run.state == "failed"
        assert "version 0.9.0 is not on record in development; known: 1.1.0, 1.0.0" in run.reason


async def test_a_rollback_where_nothing_was_deployed_fails_and_says_so(project):
    project.queue(back("staging"))
    async with project.hosted() as driver:
        await driver.go()
        assert driver.state("BACK") == "failed"
        assert "no release of app is on record in staging" in driver.run("BACK").reason


async def test_a_rollback_of_a_target_that_was_switched_by_hand_changes_nothing(project, three):
    async with project.hosted() as driver:
        await three(driver, "production")
        project.queue(back("production"))
        await driver.engine.reload()
        await driver.idle()
        link = project.target("production") / "current"
        link.unlink()
        link.symlink_to("releases/1.0.0-1")
        await driver.approve("BACK")
        run = driver.run("BACK")
        assert run.state == "failed"
        assert "1.0.0-1" in run.reason
        assert driver.effects("BACK") == []
    assert project.current("production") == "1.0.0-1"


async def test_the_programs_of_a_rollback_are_part_of_its_plan(project, three):
    async with project.hosted() as driver:
        await three(driver, "production")
        project.queue(back("production"))
        await driver.engine.reload()
        await driver.idle()
        restart = project.bin / "restart.sh"
        restart.write_text(restart.read_text() + "true\n")
        await driver.approve("BACK")
        assert driver.state("BACK") == "waiting"
        assert driver.effects("BACK") == []
        [told] = driver.events("plan-changed")
        assert "restart.sh" in told.detail["changes"][0]
        await driver.approve("BACK")
        assert driver.state("BACK") == "succeeded"


def tables(path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return {name for (name,) in rows} - {"alembic_version"}


async def test_the_migrations_go_back_with_the_release_by_its_own_files(project, deploy, migrations):
    project.queue(deploy("ONE", "development", run_migrations=True))
    async with project.hosted() as driver:
        await driver.go()
        assert driver.state("ONE") == "succeeded", driver.run("ONE").reason
        assert driver.run("ONE").revision_after == "0001"
        newer = migrations()
        project.queue(deploy("TWO", "development", "1.1.0", run_migrations=True))
        await driver.engine.reload()
        await driver.idle()
        assert (driver.run("TWO").revision_before, driver.run("TWO").revision_after) == ("0001", "0002")
        assert tables(project.database("development")) == {"t0001", "t0002"}
        newer.unlink()  # the checkout has moved on; the release has its files
        project.queue(back("development"))
        await driver.engine.reload()
        await driver.idle()
        run = driver.run("BACK")
        assert run.state == "succeeded", run.reason
        assert run.revision_after == "0001"
    assert tables(project.database("development")) == {"t0001"}
    assert project.current("development") == "1.0.0-1"


async def test_a_failing_deployment_takes_its_migrations_back_before_the_release(project, deploy, migrations):
    project.queue(deploy("ONE", "development", run_migrations=True))
    async with project.hosted() as driver:
        await driver.go()
        migrations()
        project.write("app.txt", "sick\n")
        project.queue(deploy("TWO", "development", "1.1.0", run_migrations=True))
        await driver.engine.reload()
        await driver.idle()
        run = driver.run("TWO")
        assert run.state == "rolled_back", run.reason
        assert (run.revision_before, run.revision_after) == ("0001", "0001")
        assert driver.effects("TWO") == [
            *("place", "switch", "restart", "migrate", "health"),
            *("migrate-back", "place", "switch", "restart", "health"),
        ]
    assert tables(project.database("development")) == {"t0001"}


async def test_with_an_irreversible_migration_there_is_no_way_back_in_development_either(
    project, deploy, migrations
):
    project.queue(deploy("ONE", "development", run_migrations=True))
    async with project.hosted() as driver:
        await driver.go()
        migrations(down="pass")
        project.write("app.txt", "stubborn\n")
        project.queue(deploy("TWO", "development", "1.1.0", run_migrations=True))
        project.project_lines = 'migrate = "before-switch"'
        project.settings()
        await driver.engine.reload()
    async with project.hosted() as driver:
        await driver.go()
        run = driver.run("TWO")
        assert run.state == "halted", run.reason
        assert "no way back: migration 0002 on the way back cannot be taken back" in run.reason
        assert not (await driver.decide("TWO", "revert")).granted
    assert project.current("development") == "1.1.0-1"
    assert tables(project.database("development")) == {"t0001", "t0002"}


async def test_a_release_that_left_the_database_alone_still_knows_where_it_stands(
    project, deploy, migrations
):
    project.queue(deploy("ONE", "development", run_migrations=True))
    async with project.hosted() as driver:
        await driver.go()
        stood = driver.reader.current_release("app", "development")
        project.write("app.txt", "second\n")
        project.queue(deploy("TWO", "development", "1.1.0"))
        await driver.engine.reload()
        await driver.go()
        stands = driver.reader.current_release("app", "development")
    assert (stands.version, stands.revision) == ("1.1.0", stood.revision)
    assert stands.migrations_path == stood.migrations_path
