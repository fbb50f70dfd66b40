"""Deciding for real: votes, signatures, freezes and the policy in force, with an engine and a journal."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta

import pytest

from guardrails.approving import Verdict
from opconsole.asked import asked_of
from opconsole.basis import policy_of
from opconsole.ids import new_request_id
from opconsole.journal import ops
from opconsole.journal.records import ApprovalState, PolicyState, Purpose, RequestKind, RequestRow
from opconsole.journal.run_lines import RunLines
from opconsole.signing import SigningKey, sign, statement

FRIDAY = datetime(2026, 3, 6, 17, tzinfo=UTC)


@pytest.fixture
def rules(project):
    """Write the rules of deciding into the settings."""

    def write(*lines: str, production: str = "", more: str = "") -> None:
        project.policy = "\n".join(["[approvals]", *lines])
        project.extra["production"] = production
        project.more = more
        project.settings()

    return write


@pytest.fixture
def signature(keys):
    """Sign the approval that a task waits for."""

    def make(driver, task: str, name: str, reason: str = "looked at it") -> str:
        subject = asked_of(driver.approval(task), driver.run(task)).subject
        text = statement(driver.place.id, subject, Verdict.APPROVE, reason)
        return sign(text, SigningKey(keys.key(name)), environ={"PATH": os.environ["PATH"]}, ask=False)

    return make


def audited(driver, action: str) -> list[dict[str, object]]:
    return [json.loads(row.detail) for row in driver.reader.audit() if row.action == action]


async def test_a_quorum_waits_for_the_second_person_and_each_vote_is_a_row(project, deploy, rules):
    rules('approvers = ["eve", "kim", "ana"]', "quorum = 2")
    project.queue(deploy("PROD", "production"))
    async with project.hosted() as driver:
        await driver.go()
        first = await driver.approve("PROD", by="eve")
        assert first.granted
        assert "it still needs 1 more approval of kim, ana" in first.text
        again = await driver.approve("PROD", by="eve")
        assert (again.granted, "approved already" in again.text) == (False, True)
        assert driver.state("PROD") == "waiting"
        approval = driver.approval("PROD")
        assert (await driver.approve("PROD", by="kim")).granted
        assert driver.state("PROD") == "succeeded"
        votes = driver.reader.votes_of(approval.id)
        assert [(vote.by, vote.verdict, vote.verified) for vote in votes] == [
            ("eve", "approve", False),
            ("kim", "approve", False),
        ]
        decided = driver.reader.approvals_of(driver.run("PROD").id)[-1]
        assert decided.decided_by == "eve, kim"
        [[line]] = RunLines(driver.reader.engine).newest(9)
        assert line.deciders == ("eve", "kim")
        assert [(one.by, one.at, one.verdict, one.purpose, one.verified) for one in line.decisions] == [
            (vote.by, vote.at, "approve", "go-ahead", False) for vote in votes
        ]
        assert audited(driver, "vote")[0]["needs"] == ["1 more approval of kim, ana"]


async def test_what_one_environment_wants_is_no_business_of_the_others(project, deploy, rules):
    more = "[projects.app.environments.production.approvals]\nquorum = 2\nfour_eyes = true\n"
    rules(more=more)
    project.queue(deploy("STAGE", "staging"), deploy("PROD", "production", depends_on=["STAGE"]))
    async with project.hosted() as driver:
        await driver.go()
        assert (await driver.approve("STAGE")).granted
        refused = await driver.approve("PROD")
        assert "four eyes are wanted: ana asked for it" in refused.text
        await driver.approve("PROD", by="eve")
        await driver.approve("PROD", by="kim")
        assert driver.state("PROD") == "succeeded"


async def test_nobody_approves_before_the_wait_is_over(project, deploy, rules, clock):
    rules("wait = 600.0")
    project.queue(deploy("PROD", "production"))
    async with project.hosted() as driver:
        await driver.go()
        assert "the settings want a wait" in (await driver.approve("PROD")).text
        clock.ahead += timedelta(seconds=600)
        assert (await driver.approve("PROD")).granted


async def test_one_alone_breaks_the_glass_after_five_minutes_and_it_is_announced(
    project, deploy, rules, clock, migrations
):
    rules('approvers = ["ana"]')
    migrations(down="pass")
    project.extra["staging"] = "requires_approval = true"
    project.settings()
    project.queue(deploy("STAGE", "staging", run_migrations=True))
    async with project.hosted() as driver:
        await driver.go()
        assert driver.approval("STAGE").tier == 3
        early = await driver.approve("STAGE")
        assert (early.granted, "no second person here" in early.text) == (False, True)
        clock.ahead += timedelta(seconds=301)
        assert (await driver.approve("STAGE", reason="the pager says so")).granted
        assert driver.state("STAGE") == "succeeded", driver.run("STAGE").reason
        [told] = [event for event in driver.events("alert") if event.detail.get("priority") == "P0"]
        assert "alone, without a second person: the pager says so" in told.detail["text"]
        assert audited(driver, "break-glass") == [
            {"digest": driver.run("STAGE").plan_digest, "reason": "the pager says so"}
        ]


async def test_a_clock_that_was_set_back_brings_no_expired_request_back(project, deploy, rules, clock):
    rules("expires_after = 3600.0")
    project.queue(deploy("PROD", "production"))
    async with project.hosted() as driver:
        await driver.go()
        clock.ahead += timedelta(hours=2)
        await driver.ask(RequestKind.PAUSE, project="app")  # something is journalled at that time
        clock.ahead -= timedelta(hours=2)
        assert "expired" in (await driver.approve("PROD")).text


# -- signed ------------------------------------------------------------------------------------------------


async def test_a_signed_approval_is_the_keys_owner_s_whoever_hands_it_in(
    project, deploy, rules, allow, signature
):
    rules('approvers = ["eve", "kim"]', f'allowed_signers = "{allow("eve", "kim")}"')
    project.queue(deploy("PROD", "production"))
    async with project.hosted() as driver:
        await driver.go()
        unsigned = await driver.approve("PROD", by="eve")
        assert (unsigned.granted, "must be signed" in unsigned.text) == (False, True)
        approval = driver.approval("PROD")
        given = await driver.approve("PROD", by="ana", signature=signature(driver, "PROD", "eve"))
        assert given.granted, given.text
        assert driver.state("PROD") == "succeeded"
        [vote] = driver.reader.votes_of(approval.id)
        assert (vote.by, vote.asked_by, vote.verified) == ("eve", "ana", True)
        assert vote.key.startswith("SHA256:")
        assert audited(driver, "approved")[-1]["signed"] is True
        [refused] = audited(driver, "approve-refused")
        assert "must be signed" in refused["reason"]


async def test_one_key_is_one_person_however_many_names_it_has(  # noqa: PLR0917 - fixtures
    project, deploy, rules, allow, keys, signature
):
    signers = allow(keys.line("eve", principals="eve,kim"))
    rules('approvers = ["eve", "kim"]', "quorum = 2", f'allowed_signers = "{signers}"')
    project.queue(deploy("PROD", "production"))
    async with project.hosted() as driver:
        await driver.go()
        assert (await driver.approve("PROD", by="eve", signature=signature(driver, "PROD", "eve"))).granted
        again = await driver.approve("PROD", by="kim", signature=signature(driver, "PROD", "eve"))
        assert (again.granted, "approved already" in again.text) == (False, True)
        assert driver.state("PROD") == "waiting"


async def test_a_signer_who_is_no_approver_decides_nothing(project, deploy, rules, allow, signature):
    rules('approvers = ["eve"]', f'allowed_signers = "{allow("eve", "mallory")}"')
    project.queue(deploy("PROD", "production"))
    async with project.hosted() as driver:
        await driver.go()
        refused = await driver.approve("PROD", by="eve", signature=signature(driver, "PROD", "mallory"))
        assert "mallory may not decide for app in production; allowed: eve" in refused.text


async def test_rejecting_needs_no_signature(project, deploy, rules, allow):
    rules('approvers = ["eve"]', f'allowed_signers = "{allow("eve")}"')
    project.queue(deploy("PROD", "production"))
    async with project.hosted() as driver:
        await driver.go()
        run = driver.run("PROD").id
        assert (await driver.ask(RequestKind.REJECT, by="eve", run=run, reason="not today")).granted
        assert driver.state("PROD") == "rejected"


# -- freezes -----------------------------------------------------------------------------------------------

WEEKEND = """
[[approvals.freezes]]
name = "weekend"
days = ["friday"]
begin = "16:00"
end = "08:00"
environments = ["development", "production"]
"""


async def test_a_run_waits_for_the_end_of_a_freeze_and_goes_on_by_itself(project, deploy, clock, rules):
    rules(more=WEEKEND)
    clock.ahead = FRIDAY - datetime.now(UTC)
    project.queue(deploy("DEV", "development"))
    async with project.hosted() as driver:
        await driver.go()
        assert driver.state("DEV") == "waiting"
        assert driver.run("DEV").reason.startswith(
            "development is frozen until 2026-03-07 08:00 UTC (weekend)"
        )
        assert driver.reader.lock("app", "development") is None
        assert driver.approval("DEV").purpose is Purpose.FREEZE
        for _ in range(2):
            for follow_up in await driver.engine.answerer.expire():
                await driver.engine.follow(follow_up)
            await driver.idle()
            if clock.now() < FRIDAY + timedelta(hours=1):
                assert driver.state("DEV") == "waiting"
            clock.ahead += timedelta(hours=16)
        assert driver.state("DEV") == "succeeded", driver.run("DEV").reason
        assert audited(driver, "freeze-over")


async def test_a_person_overrides_a_freeze_with_a_reason_and_it_is_audited(project, deploy, clock, rules):
    rules(more=WEEKEND)
    clock.ahead = FRIDAY - datetime.now(UTC)
    project.queue(deploy("PROD", "production"))
    async with project.hosted() as driver:
        await driver.go()
        await driver.approve("PROD")
        assert driver.state("PROD") == "waiting"
        assert driver.effects("PROD") == []
        assert not (await driver.approve("PROD", reason="")).granted
        assert (await driver.approve("PROD", by="eve", reason="the shop is down")).granted
        assert driver.state("PROD") == "succeeded", driver.run("PROD").reason
        [override] = audited(driver, "freeze-overridden")
        assert (override["by"], override["reason"]) == (["eve"], "the shop is down")


async def test_rejecting_to_override_a_freeze_ends_the_run(project, deploy, clock, rules):
    rules(more=WEEKEND)
    clock.ahead = FRIDAY - datetime.now(UTC)
    project.queue(deploy("DEV", "development"))
    async with project.hosted() as driver:
        await driver.go()
        run = driver.run("DEV").id
        assert (await driver.ask(RequestKind.REJECT, run=run, reason="not at all")).granted
        assert driver.state("DEV") == "rejected"


async def test_what_changed_during_a_freeze_is_asked_again(project, deploy, clock, rules):
    rules(more=WEEKEND)
    clock.ahead = FRIDAY - datetime.now(UTC)
    project.queue(deploy("PROD", "production"))
    async with project.hosted() as driver:
        await driver.go()
        await driver.approve("PROD")
        project.queue(deploy("PROD", "production", description="something else"))
        await driver.engine.reload()
        clock.ahead += timedelta(hours=16)
        for follow_up in await driver.engine.answerer.expire():
            await driver.engine.follow(follow_up)
        await driver.idle()
        assert (driver.state("PROD"), driver.effects("PROD")) == ("waiting", [])
        states = [one.state for one in driver.reader.approvals_of(driver.run("PROD").id)]
        assert states == [ApprovalState.VOID, ApprovalState.VOID, ApprovalState.WAITING]


async def test_while_everything_is_frozen_nothing_begins_and_after_it_all_goes_on(project, deploy):
    project.queue(deploy("DEV", "development"), deploy("PROD", "production"))
    async with project.hosted() as driver:
        assert not (await driver.ask(RequestKind.FREEZE, reason=" ")).granted
        assert (await driver.ask(RequestKind.FREEZE, by="eve", reason="an incident")).granted
        await driver.go()
        await driver.approve("PROD")
        assert (driver.state("DEV"), driver.state("PROD")) == ("waiting", "waiting")
        assert "eve froze everything at" in driver.run("PROD").reason
        assert driver.effects("DEV") == driver.effects("PROD") == []
        assert (await driver.ask(RequestKind.UNFREEZE, by="eve", reason="it is over")).granted
        await driver.idle()
        assert (driver.state("DEV"), driver.state("PROD")) == ("succeeded", "succeeded")
        assert [row.action for row in driver.reader.audit() if row.subject == "everything"] == [
            "frozen",
            "unfrozen",
        ]


async def test_a_frozen_run_goes_on_in_another_process_once_it_was_unfrozen(project, deploy):
    project.queue(deploy("DEV", "development"))
    async with project.hosted() as driver:
        await driver.ask(RequestKind.FREEZE, reason="an incident")
        await driver.go()
    async with project.hosted() as driver:
        await driver.go()
        assert driver.state("DEV") == "waiting"
        await driver.ask(RequestKind.UNFREEZE, reason="over")
    async with project.hosted() as driver:
        await driver.go()
        assert driver.state("DEV") == "succeeded"


async def test_only_approvers_unfreeze_and_anybody_freezes(project, rules):
    rules('approvers = ["eve"]')
    async with project.hosted() as driver:
        assert (await driver.ask(RequestKind.FREEZE, by="ana", reason="smoke")).granted
        refused = await driver.ask(RequestKind.UNFREEZE, by="ana", reason="no smoke")
        assert "ana may not unfreeze; allowed: eve" in refused.text


# -- the policy --------------------------------------------------------------------------------------------


async def test_a_loosened_policy_is_not_in_force_until_it_is_approved_under_the_old_one(
    project, deploy, rules
):
    rules('approvers = ["eve", "kim"]', "quorum = 2")
    async with project.hosted():
        pass
    rules('approvers = ["eve", "kim", "ana"]', "quorum = 1")
    project.queue(deploy("PROD", "production"))
    async with project.hosted() as driver:
        policy = driver.reader.policy()
        assert policy.state is PolicyState.WAITING
        await driver.go()
        assert "allowed: eve, kim" in (await driver.approve("PROD", by="ana")).text
        assert "still needs" in (await driver.approve("PROD", by="eve")).text
        say = {"policy": policy.id, "plan": policy.digest, "reason": "we are few"}
        assert "may not decide" in (await driver.ask(RequestKind.APPROVE, by="ana", **say)).text
        assert "still needs 1 more" in (await driver.ask(RequestKind.APPROVE, by="eve", **say)).text
        assert "approved already" in (await driver.ask(RequestKind.APPROVE, by="eve", **say)).text
        done = await driver.ask(RequestKind.APPROVE, by="kim", **say)
        assert done.granted, done.text
        assert driver.reader.policy().state is PolicyState.IN_FORCE
        # What was asked under the old policy is asked again under the new one.
        refused = await driver.approve("PROD", by="ana")
        assert "the plan changed" in refused.text
        assert "policy.quorum: was 2, is now 1" in refused.text
        assert (await driver.approve("PROD", by="ana")).granted
        assert driver.state("PROD") == "succeeded"
        [entry] = audited(driver, "policy-approved")
        assert entry["by"] == ["eve", "kim"]


async def test_a_rejected_policy_stays_out_until_the_settings_are_set_back(project, rules):
    rules("quorum = 2")
    async with project.hosted():
        pass
    rules("quorum = 1")
    async with project.hosted() as driver:
        policy = driver.reader.policy()
        assert (await driver.ask(RequestKind.REJECT, by="eve", policy=policy.id, reason="no")).granted
        assert driver.host.workspace.deciders("app", "production").quorum == 2
    async with project.hosted() as driver:
        assert driver.host.workspace.deciders("app", "production").quorum == 2
        assert driver.reader.policy().id == policy.id
    rules("quorum = 2")
    async with project.hosted() as driver:
        assert driver.reader.policy().state is PolicyState.IN_FORCE


async def test_every_change_of_the_policy_is_audited_with_what_is_known_of_who_made_it(project, rules):
    rules()
    async with project.hosted() as driver:
        [first] = audited(driver, "policy-first-seen")
        assert first["file"] == str(project.root / "opconsole.toml")
    rules("quorum = 2", "four_eyes = true")
    async with project.hosted() as driver:
        [change] = audited(driver, "policy-changed")
        assert "app:production quorum: was 1, is now 2" in change["changes"]
        assert (change["waits"], change["before"]) == ([], first["digest"])
        assert change["owner"]
    async with project.hosted() as driver:
        assert len(audited(driver, "policy-changed")) == 1


async def test_a_key_that_was_taken_out_of_the_signers_signs_nothing_at_once(
    project, deploy, rules, allow, signature
):
    rules(f'allowed_signers = "{allow("eve", "kim")}"')
    project.queue(deploy("PROD", "production"))
    async with project.hosted() as driver:
        await driver.go()
        stolen = signature(driver, "PROD", "eve")
    allow("kim")
    async with project.hosted() as driver:
        await driver.go()
        refused = await driver.approve("PROD", signature=stolen)
        assert not refused.granted
        assert driver.effects("PROD") == []
        refused = await driver.approve("PROD", signature=signature(driver, "PROD", "eve"))
        assert "not among the allowed signers" in refused.text


async def test_signers_that_cannot_be_read_leave_those_known_before(project, rules, allow):
    path = allow("eve")
    rules(f'allowed_signers = "{path}"')
    async with project.hosted() as driver:
        known = driver.host.in_force.signers
    path.unlink()
    async with project.hosted() as driver:
        assert driver.host.in_force.signers == known


async def test_a_no_that_came_while_nobody_answered_holds_whatever_was_said_before_it(project, deploy):
    project.queue(deploy("PROD", "production"))
    async with project.hosted() as driver:
        await driver.go()
        run, approval = driver.run("PROD"), driver.approval("PROD")
        yes = {"run": run.id, "plan": approval.digest, "reason": "go", "environment": "production"}
        asked = [
            RequestRow(new_request_id(), kind, payload, driver.clock.now(), "ana")
            for kind, payload in (
                (RequestKind.APPROVE, yes),
                (RequestKind.REJECT, {"run": run.id, "reason": "no, stop"}),
            )
        ]
        for row in asked:  # the worker hangs: both wait for an answer
            await driver.host.journal.commit(ops.insert_request(row))
        await driver.engine.answer_requests()
        await driver.idle()
        assert driver.state("PROD") == "rejected"
        assert [driver.reader.request(row.id).granted for row in asked] == [False, True]


async def test_while_the_queue_file_cannot_be_used_nothing_is_decided_and_no_vote_is_lost(
    project, deploy, rules
):
    rules('approvers = ["eve", "kim"]', "quorum = 2")
    project.queue(deploy("PROD", "production"))
    async with project.hosted() as driver:
        await driver.go()
        approval = driver.approval("PROD")
        assert (await driver.approve("PROD", by="eve")).granted
        whole = project.queue_file().read_text()
        project.queue_file().write_text("{ broken")  # an editor is about to save it
        answer = await driver.approve("PROD", by="kim")
        assert not answer.granted
        assert "cannot be used now" in answer.text
        assert driver.approval("PROD").id == approval.id
        project.queue_file().write_text(whole)
        assert (await driver.approve("PROD", by="kim")).granted
        assert driver.state("PROD") == "succeeded"


async def test_a_limit_of_1800_and_one_of_1800_0_seconds_are_one_policy(project, deploy, rules):
    rules()
    project.queue(deploy("PROD", "production"))
    async with project.hosted() as driver:
        await driver.go()
        plain = driver.approval("PROD").plan["policy"]
    project.policy = "[policy]\ndeployment_limit = 1800.0\n[approvals]\nbreak_glass_wait = 300.0"
    project.settings()
    async with project.hosted() as driver:
        await driver.go()
        again = policy_of(driver.host, "app", "production", asks=False)
        assert json.dumps(again) == json.dumps({**plain, "requires_approval": again["requires_approval"]})


async def test_the_dots_of_our_own_messages_are_no_reason(project, deploy):
    project.queue(deploy("PROD", "production"))
    async with project.hosted() as driver:
        await driver.go()
        for dots in ("…", " ... "):
            answer = await driver.approve("PROD", reason=dots)
            assert (answer.granted, "reason" in answer.text) == (False, True)
        assert driver.state("PROD") == "waiting"
