"""A policy that nobody approved yet is told and decided in the console; what was before holds still."""

from __future__ import annotations

from typing import Any

import pytest
from textual.widgets import Button, Input, Static

from opconsole.journal.records import RequestKind
from screens.dialogs.menu import ActionsMenu
from screens.dialogs.simple import NoticeDialog, ReasonDialog
from screens.policy_asked import PolicyDialog
from screens.widgets.strip import draw_strip


async def test_a_policy_that_waits_is_on_the_strip_and_told_once_with_what_to_do(
    console: Any, samples: Any, make_app: Any, until: Any
) -> None:
    console.policy_asked = samples.policy()
    async with make_app(console).run_test(size=(140, 40), notifications=True) as pilot:
        await until(pilot, lambda: _told(pilot))
        console.change()
        await until(pilot, lambda: console.shown > 1)
        assert len(_told(pilot)) == 1
        assert "2 lists it" in _told(pilot)[0]
        assert "opconsole approve p-7c41d0" in _told(pilot)[0]
    assert "a policy waits" in str(draw_strip(await console.snapshot(), "ada", read_only=False))


@pytest.mark.parametrize("size", [(140, 40), (80, 24)])
async def test_it_is_a_row_of_the_inbox_and_approved_by_the_same_keys(
    console: Any, samples: Any, make_app: Any, until: Any, size: tuple[int, int]
) -> None:
    console.policy_asked = samples.policy()
    async with make_app(console).run_test(size=size) as pilot:
        screen = await _selected(pilot, until)
        assert "◆ approve" in _row(screen)
        assert "policy p-7c41d0" in _row(screen)
        assert "14 m 00 s" in _row(screen)
        text = " ".join(_asked(screen).split())
        for said in ("gate: production → staging", "deployment_limit: 900 → 600", "sha256:5ad1", "alice"):
            assert said in text
        await pilot.press("a")
        await until(pilot, lambda: isinstance(pilot.app.screen, ActionsMenu))
        await pilot.press("p")
        await until(pilot, lambda: isinstance(pilot.app.screen, PolicyDialog))
        dialog = pilot.app.screen
        assert dialog.focused.id == "cancel"
        dialog.query_one("#approve", Button).press()
        await until(pilot, lambda: "A reason is needed" in str(dialog.query_one("#missing", Static).content))
        dialog.query_one("#reason", Input).value = "one approver is ill"
        dialog.query_one("#approve", Button).press()
        await until(pilot, lambda: console.asked)
    digest = console.policy_asked.row.digest
    asked = {"policy": "p-7c41d0", "plan": digest, "reason": "one approver is ill"}
    assert console.asked == [(RequestKind.APPROVE, asked)]


async def test_what_is_told_meanwhile_covers_neither_fields_nor_buttons(
    console: Any, samples: Any, make_app: Any, until: Any
) -> None:
    console.policy_asked = samples.policy()
    async with make_app(console).run_test(size=(80, 24), notifications=True) as pilot:
        await _selected(pilot, until)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, PolicyDialog))
        pilot.app.desk.tell("something else happened")
        await until(pilot, lambda: pilot.app.screen.query("Toast"))
        await until(pilot, lambda: pilot.app.screen.query("Toast").last().region.height)
        foot = pilot.app.screen.query_one("#foot").region
        for toast in pilot.app.screen.query("Toast"):
            assert not toast.region.overlaps(foot)


async def test_it_is_rejected_with_a_reason_and_marked_with_no_plans(
    console: Any, samples: Any, make_app: Any, until: Any
) -> None:
    console.policy_asked = samples.policy()
    async with make_app(console).run_test(size=(140, 40)) as pilot:
        screen = await _selected(pilot, until)
        await pilot.press("space")
        assert screen.situation().marked == ()
        await _selected(pilot, until)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, PolicyDialog))
        pilot.app.screen.query_one("#reject", Button).press()
        await until(pilot, lambda: isinstance(pilot.app.screen, ReasonDialog))
        pilot.app.screen.query_one("#reason", Input).value = "two must look"
        pilot.app.screen.query_one("#do", Button).press()
        await until(pilot, lambda: console.asked)
    assert console.asked == [(RequestKind.REJECT, {"policy": "p-7c41d0", "reason": "two must look"})]


async def test_a_policy_that_was_decided_meanwhile_closes_its_dialog(
    console: Any, samples: Any, make_app: Any, until: Any
) -> None:
    console.policy_asked = samples.policy()
    async with make_app(console).run_test(size=(140, 40)) as pilot:
        await _selected(pilot, until)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, PolicyDialog))
        console.policy_asked = samples.policy(id="p-2", digest="sha256:other")
        console.change()
        await until(pilot, lambda: isinstance(pilot.app.screen, NoticeDialog))
        assert "another policy waits now" in str(pilot.app.screen.query_one("#text", Static).content)
    assert console.asked == []


async def test_without_the_signature_that_it_wants_nothing_is_asked(
    console: Any, samples: Any, make_app: Any, until: Any
) -> None:
    console.policy_asked = samples.policy(signed=True)
    async with make_app(console).run_test(size=(140, 40), notifications=True) as pilot:
        await _selected(pilot, until)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, PolicyDialog))
        pilot.app.screen.query_one("#reason", Input).value = "it may"
        pilot.app.screen.query_one("#approve", Button).press()
        await until(pilot, lambda: any(one.title == "Not signed" for one in pilot.app._notifications))
    assert console.asked == []


async def _selected(pilot: Any, until: Any) -> Any:
    await until(pilot, lambda: pilot.app.operations.table.selected)
    await pilot.press("2")
    await until(pilot, lambda: pilot.app.here.PLACE == "approvals" and pilot.app.here._ready)
    screen = pilot.app.here
    await until(pilot, lambda: screen._list.table.select("p-7c41d0"))
    await until(pilot, lambda: screen.situation().policy and "loosen" in _asked(screen))
    return screen


def _asked(screen: Any) -> str:
    return str(screen.query_one("#detail Asked").query_one(Static).content)


def _row(screen: Any) -> str:
    rows = [str(screen._list.table.render_line(row).text) for row in range(1, 5)]
    return next(row for row in rows if "p-7c41d0" in row)


def _told(pilot: Any) -> list[str]:
    return [one.message for one in pilot.app._notifications if "loosen the policy" in one.message]
