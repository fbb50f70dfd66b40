"""Limits and retries of the policy, and what a clock that was set back does not change."""

from __future__ import annotations

from datetime import timedelta

import pytest

from opconsole.journal.records import RequestKind
from opconsole.steps import StepFailed
from opconsole.targets import releases


@pytest.mark.parametrize(("failures", "state"), [(2, "succeeded"), (3, "failed")])
async def test_a_step_that_declares_itself_retryable_is_tried_twice_more(  # noqa: PLR0917 - fixtures
    project, deploy, clock, monkeypatch, failures, state
):
    bring, left = releases._bring, [failures]

    def failing(release, scratch, tree):
        if left[0]:
            left[0] -= 1
            raise StepFailed("the disk was busy")
        bring(release, scratch, tree)

    monkeypatch.setattr(releases, "_bring", failing)
    project.queue(deploy("D", "development"))
    async with project.hosted() as driver:
        await driver.go()
        assert driver.state("D") == state
        assert driver.run("D").attempt == 1
        assert "the disk was busy; trying again in 2 s" in driver.log("D")
        assert "the disk was busy; trying again in 4 s" in driver.log("D")
        told = [(event.step, event.detail["again_in"]) for event in driver.events("retry")]
        assert told == [("place", 2.0), ("place", 4.0)]
        assert clock.ahead >= timedelta(seconds=6)


async def test_a_failure_that_may_pass_by_itself_is_tried_again_and_any_other_is_not(
    project, deploy, monkeypatch
):
    switch, fail = releases.ReleasesTarget._switch, [True]

    def busy(target, release):
        if fail.pop() if fail else False:
            raise StepFailed("another program keeps it locked", retryable=True)
        return switch(target, release)

    monkeypatch.setattr(releases.ReleasesTarget, "_switch", busy)
    (project.bin / "restart.sh").write_text("exit 7\n")
    project.queue(deploy("D", "development"))
    async with project.hosted() as driver:
        await driver.go()
        assert driver.state("D") == "halted"  # a first release that does not start has no way back
        assert [event.step for event in driver.events("retry")] == ["switch"]
        assert driver.step("D", "switch").state == "succeeded"


async def test_the_limits_of_deployment_and_rollback_end_what_hangs(project, deploy):
    slow = project.root / "slow"
    (project.bin / "restart.sh").write_text(f"[ -e {slow} ] && exec sleep 300\nexit 0\n")
    project.extra["development"] = "limits = { deployment = 1, rollback = 2 }"
    project.settings()
    project.queue(deploy("ONE", "development"))
    async with project.hosted() as driver:
        await driver.go()
        assert driver.state("ONE") == "succeeded"
        slow.touch()
        project.queue(deploy("TWO", "development", "1.1.0"))
        await driver.engine.reload()
        await driver.idle()
        run = driver.run("TWO")
        assert run.state == "halted"
        assert "stopped after its limit of 1 s" in run.reason
        assert "the rollback failed: the restart program failed: stopped after its limit of 2 s" in run.reason


async def test_30_a_clock_that_was_set_back_makes_no_expired_request_young_again(project, deploy, clock):
    project.extra["production"] = "expires_after = 3600"
    project.settings()
    project.queue(deploy("PROD", "production"))
    async with project.hosted() as driver:
        await driver.go()
        clock.ahead += timedelta(hours=2)
        assert (await driver.ask(RequestKind.PAUSE, project="app")).granted  # it is on record how late it was
        clock.ahead -= timedelta(hours=2)
        assert (await driver.ask(RequestKind.START, project="app")).granted  # by the clock that is wrong now
        late = await driver.approve("PROD")
        assert not late.granted
        assert "expired" in late.text
        for follow_up in await driver.engine.answerer.expire():
            await driver.engine.follow(follow_up)
        assert driver.state("PROD") == "rejected"
