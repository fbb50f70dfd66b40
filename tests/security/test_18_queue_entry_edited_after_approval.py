"""Attack 18: a queue entry edited after its approval."""

from __future__ import annotations

from opconsole.journal.records import ApprovalState, RequestKind


async def test_an_entry_edited_before_the_decision_is_not_decided_about(project, deploy):
    project.queue(deploy("PROD", "production"))
    async with project.hosted() as driver:
        await driver.go()
        seen = driver.approval("PROD").digest
        project.queue(deploy("PROD", "production", "9.9.9"))
        refused = await driver.approve("PROD", plan=seen)
        assert not refused.granted
        assert "the plan changed: entry: was" in refused.text
        assert driver.effects("PROD") == []


async def test_an_entry_edited_between_approval_and_effects_is_asked_about_again(project, deploy):
    project.queue(deploy("PROD", "production"))
    async with project.hosted() as driver:
        await driver.go()
        await driver.ask(RequestKind.FREEZE, reason="hold it between approval and effects")
        assert (await driver.approve("PROD")).granted
        project.queue(deploy("PROD", "production", "9.9.9"))
        await driver.engine.reload()
        await driver.ask(RequestKind.UNFREEZE, reason="go on")
        await driver.idle()
        assert driver.effects("PROD") == []
        first, second = driver.reader.approvals_of(driver.run("PROD").id)
        assert (first.state, second.state) == (ApprovalState.VOID, ApprovalState.WAITING)
        assert second.plan["version"]["to"] == "9.9.9"


async def test_approvers_that_an_entry_adds_for_itself_may_not_decide(project, deploy):
    project.extra["production"] = 'approvers = ["eve"]'
    project.settings()
    project.queue(deploy("PROD", "production", requires_approval=["mallory"]))
    async with project.hosted() as driver:
        await driver.go()
        refused = await driver.approve("PROD", by="mallory")
        assert "mallory may not decide" in refused.text
        assert driver.effects("PROD") == []
