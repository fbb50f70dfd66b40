"""What a process that died left behind, and what a decision leaves: found by killing workers."""

from __future__ import annotations

import asyncio
import json

import pytest

from opconsole import ending
from opconsole.journal.records import RequestKind
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


async def test_a_decision_while_an_adopted_run_is_still_being_looked_into_is_gone_on_with(
    project, deploy, dying, monkeypatch
):
    project.queue(deploy("ONE", "production"))
    async with project.hosted() as driver:
        await driver.go()
        await driver.approve("ONE")
        project.write("app.txt", "sick\n")
        project.queue(deploy("TWO", "production", "1.1.0"))
        await driver.engine.reload()
        await driver.idle()
        monkeypatch.setattr(driver.engine, "follow", _nothing)
        await _approve(driver)
    process = dying("health", "before")
    assert await asyncio.to_thread(process.wait, 90) == 9
    looking, seen = asyncio.Event(), asyncio.Event()

    async def slow(_host, _run):
        looking.set()
        await seen.wait()

    monkeypatch.setattr(ending, "look_again", slow)
    async with project.hosted() as driver:
        await driver.engine.start("app", None)
        async with asyncio.timeout(120):
            await looking.wait()
        run = driver.run("TWO")
        assert run.state == "halted"
        assert (await driver.ask(RequestKind.DECIDE, run=run.id, verb="revert", reason="so it be")).granted
        await _approve(driver)
        seen.set()
        await asyncio.gather(*driver.engine._adopted.values())
        await driver.idle()
        assert driver.state("TWO") == "rolled_back", driver.run("TWO").reason
        assert project.current("production") == "1.0.0-1"


async def _nothing(_follow_up):
    """Do nothing of what follows: as a client that answers for itself."""


async def _approve(driver):
    run, approval = driver.run("TWO"), driver.approval("TWO")
    payload = {"plan": approval.digest, "reason": "looked at it", "environment": "production"}
    assert (await driver.ask(RequestKind.APPROVE, run=run.id, **payload)).granted
