"""What a process that died left behind, and what a decision leaves: found by killing workers."""

from __future__ import annotations

import json

import pytest

from opconsole.steps import StepFailed
from opconsole.targets.record import RECORD_NAME
from opconsole.targets.releases import ReleasesTarget


def holder(project, environment):
    record = json.loads((project.target(environment) / RECORD_NAME).read_text())
    return record["holder"] and record["holder"]["run"]


async def _halted(project, deploy, driver):
    """Let TWO halt in production behind ONE."""
    project.queue(deploy("ONE", "production"))
    await driver.engine.reload()
    await driver.go()
    await driver.approve("ONE")
    project.write("app.txt", "sick\n")
    project.queue(deploy("TWO", "production", "1.1.0"))
    await driver.engine.reload()
    await driver.idle()
    await driver.approve("TWO")
    assert driver.state("TWO") == "halted"


async def test_a_decision_that_ends_a_run_lets_go_of_the_target(project, deploy):
    async with project.hosted() as driver:
        await _halted(project, deploy, driver)
        assert holder(project, "production") == driver.run("TWO").id
        assert (await driver.decide("TWO", "override")).granted
        assert holder(project, "production") is None


async def test_a_target_that_a_dead_process_left_held_is_let_go_of_at_the_next_start(
    project, deploy, monkeypatch
):
    async def dead(_target):
        return None

    project.queue(deploy("ONE", "development"))
    with monkeypatch.context() as patch:
        patch.setattr(ReleasesTarget, "clear_holder", dead)
        async with project.hosted() as driver:
            await driver.go()
            assert driver.state("ONE") == "succeeded"
            assert holder(project, "development") == driver.run("ONE").id
    async with project.hosted() as driver:
        assert holder(project, "development") is None


async def test_a_target_that_cannot_be_let_go_of_changes_nothing_about_how_a_run_ended(
    project, deploy, monkeypatch
):
    async def fails(_target):
        raise StepFailed("another program keeps it locked")

    monkeypatch.setattr(ReleasesTarget, "clear_holder", fails)
    project.queue(deploy("ONE", "development"))
    async with project.hosted() as driver:
        await driver.go()
        run = driver.run("ONE")
        assert (run.state, run.reason) == ("succeeded", "deployed")
        assert "another program keeps it locked" in driver.log("ONE")
    async with project.hosted() as driver:
        assert driver.state("ONE") == "succeeded"


async def test_a_migration_before_the_switch_is_on_record_when_its_deployment_is_aborted(
    project, deploy, migrations
):
    project.project_lines = 'migrate = "before-switch"'
    project.settings()
    project.queue(deploy("ONE", "production", run_migrations=True))
    async with project.hosted() as driver:
        await driver.go()
        await driver.approve("ONE")
        migrations()
        project.queue(deploy("TWO", "production", "1.1.0", run_migrations=True))
        await driver.engine.reload()
        await driver.idle()
        link = project.target("production") / "current"

        def no_switch(_target, _release):
            raise StepFailed("the disk says no")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ReleasesTarget, "_switch", no_switch)
            await driver.approve("TWO")
        assert driver.state("TWO") == "halted", driver.run("TWO").reason
        assert (await driver.decide("TWO", "abort")).granted
        assert link.readlink().name in ("1.0.0-1", "1.1.0-1")
        release = driver.reader.current_release("app", "production")
        assert (release.name, release.revision) == (link.readlink().name, "0002")
