"""The approvals screen: all that waits for a person, and several plans decided at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from textual.widgets import Button, Input, Static

from opconsole.console import Answer
from opconsole.inbox import Wanted, inbox
from opconsole.journal.records import Purpose, RequestKind
from opconsole.view_making import ENTRY_CHANGED
from queues.states import RunState
from screens.dialogs.approval import ApprovalDialog
from screens.dialogs.approval_text import approval_text
from screens.dialogs.approve_many import ApproveManyDialog
from screens.dialogs.decide import DecideDialog
from screens.dialogs.simple import NoticeDialog, ReasonDialog


@pytest.fixture
def waits(console: Any, samples: Any, clock: Any) -> Any:
    """Give a console on which two approvals, a decision and a verification wait."""
    staging = samples.task("DEPLOY-STAGING-002", environment="staging", gate="staging")
    approval = samples.approval("run-deploy-staging-002", plan=samples.plan(environment="staging"))
    approval = replace(approval, id="approval-2", expires_at=clock.now() + timedelta(minutes=12))
    console.put(*samples.run(staging, RunState.WAITING, approvals=(approval,)))
    stuck = samples.task("DEPLOY-PROD-000", version="2.0.1", waits_for="a decision")
    console.put(*samples.run(stuck, RunState.HALTED, reason="health check failed"))
    done = samples.task("DEPLOY-PROD-009", version="1.9.0")
    done, run = samples.run(done, RunState.SUCCEEDED, finished_at=clock.now() - timedelta(hours=3))
    console.put(replace(done, unverified=True), run)
    return console


async def opened(pilot: Any, until: Any) -> Any:
    await until(pilot, lambda: pilot.app.operations.query("#queue-table"))
    await pilot.press("2")
    await until(pilot, lambda: pilot.app.here.PLACE == "approvals" and pilot.app.here.query("#detail"))
    screen = pilot.app.here
    await until(pilot, lambda: screen._list.table.shown and screen.situation().run)
    return screen


def line(screen: Any, row: int) -> str:
    return str(screen._list.table.render_line(row).text)


def asked(screen: Any) -> str:
    return str(screen.query_one("#detail Asked").query_one(Static).content)


async def test_everything_that_waits_is_listed_with_since_when_until_when_and_what_it_would_do(
    waits: Any, make_app: Any, until: Any
) -> None:
    async with make_app(waits).run_test(size=(150, 40)) as pilot:
        screen = await opened(pilot, until)
        rows = [line(screen, row) for row in range(1, 5)]
        assert [row.split()[:4] for row in rows] == [
            ["›", "!", "decide", "DEPLOY-PROD-000"],
            ["◆", "approve", "DEPLOY-PROD-001", "production"],
            ["◆", "approve", "DEPLOY-STAGING-002", "staging"],
            ["✓", "verify", "DEPLOY-PROD-009", "production"],
        ]
        assert "never" in rows[1]
        assert "in 12 m 00 s" in rows[2]
        assert "30 s" in rows[2]
        assert "3 h 00 m" in rows[3]
        await until(pilot, lambda: "health check failed" in asked(screen))
        await pilot.press("j")
        await until(pilot, lambda: "What will run" in asked(screen))
        assert "Project" in asked(screen)


async def test_enter_opens_the_dialog_of_what_is_waited_for(waits: Any, make_app: Any, until: Any) -> None:
    async with make_app(waits).run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, until)
        for kind in (DecideDialog, ApprovalDialog, ApprovalDialog, ReasonDialog):
            await pilot.press("enter")
            await until(pilot, lambda kind=kind: isinstance(pilot.app.screen, kind))
            await pilot.press("escape")
            await until(pilot, lambda: pilot.app.screen is screen)
            await pilot.press("j")
        assert waits.asked == []


async def test_marked_plans_are_approved_in_one_dialog_and_each_result_is_shown(
    waits: Any, make_app: Any, until: Any
) -> None:
    async with make_app(waits).run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, until)
        await pilot.press("space")  # a decision cannot be marked
        await pilot.press("space", "space")
        assert len(screen.situation().marked) == 2
        await pilot.press("a")
        await until(pilot, lambda: pilot.app.screen.query("OptionList"))
        await pilot.press("m")
        await until(pilot, lambda: isinstance(pilot.app.screen, ApproveManyDialog))
        dialog = pilot.app.screen
        await pilot.pause()
        assert dialog.focused.id == "cancel"
        text = str(dialog.query_one("#text", Static).content)
        for part in (
            "Deploy PRODUCTION  DEPLOY-PROD-001",
            "Deploy STAGING  DEPLOY-STAGING-002",
            "4 steps · 2 migr",
        ):
            assert part in text
        dialog.query_one("#reason", Input).value = "the whole cascade was read"
        dialog.query_one("#environment", Input).value = "production"
        await pilot.pause()  # what was typed takes away what was said to be missing
        dialog.query_one("#approve", Button).press()
        await until(pilot, lambda: "Type exactly" in str(dialog.query_one("#missing", Static).content))
        assert waits.asked == []
        dialog.query_one("#environment", Input).value = "staging, production"
        answers = iter(
            [Answer(granted=True, text="it goes on"), Answer(granted=False, text="already decided")]
        )

        async def ask(kind: RequestKind, payload: Any) -> Answer:
            waits.asked.append((kind, payload))
            return next(answers)

        waits.ask = ask
        await pilot.pause()  # what was typed takes away what was said to be missing
        dialog.query_one("#approve", Button).press()
        await until(pilot, lambda: isinstance(pilot.app.screen, NoticeDialog))
        said = str(pilot.app.screen.query_one("#text", Static).content)
        assert "✓ DEPLOY-PROD-001 in production\n  it goes on" in said
        assert "✗ DEPLOY-STAGING-002 in staging\n  already decided" in said
        assert [(kind, payload["environment"]) for kind, payload in waits.asked] == [
            (RequestKind.APPROVE, "production"),
            (RequestKind.APPROVE, "staging"),
        ]
        assert {payload["reason"] for _, payload in waits.asked} == {"the whole cascade was read"}


async def test_the_highest_tier_of_the_marked_holds_for_all(
    waits: Any, samples: Any, clock: Any, make_app: Any, until: Any
) -> None:
    waits.put(*samples.waiting(3))
    async with make_app(waits).run_test(size=(120, 40)) as pilot:
        await opened(pilot, until)
        await pilot.press("j", "space", "V")
        await pilot.press("colon", *"approve-marked", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, ApproveManyDialog))
        dialog = pilot.app.screen
        assert dialog.tier == 3
        dialog.query_one("#reason", Input).value = "read"
        dialog.query_one("#environment", Input).value = "production staging"
        await pilot.pause()  # what was typed takes away what was said to be missing
        dialog.query_one("#approve", Button).press()
        await until(pilot, lambda: "Sending in 3 s" in str(dialog.query_one("#missing", Static).content))
        await pilot.press("escape")
        await until(pilot, lambda: "Taken back" in str(dialog.query_one("#missing", Static).content))
        await pilot.pause()  # what was typed takes away what was said to be missing
        dialog.query_one("#approve", Button).press()
        await until(pilot, lambda: dialog.holds)
        clock.seconds += 3.1
        await until(pilot, lambda: len(waits.asked) == 2)


async def test_a_plan_that_changes_meanwhile_stops_all_of_them(
    waits: Any, samples: Any, make_app: Any, until: Any
) -> None:
    async with make_app(waits).run_test(size=(120, 40)) as pilot:
        await opened(pilot, until)
        await pilot.press("j", "space", "V", "colon", *"approve-marked", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, ApproveManyDialog))
        run = waits.runs["run-deploy-prod-001"]
        other = replace(run.approvals[0], digest="sha256:other", plan=samples.plan(commit="0" * 40))
        waits.runs["run-deploy-prod-001"] = replace(run, approvals=(other,))
        waits.change()
        await until(pilot, lambda: isinstance(pilot.app.screen, NoticeDialog))
        said = str(pilot.app.screen.query_one("#text", Static).content)
        assert "DEPLOY-PROD-001: commit: was" in said
        assert waits.asked == []


async def test_of_several_each_says_first_what_would_refuse_it_and_an_edited_entry_stops_all(
    waits: Any, make_app: Any, until: Any
) -> None:
    run = waits.runs["run-deploy-prod-001"]
    plan = {**run.approvals[0].plan, "approvers": ["bob"]}
    waits.runs["run-deploy-prod-001"] = replace(run, approvals=(replace(run.approvals[0], plan=plan),))
    async with make_app(waits).run_test(size=(120, 40)) as pilot:
        await opened(pilot, until)
        await pilot.press("j", "space", "V", "colon", *"approve-marked", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, ApproveManyDialog))
        await pilot.pause()
        said = str(pilot.app.screen.query_one("#text", Static).content)
        assert "refused now: alice may not decide for credentialmate in production; allowed: bob" in " ".join(
            said.split()
        )
        edited = replace(waits.runs["run-deploy-prod-001"], entry_note=ENTRY_CHANGED)
        waits.runs["run-deploy-prod-001"] = edited
        waits.change()
        await until(pilot, lambda: isinstance(pilot.app.screen, NoticeDialog))
        said = str(pilot.app.screen.query_one("#text", Static).content)
        assert "DEPLOY-PROD-001: Its entry in the queue file is another one now" in said
        assert waits.asked == []


async def test_what_is_decided_elsewhere_leaves_the_list_and_its_mark_with_it(
    waits: Any, samples: Any, make_app: Any, until: Any
) -> None:
    async with make_app(waits).run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, until)
        await pilot.press("j", "space")
        assert screen.situation().marked
        waits.put(*samples.run(samples.task(), RunState.RUNNING))
        waits.change()
        await until(pilot, lambda: len(screen._list.table.shown) == 3)
        assert screen.situation().marked == ()
        waits.tasks, waits.runs = (), {}
        waits.change()
        empty = screen.query_one("#list .empty", Static)
        await until(pilot, lambda: empty.display and "Nothing waits for anybody" in str(empty.content))


async def test_a_load_that_ends_while_its_screen_is_taken_down_breaks_nothing(
    waits: Any, make_app: Any, until: Any
) -> None:
    async with make_app(waits).run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, until)
        await screen._list.remove_children()
        screen._list.show_rows(())
        await pilot.pause()


async def test_the_list_is_filtered_and_one_key_leads_to_the_run_and_back(
    waits: Any, make_app: Any, until: Any
) -> None:
    async with make_app(waits).run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, until)
        await pilot.press("ampersand", *"staging")
        await until(pilot, lambda: len(screen._list.table.shown) == 1)
        await pilot.press("enter", "l")
        await until(pilot, lambda: pilot.app.screen is pilot.app.operations)
        await until(pilot, lambda: pilot.app.operations.situation().run)
        assert pilot.app.operations.view.where == "detail credentialmate:DEPLOY-STAGING-002"
        await pilot.press("left_square_bracket")
        await until(pilot, lambda: pilot.app.screen is screen)
        assert screen.where() == "credentialmate:DEPLOY-STAGING-002"
        await pilot.press("escape")
        await until(pilot, lambda: len(screen._list.table.shown) == 4)
        await pilot.press("tab")
        await until(pilot, lambda: screen.query_one("#detail").size.height and not screen._list.size.height)


def test_the_inbox_names_the_rollback_that_is_asked_for(samples: Any) -> None:
    task, run = samples.waiting()
    approval = replace(run.waiting, purpose=Purpose.REVERT, why=("its rollback",))
    [one] = inbox([task], [(approval, run.run)])
    assert (one.wanted, one.why, one.tier, one.by) == (Wanted.APPROVE, "its rollback", 2, "alice")
    assert inbox([replace(task, run=None)], [(approval, run.run)]) == ()


def test_a_dialog_says_what_is_done_otherwise_than_the_last_time(samples: Any, clock: Any) -> None:
    _, run = samples.waiting()
    steps = [
        {"name": "place", "argv": None},
        {"name": "switch", "argv": ["bin/restart", "--now"]},
        {"name": "migrate", "argv": ["alembic", "upgrade", "4be1"]},
        {"name": "warm-up", "argv": None},
    ]
    before = samples.plan(steps=steps, migrations={"path": "x", "to": "4be1", "files": []})
    text = approval_text(replace(run, last_plan=before), run.waiting, "bob", clock.now(), 90).plain
    assert "Otherwise than the last time that it went well" in text
    for said in (
        "+ health is new",
        "– warm-up is not there any more",
        "~ switch: bin/restart {release_dir} (was:",
    ):
        assert said in text
    assert "~ migrate" not in text, "another revision alone is no other step"
    again = approval_text(replace(run, last_plan=samples.plan()), run.waiting, "bob", clock.now(), 90).plain
    assert "the same steps as the last time" in again
    assert "the first time here" in approval_text(run, run.waiting, "bob", clock.now(), 90).plain


async def test_copying_gives_what_the_command_line_takes(waits: Any, make_app: Any, until: Any) -> None:
    async with make_app(waits).run_test(size=(150, 40)) as pilot:
        screen = await opened(pilot, until)
        await pilot.press("y")
        await until(pilot, lambda: pilot.app.clipboard == "DEPLOY-PROD-000")
        assert screen._list.table.select("credentialmate:DEPLOY-PROD-001")
        await pilot.press("y")
        digest = "sha256:3c5e0d1f" + "ab" * 28
        await until(pilot, lambda: pilot.app.clipboard == f"DEPLOY-PROD-001 --plan {digest}")
