"""Attack 19: an entry relabelled from production to development, or with a look-alike letter."""

from __future__ import annotations

import pytest

from opconsole.journal.records import RequestKind


async def test_an_entry_relabelled_after_it_was_asked_about_is_another_plan(project, deploy):
    project.queue(deploy("TASK", "production"))
    async with project.hosted() as driver:
        await driver.go()
        seen = driver.approval("TASK")
        project.queue(deploy("TASK", "development"))
        await driver.engine.reload()
        refused = await driver.ask(
            RequestKind.APPROVE,
            run=driver.run("TASK").id,
            plan=seen.digest,
            reason="only development",
            environment="development",
        )
        assert not refused.granted
        assert driver.effects("TASK") == []
    assert project.current("production") == ""


@pytest.mark.parametrize(
    "name",
    [
        "prоduction",  # a Cyrillic o
        "production\u200b",  # zero width
        "ｐroduction",  # full width
        "production\u202e",  # right to left
        "deve1opment",
    ],
)
async def test_a_look_alike_is_no_environment(project, deploy, name):
    project.queue(deploy("TASK", name))
    async with project.hosted() as driver:
        await driver.go()
        assert driver.state("TASK") == "no run"
        faults = driver.engine.queue_files["app"].errors
        assert any(fault.field == "environment" for fault in faults)
    assert project.current("production") == project.current("development") == ""


@pytest.mark.parametrize("typed", ["prоduction", "Production", "production\u200b", "development", ""])
async def test_a_look_alike_that_is_typed_approves_nothing(project, deploy, typed):
    project.queue(deploy("TASK", "production"))
    async with project.hosted() as driver:
        await driver.go()
        refused = await driver.approve("TASK", environment=typed)
        assert not refused.granted
        assert "needs the environment's name typed out" in refused.text
        assert driver.effects("TASK") == []
