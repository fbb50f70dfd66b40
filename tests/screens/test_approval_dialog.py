"""What an approval takes: nothing happens by accident, and only to the plan that was shown."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from textual.widgets import Button, Input, Static

from opconsole.journal.records import ApprovalState, Purpose, RequestKind
from opconsole.view_making import ENTRY_CHANGED
from queues.states import RunState
from screens.actions import REGISTRY
from screens.dialogs.approval import ApprovalDialog
from screens.dialogs.simple import NoticeDialog, ReasonDialog


async def push(pilot: Any, button: str) -> None:
    """Press a button, also one that still shows that it was pressed just now."""
    pilot.app.screen.query_one(f"#{button}", Button).press()
    await pilot.pause()


class Story:
    """One waiting task in an app, and the way to its dialog."""

    def __init__(self, console: Any, samples: Any, clock: Any, make_app: Any, until: Any) -> None:
        self.console, self.samples, self.clock = console, samples, clock
        self.make_app, self.until = make_app, until

    def only(self, tier: int) -> None:
        self.console.tasks, self.console.runs = (), {}
        self.console.put(*self.samples.waiting(tier))

    async def open(self, pilot: Any, *, by_keys: bool = False) -> ApprovalDialog:
        """Open the dialog: by its keys, or as the palette does, which needs no menu."""
        await self.until(pilot, lambda: pilot.app.operations.situation().run)
        if by_keys:
            await pilot.press("a")
            await self.until(pilot, lambda: type(pilot.app.screen).__name__ == "ActionsMenu")
            await pilot.press("p")
        else:
            pilot.app.operations.perform(next(one for one in REGISTRY if one.name == "approve"))
        await self.until(pilot, lambda: isinstance(pilot.app.screen, ApprovalDialog))
        await pilot.pause()
        dialog = pilot.app.screen
        assert isinstance(dialog, ApprovalDialog)
        return dialog

    async def fill(self, pilot: Any, reason: str, environment: str) -> None:
        pilot.app.screen.query_one("#reason", Input).value = reason
        pilot.app.screen.query_one("#environment", Input).value = environment
        await pilot.pause()

    def missing(self, pilot: Any) -> str:
        return str(pilot.app.screen.query_one("#missing", Static).content)


@pytest.fixture
def story(console: Any, samples: Any, clock: Any, make_app: Any, until: Any) -> Story:
    return Story(console, samples, clock, make_app, until)


@pytest.mark.parametrize("tier", [1, 2, 3])
async def test_cancel_has_the_focus_and_enter_never_approves_on_opening(story: Story, tier: int) -> None:
    story.only(tier)
    async with story.make_app(story.console).run_test(size=(120, 40)) as pilot:
        dialog = await story.open(pilot, by_keys=True)
        assert dialog.focused is not None
        assert dialog.focused.id == "cancel"
        await pilot.press("enter")
        await story.until(pilot, lambda: pilot.app.screen is pilot.app.operations)
        assert story.console.asked == []


async def test_keys_of_the_first_half_second_are_dropped(story: Story) -> None:
    story.only(1)
    async with story.make_app(story.console, guard=0.5).run_test(size=(120, 40)) as pilot:
        dialog = await story.open(pilot, by_keys=True)
        story.clock.seconds += 0.49
        await pilot.press("y", "enter", "escape")
        assert pilot.app.screen is dialog
        assert story.console.asked == []
        story.clock.seconds += 0.02
        await pilot.press("y")
        await story.until(pilot, lambda: story.console.asked)


async def test_the_first_tier_takes_y_and_n(story: Story) -> None:
    story.only(1)
    async with story.make_app(story.console).run_test(size=(120, 40)) as pilot:
        await story.open(pilot)
        await pilot.press("n")
        await story.until(pilot, lambda: pilot.app.screen is pilot.app.operations)
        assert story.console.asked == []
        await story.open(pilot)
        await pilot.press("y")
        await story.until(pilot, lambda: story.console.asked)
        kind, payload = story.console.asked[0]
        assert kind is RequestKind.APPROVE
        assert payload["plan"] == story.samples.approval().digest


async def test_y_approves_nothing_in_the_second_tier(story: Story) -> None:
    story.only(2)
    async with story.make_app(story.console).run_test(size=(120, 40)) as pilot:
        dialog = await story.open(pilot)
        await pilot.press("y")
        assert pilot.app.screen is dialog
        assert story.console.asked == []


async def test_the_second_tier_wants_a_reason_and_the_environments_exact_name(story: Story) -> None:
    story.only(2)
    async with story.make_app(story.console).run_test(size=(120, 40)) as pilot:
        dialog = await story.open(pilot)
        await push(pilot, "approve")
        assert "reason" in story.missing(pilot)
        for wrong in ("staging", "Production", "prod", "pr\u043eduction"):
            await story.fill(pilot, "release day", wrong)
            await push(pilot, "approve")
            assert "exactly: production" in story.missing(pilot)
            assert pilot.app.screen is dialog
        assert story.console.asked == []
        await story.fill(pilot, "release day", "production")
        await push(pilot, "approve")
        await story.until(pilot, lambda: story.console.asked)
        assert story.console.asked == [
            (
                RequestKind.APPROVE,
                {
                    "run": "run-deploy-prod-001",
                    "plan": dialog.approval.digest,
                    "reason": "release day",
                    "environment": "production",
                },
            )
        ]


async def test_enter_in_a_field_goes_on_and_decides_nothing(story: Story) -> None:
    story.only(2)
    async with story.make_app(story.console).run_test(size=(120, 40)) as pilot:
        dialog = await story.open(pilot)
        dialog.query_one("#reason").focus()
        await pilot.press(*"why", "enter", *"production", "enter")
        assert isinstance(dialog.focused, Button)
        assert dialog.focused.id == "approve"
        assert story.console.asked == []
        await pilot.press("enter")
        await story.until(pilot, lambda: story.console.asked)


async def test_the_third_tier_counts_down_and_can_be_taken_back(story: Story) -> None:
    story.only(3)
    async with story.make_app(story.console).run_test(size=(120, 40)) as pilot:
        dialog = await story.open(pilot)
        await story.fill(pilot, "agreed with bob", "production")
        await push(pilot, "approve")
        await story.until(pilot, lambda: "Sending in 3 s" in story.missing(pilot))
        story.clock.seconds += 2.9
        await pilot.press("escape")
        assert pilot.app.screen is dialog
        assert "Taken back" in story.missing(pilot)
        story.clock.seconds += 10
        await pilot.pause(0.2)
        assert story.console.asked == []
        await push(pilot, "approve")
        await story.until(pilot, lambda: "Sending in" in story.missing(pilot))
        story.clock.seconds += 3
        await story.until(pilot, lambda: story.console.asked)


async def test_a_plan_that_changes_closes_the_dialog_and_says_what_changed(story: Story) -> None:
    story.only(2)
    async with story.make_app(story.console).run_test(size=(120, 40)) as pilot:
        dialog = await story.open(pilot)
        run = story.console.runs["run-deploy-prod-001"]
        plan = story.samples.plan(version={"from": "2.0.0", "to": "2.1.1"})
        other = replace(dialog.approval, id="approval-2", digest="sha256:" + "0" * 64, plan=plan)
        void = replace(dialog.approval, state=ApprovalState.VOID)
        story.console.runs["run-deploy-prod-001"] = replace(run, approvals=(void, other))
        story.console.change()
        await story.until(pilot, lambda: isinstance(pilot.app.screen, NoticeDialog))
        await pilot.pause()
        text = str(pilot.app.screen.query_one("#text", Static).content)
        assert 'version.to: was "2.1.0", is now "2.1.1"' in text
        assert story.console.asked == []


async def test_an_edit_of_its_entry_closes_the_dialog_and_stands_first_when_it_is_opened_again(
    story: Story,
) -> None:
    story.only(2)
    async with story.make_app(story.console).run_test(size=(120, 40)) as pilot:
        await story.open(pilot)
        run = story.console.runs["run-deploy-prod-001"]
        story.console.runs["run-deploy-prod-001"] = replace(run, entry_note=ENTRY_CHANGED)
        story.console.change()
        await story.until(pilot, lambda: isinstance(pilot.app.screen, NoticeDialog))
        await pilot.pause()
        assert "planned anew for that entry" in str(pilot.app.screen.query_one("#text", Static).content)
        await pilot.press("escape")
        dialog = await story.open(pilot)
        assert str(dialog.query_one("#text", Static).content).startswith(f"  ± {ENTRY_CHANGED}")
        assert story.console.asked == []


async def test_a_decision_made_elsewhere_closes_the_dialog(story: Story) -> None:
    story.only(2)
    async with story.make_app(story.console).run_test(size=(120, 40)) as pilot:
        dialog = await story.open(pilot)
        run = story.console.runs["run-deploy-prod-001"]
        decided = replace(dialog.approval, state=ApprovalState.REJECTED, decided_by="bob")
        story.console.runs["run-deploy-prod-001"] = replace(run, approvals=(decided,))
        story.console.change()
        await story.until(pilot, lambda: isinstance(pilot.app.screen, NoticeDialog))
        await pilot.pause()
        assert "rejected by bob" in str(pilot.app.screen.query_one("#text", Static).content)


async def test_a_change_elsewhere_leaves_the_dialog_and_what_was_typed(story: Story) -> None:
    story.only(2)
    async with story.make_app(story.console).run_test(size=(120, 40)) as pilot:
        dialog = await story.open(pilot)
        await story.fill(pilot, "half a rea", "")
        before = story.console.shown
        story.console.put(story.samples.task("ANOTHER"))
        story.console.change()
        await story.until(pilot, lambda: story.console.shown > before)
        await pilot.pause()
        assert pilot.app.screen is dialog
        assert dialog.query_one("#reason", Input).value == "half a rea"


async def test_rejecting_wants_a_reason(story: Story) -> None:
    story.only(2)
    async with story.make_app(story.console).run_test(size=(120, 40)) as pilot:
        await story.open(pilot)
        await push(pilot, "reject")
        await story.until(pilot, lambda: isinstance(pilot.app.screen, ReasonDialog))
        await pilot.pause()
        await push(pilot, "do")
        assert "reason" in story.missing(pilot)
        pilot.app.screen.query_one("#reason", Input).focus()
        await pilot.press(*"not on a Friday", "enter")
        assert pilot.app.screen.focused.id == "do", "enter in the field only goes on"
        assert story.console.asked == []
        await pilot.press("enter")
        await story.until(pilot, lambda: story.console.asked)
        payload = {"run": "run-deploy-prod-001", "reason": "not on a Friday"}
        assert story.console.asked == [(RequestKind.REJECT, payload)]


async def test_the_dialog_says_in_order_what_a_person_needs(story: Story) -> None:
    story.only(2)
    async with story.make_app(story.console).run_test(size=(120, 40)) as pilot:
        dialog = await story.open(pilot)
        assert "Deploy to PRODUCTION" in str(dialog.query_one("#title", Static).content)
        text = str(dialog.query_one("#text", Static).content)
        wanted = [
            "credentialmate",
            "2.0.0 → 2.1.0",
            "What will run",
            "bin/restart {release_dir}",
            "6a02_add_email.py",
            "delete-where",
            "All tests passed",
            "alice, 14:05:00 UTC",
            "3c5e0d1fabab",
            dialog.approval.digest,
            "never",
            "DEPLOYMENT APPROVAL REQUIRED",
        ]
        places = [text.find(part) for part in wanted]
        assert -1 not in places
        assert places == sorted(places)


async def test_taking_back_looks_unlike_going_ahead(story: Story) -> None:
    story.only(2)
    run = story.console.runs["run-deploy-prod-001"]
    revert = replace(run.approvals[0], purpose=Purpose.REVERT)
    story.console.runs["run-deploy-prod-001"] = replace(run, approvals=(revert,))
    async with story.make_app(story.console).run_test(size=(80, 24)) as pilot:
        dialog = await story.open(pilot)
        assert "Take back PRODUCTION" in str(dialog.query_one("#title", Static).content)
        assert dialog.has_class("-careful")
        assert "ROLLBACK APPROVAL REQUIRED" in str(dialog.query_one("#text", Static).content)


async def test_fields_and_buttons_are_in_view_on_a_small_terminal(story: Story) -> None:
    story.only(3)
    async with story.make_app(story.console).run_test(size=(80, 24)) as pilot:
        dialog = await story.open(pilot)
        await pilot.pause(0.05)
        for part in ("#reason", "#environment", "#cancel", "#approve"):
            region = dialog.query_one(part).region
            assert region.height == 1
            assert region.bottom <= 24


async def test_the_plan_is_walked_with_the_keys_of_every_list(story: Story) -> None:
    story.only(2)
    async with story.make_app(story.console).run_test(size=(80, 24)) as pilot:
        body = (await story.open(pilot)).query_one("#body")
        await story.until(pilot, lambda: body.max_scroll_y > 20)
        for key, there in (
            ("j", 1),
            ("pagedown", 11),
            ("k", 10),
            ("G", body.max_scroll_y),
            ("g", 0),
            ("end", body.max_scroll_y),
            ("home", 0),
        ):
            await pilot.press(key)
            assert body.scroll_y == there, key


async def test_a_refusal_is_told_with_its_reason(story: Story) -> None:
    story.only(1)
    story.console.answer = type(story.console.answer)(granted=False, text="alice may not decide [/bold]")
    async with story.make_app(story.console).run_test(size=(120, 40), notifications=True) as pilot:
        await story.open(pilot)
        await pilot.press("y")
        await story.until(pilot, lambda: story.console.asked)
        await story.until(pilot, lambda: pilot.app.screen.query("Toast"))
        toasts = pilot.app.screen.query("Toast")
        assert any("may not decide [/bold]" in str(toast.render()) for toast in toasts)


async def test_a_run_that_waits_no_more_says_so(story: Story) -> None:
    story.only(1)
    async with story.make_app(story.console).run_test(size=(120, 40)) as pilot:
        dialog = await story.open(pilot)
        run = story.console.runs[dialog.approval.run]
        gone = replace(run, approvals=(), run=replace(run.run, state=RunState.CANCELLED))
        story.console.runs[dialog.approval.run] = gone
        story.console.change()
        await story.until(pilot, lambda: isinstance(pilot.app.screen, NoticeDialog))


MIGRATION = """\
def upgrade() -> None:
    op.execute("CREATE INDEX by_email ON users (email)")  # \x1b]0;title\x07 [/bold] \u202e
"""


async def test_migrations_unfold_to_their_source_and_fold_again(story: Story) -> None:
    story.only(2)
    path = "backend/alembic/versions/77c0_index_email.py"
    story.console.sources[path] = MIGRATION
    async with story.make_app(story.console).run_test(size=(120, 40)) as pilot:
        dialog = await story.open(pilot)
        text = dialog.query_one("#text", Static)
        assert "CREATE INDEX" not in str(text.content)
        await pilot.press("m")
        await story.until(pilot, lambda: 'op.execute("CREATE INDEX by_email' in str(text.content))
        shown = str(text.content)
        assert shown.find("77c0_index_email.py") < shown.find("CREATE INDEX") < shown.find("Pre-flight")
        assert "its file is not kept any more" in shown, "of the other one"
        assert not set(shown) & set("\x1b\x07\u202e")
        assert "[/bold]" in shown
        body = dialog.query_one("#body")
        await story.until(pilot, lambda: body.scroll_y > 0)
        assert dialog.query_one("#approve").region.bottom <= 40
        await pilot.press("m", "m")
        await story.until(pilot, lambda: "CREATE INDEX" not in str(text.content))
        dialog.query_one("#migrations").focus()
        await pilot.press("enter")
        await story.until(pilot, lambda: "CREATE INDEX" in str(text.content))
        assert story.console.asked == []


async def test_after_their_source_the_migrations_unfold_to_the_sql_that_alembic_writes(story: Story) -> None:
    story.only(2)
    hostile = "\x1b]0;title\x07 [/bold]"
    story.console.sql = f"BEGIN;\n\n-- Running upgrade {hostile}\nCREATE INDEX by_email ON users (email);\n"
    async with story.make_app(story.console).run_test(size=(120, 40)) as pilot:
        dialog = await story.open(pilot)
        text = dialog.query_one("#text", Static)
        await pilot.press("m")
        await story.until(pilot, lambda: "its file is not kept any more" in str(text.content))
        await pilot.press("m")
        await story.until(pilot, lambda: "CREATE INDEX by_email ON users" in str(text.content))
        shown = str(text.content)
        assert shown.find("77c0_index_email.py") < shown.find("As SQL") < shown.find("Pre-flight")
        assert not set(shown) & set("\x1b\x07")
        assert "[/bold]" in shown
        assert "its file is not kept" not in shown
        words = [span for span in text.content.spans if str(span.style).startswith("$")]
        assert len({str(span.style) for span in words}) > 2, "it is highlighted"
        await pilot.press("m")
        await story.until(pilot, lambda: "As SQL" not in str(text.content))


async def test_sql_that_cannot_be_written_is_said_and_the_source_is_shown_again(story: Story) -> None:
    story.only(2)
    path = "backend/alembic/versions/77c0_index_email.py"
    story.console.sources[path] = MIGRATION
    async with story.make_app(story.console).run_test(size=(120, 40)) as pilot:
        dialog = await story.open(pilot)
        text = dialog.query_one("#text", Static)
        await pilot.press("m")
        await story.until(pilot, lambda: "by_email" in str(text.content))
        story.console.fault = PermissionError("this console is read-only")
        await pilot.press("m")
        await story.until(pilot, lambda: "this console is read-only" in story.missing(pilot))
        await story.until(pilot, lambda: "by_email" in str(text.content))
        assert pilot.app.screen is dialog


async def test_a_migration_that_cannot_be_read_is_said_and_the_dialog_goes_on(story: Story) -> None:
    story.only(2)
    async with story.make_app(story.console).run_test(size=(120, 40)) as pilot:
        dialog = await story.open(pilot)
        story.console.fault = OSError("the disk is gone")
        await pilot.press("m")
        await story.until(pilot, lambda: "the disk is gone" in story.missing(pilot))
        assert pilot.app.screen is dialog


async def test_a_cascade_is_reverted_at_its_gate_with_a_reason(story: Story) -> None:
    story.only(2)
    samples, console = story.samples, story.console
    waiting = console.tasks[0]
    for task, environment, state, after in (
        ("DEV", "development", RunState.SUCCEEDED, ()),
        ("STAGING", "staging", RunState.SUCCEEDED, ("DEV",)),
        ("OTHER", "staging", RunState.SUCCEEDED, ()),
    ):
        made = samples.task(task, environment=environment, depends_on=after)
        console.put(*samples.run(made, state, finished_at=samples.approval().requested_at))
    console.put(replace(waiting, depends_on=("STAGING",)))
    async with story.make_app(console).run_test(size=(80, 24)) as pilot:
        await story.until(pilot, lambda: pilot.app.operations.situation().run)
        await pilot.press("a")
        await story.until(pilot, lambda: type(pilot.app.screen).__name__ == "ActionsMenu")
        await pilot.press("b")
        await story.until(pilot, lambda: isinstance(pilot.app.screen, ReasonDialog))
        text = str(pilot.app.screen.query_one("#text", Static).content)
        assert "This run is rejected" in text
        assert "development" in text
        assert "staging" in text
        assert "OTHER" not in text, "it is not on the way to this run"
        await push(pilot, "do")
        assert "reason" in story.missing(pilot)
        assert console.asked == []
        pilot.app.screen.query_one("#reason", Input).value = "the numbers are wrong"
        await push(pilot, "do")
        await story.until(pilot, lambda: console.asked)
        payload = {"run": "run-deploy-prod-001", "verb": "revert", "reason": "the numbers are wrong"}
        assert console.asked == [(RequestKind.DECIDE, payload)]
