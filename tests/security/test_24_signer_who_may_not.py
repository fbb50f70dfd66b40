"""Attack 24: an expired or revoked signer; a requester who approves their own request."""

from __future__ import annotations

import json
import os

import pytest

from guardrails.approving import Verdict
from opconsole.asked import asked_of
from opconsole.signing import SigningKey, sign, statement


@pytest.fixture
def signed(keys):
    """Sign what a task waits for."""

    def make(driver, task: str, name: str) -> str:
        subject = asked_of(driver.approval(task), driver.run(task)).subject
        text = statement(driver.place.id, subject, Verdict.APPROVE, "looked at it")
        return sign(text, SigningKey(keys.key(name)), environ={"PATH": os.environ["PATH"]}, ask=False)

    return make


@pytest.mark.parametrize(
    ("option", "why"),
    [
        ('valid-before="20250101"', "has expired"),
        ('valid-after="20990101"', "is not valid yet"),
        ('namespaces="git"', "is not allowed to sign in the namespace"),
    ],
)
async def test_a_signer_out_of_time_or_place_approves_nothing(  # noqa: PLR0917 - fixtures
    project, deploy, keys, allow, signed, option, why
):
    project.policy = f'[approvals]\nallowed_signers = "{allow(keys.line("eve", option))}"'
    project.settings()
    project.queue(deploy("PROD", "production"))
    async with project.hosted() as driver:
        await driver.go()
        refused = await driver.approve("PROD", by="eve", signature=signed(driver, "PROD", "eve"))
        assert not refused.granted
        assert why in refused.text
        assert driver.effects("PROD") == []
        [entry] = [row for row in driver.reader.audit() if row.action == "approve-refused"]
        assert why in json.loads(entry.detail)["reason"]


async def test_a_revoked_signer_approves_nothing(project, deploy, keys, allow, signed):
    revoked = keys.folder / "revoked"
    revoked.write_text(keys.public("eve") + "\n")
    project.policy = f'[approvals]\nallowed_signers = "{allow("eve", "kim")}"\nrevoked_keys = "{revoked}"'
    project.settings()
    project.queue(deploy("PROD", "production"))
    async with project.hosted() as driver:
        await driver.go()
        refused = await driver.approve("PROD", by="eve", signature=signed(driver, "PROD", "eve"))
        assert not refused.granted
        assert "is revoked" in refused.text
        assert driver.effects("PROD") == []
        assert (await driver.approve("PROD", by="kim", signature=signed(driver, "PROD", "kim"))).granted


async def test_a_key_revoked_between_approval_and_effects_voids_what_it_approved(
    project, deploy, keys, allow, signed
):
    revoked = keys.folder / "revoked"
    revoked.write_text("")
    project.policy = f'[approvals]\nallowed_signers = "{allow("eve", "kim")}"\nrevoked_keys = "{revoked}"'
    project.settings()
    project.queue(deploy("PROD", "production"))
    async with project.hosted() as driver:
        await driver.go()
        stolen = signed(driver, "PROD", "eve")
    revoked.write_text(keys.public("eve") + "\n")
    async with project.hosted() as driver:
        await driver.go()
        assert not (await driver.approve("PROD", by="eve", signature=stolen)).granted
        assert driver.effects("PROD") == []


async def test_a_requester_does_not_approve_their_own_request(project, deploy, keys, allow, signed):
    signers = allow(keys.line("ana", principals="admin,ana@example.org"), "kim")
    project.policy = f'[approvals]\nfour_eyes = true\nallowed_signers = "{signers}"'
    project.settings()
    project.queue(deploy("PROD", "production"))
    async with project.hosted(user="ana") as driver:
        await driver.go()
        # Not under another name in the session either: the key says who it is.
        own = signed(driver, "PROD", "ana")
        for name in ("ana", "kim"):
            refused = await driver.approve("PROD", by=name, signature=own)
            assert not refused.granted
            assert "four eyes are wanted" in refused.text
        assert driver.effects("PROD") == []
        assert (await driver.approve("PROD", by="ana", signature=signed(driver, "PROD", "kim"))).granted
        assert driver.state("PROD") == "succeeded"
