"""Signing from the approval dialog: with an open key, with one that has to ask, and not at all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from textual.widgets import Button, Input

from opconsole.journal.records import VoteRow
from opconsole.signing import SigningError
from screens.actions import REGISTRY
from screens.dialogs.approval import ApprovalDialog


@pytest.fixture
def approve(console: Any, samples: Any, make_app: Any, until: Any):
    """Approve what waits in the second tier, with approvals that must be signed."""

    async def go(*, signed: bool = True, then: Any = None) -> Any:
        task, run = samples.waiting(2)
        vote = VoteRow(run.approvals[0].id, "bob", "bob", samples.approval().requested_at, "approve")
        console.tasks, console.runs = (), {}
        console.put(task, replace(run, signed=signed, votes=(vote,)))
        async with make_app(console).run_test(size=(120, 50)) as pilot:
            await until(pilot, lambda: pilot.app.operations.situation().run)
            pilot.app.operations.perform(next(one for one in REGISTRY if one.name == "approve"))
            await until(pilot, lambda: isinstance(pilot.app.screen, ApprovalDialog))
            dialog = pilot.app.screen
            text = dialog.body(110).plain
            dialog.query_one("#reason", Input).value = "release day"
            dialog.query_one("#environment", Input).value = "production"
            dialog.query_one("#approve", Button).press()
            await until(pilot, lambda: then(pilot) if then else console.asked)
            return text

    return go


async def test_a_signature_goes_along_with_the_approval(console: Any, approve: Any, monkeypatch) -> None:
    said: list[tuple[str, bool]] = []

    def sign(run_id: str, reason: str, *, ask: bool) -> str:
        said.append((reason, ask))
        return "-----BEGIN SSH SIGNATURE-----"

    monkeypatch.setattr(console, "sign", sign)
    text = await approve()
    assert "your key's signature says who approves" in text
    assert "bob (advisory)" in text
    assert console.asked[0][1]["signature"] == "-----BEGIN SSH SIGNATURE-----"
    assert said == [("release day", False)]


async def test_where_nothing_can_be_signed_nothing_is_asked(console: Any, approve: Any, monkeypatch) -> None:
    def sign(run_id: str, reason: str, *, ask: bool) -> str:
        raise SigningError("no key is known")

    monkeypatch.setattr(console, "sign", sign)
    told: list[str] = []

    def heard(pilot: Any) -> bool:
        told[:] = [note.title for note in pilot.app._notifications]
        return "Not signed" in told

    await approve(then=heard)
    assert console.asked == []


async def test_without_signers_nothing_is_signed_and_the_name_is_no_proof(console: Any, approve: Any) -> None:
    text = await approve(signed=False)
    assert "(a name, not a proof)" in text
    assert "signature" not in console.asked[0][1]
