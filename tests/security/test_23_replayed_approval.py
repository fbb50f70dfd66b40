"""Attack 23: an approval replayed for another run, environment or attempt."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import pytest

from guardrails.approving import Subject, Verdict
from opconsole.approving import asked_of
from opconsole.journal.records import RequestKind
from opconsole.signing import SigningKey, sign, statement

REASON = "looked at it"


@pytest.fixture
def approve_as(keys, allow, project):
    """Let eve's signature be wanted, and hand in one over any subject."""
    project.policy = f'[approvals]\nallowed_signers = "{allow("eve")}"'
    project.settings()

    async def approve(
        driver, task: str, subject: Subject, *, journal: str = "", verdict=Verdict.APPROVE, reason=REASON
    ):
        text = statement(journal or driver.place.id, subject, verdict, reason)
        signature = sign(text, SigningKey(keys.key("eve")), environ={"PATH": os.environ["PATH"]}, ask=False)
        return await driver.approve(task, by="eve", reason=REASON, signature=signature)

    return approve


def subject_of(driver, task: str) -> Subject:
    return asked_of(driver.approval(task), driver.run(task)).subject


async def test_a_signature_is_worth_nothing_for_anything_else(project, deploy, approve_as):
    project.queue(deploy("PROD", "production"))
    async with project.hosted() as driver:
        await driver.go()
        right = subject_of(driver, "PROD")
        for wrong in (
            replace(right, run="r-0000000000000000"),
            replace(right, attempt=2),
            replace(right, environment="staging"),
            replace(right, project="web"),
            replace(right, digest="sha256:" + "0" * 64),
            replace(right, approval="a-0000000000000000"),
        ):
            refused = await approve_as(driver, "PROD", wrong)
            assert (refused.granted, "not over this request" in refused.text) == (False, True), wrong
        other_journal = await approve_as(driver, "PROD", right, journal="another")
        assert "not over this request" in other_journal.text
        for words in ({"verdict": Verdict.REJECT}, {"reason": "for testing only"}, {"reason": ""}):
            refused = await approve_as(driver, "PROD", right, **words)
            assert (refused.granted, "not over this request" in refused.text) == (False, True), words
        assert driver.effects("PROD") == []
        recorded = [row for row in driver.reader.audit() if row.action == "approve-refused"]
        assert len(recorded) == 10
        assert json.loads(recorded[0].detail)["about"] == driver.run("PROD").id
        assert (await approve_as(driver, "PROD", right)).granted


async def test_the_approval_of_one_attempt_is_none_of_the_next(project, deploy, approve_as):
    project.queue(deploy("PROD", "production"))
    async with project.hosted() as driver:
        await driver.go()
        first = subject_of(driver, "PROD")
        run = driver.run("PROD").id
        await driver.ask(RequestKind.REJECT, by="eve", run=run, reason="not yet")
        await driver.retry("PROD")
        second = subject_of(driver, "PROD")
        assert (first.attempt, second.attempt) == (1, 2)
        assert not (await approve_as(driver, "PROD", first)).granted
        assert driver.effects("PROD") == []


async def test_the_digest_of_one_run_approves_no_other(project, deploy):
    project.queue(deploy("ONE", "production"), deploy("TWO", "production", "1.1.0"))
    async with project.hosted() as driver:
        await driver.go()
        one = driver.approval("ONE").digest
        await driver.ask(RequestKind.REJECT, run=driver.run("ONE").id, reason="not this one")
        await driver.idle()
        refused = await driver.approve("TWO", plan=one)
        assert not refused.granted
        assert "the plan is not the one you name" in refused.text
        assert driver.effects("TWO") == []
