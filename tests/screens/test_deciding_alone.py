"""What a dialog says to somebody who decides alone, or too late, and what a success owes afterwards."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from textual.widgets import Input, Static

from opconsole.console import Answer
from opconsole.journal.records import ApprovalState, RequestKind, VoteRow
from queues.states import RunState
from screens.actions import REGISTRY
from screens.dialogs.approval import ApprovalDialog
from screens.dialogs.simple import NoticeDialog

ALONE = "there is no second person here, so this can be approved in"


async def opened(pilot: Any, until: Any) -> ApprovalDialog:
    await until(pilot, lambda: pilot.app.operations.situation().run)
    pilot.app.operations.perform(next(one for one in REGISTRY if one.name == "approve"))
    await until(pilot, lambda: isinstance(pilot.app.screen, ApprovalDialog) and pilot.app.screen.focused)
    dialog = pilot.app.screen
    assert isinstance(dialog, ApprovalDialog)
    return dialog


def only(console: Any, task: Any, run: Any) -> None:
    console.tasks, console.runs = (), {}
    console.put(task, run)


def deciding(samples: Any, *, approvers: list[str], **policy: Any) -> tuple[Any, Any]:
    """Give what waits in the third tier, asked for by alice thirty seconds ago, and who may decide it."""
    task, run = samples.waiting(3)
    [approval] = run.approvals
    plan = {**approval.plan, "approvers": approvers, "policy": {**approval.plan["policy"], **policy}}
    return task, replace(run, approvals=(replace(approval, plan=plan),))


async def test_who_asked_and_is_alone_sees_how_long_a_yes_would_be_refused_yet(
    console: Any, samples: Any, clock: Any, make_app: Any, until: Any
) -> None:
    only(console, *deciding(samples, approvers=[]))
    console.operator = "alice"
    async with make_app(console).run_test(size=(120, 60)) as pilot:
        dialog = await opened(pilot, until)
        assert f"refused now: {ALONE} 270 s" in said(dialog)
        clock.at += timedelta(seconds=100)
        await until(pilot, lambda: f"refused now: {ALONE} 170 s" in said(dialog))
        clock.at += timedelta(seconds=170)
        await until(pilot, lambda: "refused now" not in said(dialog))


async def test_another_person_is_told_nothing_of_it(
    console: Any, samples: Any, make_app: Any, until: Any
) -> None:
    only(console, *deciding(samples, approvers=[]))
    console.operator = "bob"
    async with make_app(console).run_test(size=(120, 60)) as pilot:
        dialog = await opened(pilot, until)
        assert "refused now" not in said(dialog)
        assert "still needs" not in said(dialog)


async def test_where_several_may_decide_the_dialog_names_them_and_whom_it_takes_besides(
    console: Any, samples: Any, clock: Any, make_app: Any, until: Any
) -> None:
    only(console, *deciding(samples, approvers=["alice", "bob", "cleo"], quorum=2))
    console.operator = "bob"
    async with make_app(console).run_test(size=(120, 60)) as pilot:
        dialog = await opened(pilot, until)
        assert "alice, bob, cleo" in said(dialog)
        assert "after yours it still needs 1 more approval of alice, cleo" in said(dialog)
        run = console.runs["run-deploy-prod-001"]
        vote = VoteRow(run.waiting.id, "cleo", "cleo", clock.now(), "approve", "read it")
        console.runs["run-deploy-prod-001"] = replace(run, votes=(vote,))
        console.change()
        await until(pilot, lambda: "still needs" not in said(dialog))
        assert "Approved by cleo (advisory)" in said(dialog)


async def test_who_may_not_decide_reads_it_before_anything_is_typed(
    console: Any, samples: Any, make_app: Any, until: Any
) -> None:
    only(console, *deciding(samples, approvers=["alice", "cleo"]))
    console.operator = "bob"
    async with make_app(console).run_test(size=(120, 60)) as pilot:
        dialog = await opened(pilot, until)
        assert "refused now: bob may not decide for credentialmate in production" in said(dialog)


def said(dialog: ApprovalDialog) -> str:
    """Give the dialog's text as one line, however it is folded."""
    return " ".join(str(dialog.query_one("#text", Static).content).split())


async def test_the_answer_of_the_break_glass_wait_is_shown_word_for_word(
    console: Any, samples: Any, make_app: Any, until: Any
) -> None:
    only(console, *samples.waiting(3))
    console.answer = Answer(granted=True, text="Alone: it begins at 14:10 unless somebody rejects it.")
    async with make_app(console, countdown=0.0).run_test(size=(120, 60)) as pilot:
        dialog = await opened(pilot, until)
        dialog.query_one("#reason", Input).value = "production is down and nobody else can be reached"
        dialog.query_one("#environment", Input).value = "production"
        dialog.query_one("#approve").press()
        await until(pilot, lambda: console.asked)
        assert console.asked[0][0] is RequestKind.APPROVE
        await until(pilot, lambda: any("it begins at 14:10" in note.message for note in notes(pilot)))


def notes(pilot: Any) -> list[Any]:
    return list(pilot.app._notifications)


async def test_a_request_that_expires_under_the_dialog_is_a_rejection_and_says_so(
    console: Any, samples: Any, clock: Any, make_app: Any, until: Any
) -> None:
    task, run = samples.waiting(2)
    [approval] = run.approvals
    soon = replace(approval, expires_at=clock.now() + timedelta(minutes=1))
    only(console, task, replace(run, approvals=(soon,)))
    async with make_app(console).run_test(size=(120, 60)) as pilot:
        dialog = await opened(pilot, until)
        assert "Expires" in str(dialog.query_one("#text", Static).content)
        over = replace(soon, state=ApprovalState.EXPIRED)
        ended = replace(
            run.run, state=RunState.REJECTED, reason="nobody approved it in time: that is a rejection"
        )
        console.put(replace(task, state="rejected"), replace(run, run=ended, approvals=(over,)))
        console.change()
        await until(pilot, lambda: isinstance(pilot.app.screen, NoticeDialog))
        await until(pilot, lambda: pilot.app.screen.query("#text"))
        text = str(pilot.app.screen.query_one("#text", Static).content)
        assert "it is rejected" in text
        assert "nobody approved it in time" in text
        assert console.asked == []


async def test_a_success_in_production_is_marked_until_somebody_records_the_verification(
    console: Any, samples: Any, clock: Any, make_app: Any, until: Any
) -> None:
    task, run = samples.run(samples.task(), RunState.SUCCEEDED, finished_at=clock.now())
    only(console, replace(task, unverified=True), run)
    async with make_app(console).run_test(size=(140, 40)) as pilot:
        table = pilot.app.operations.table

        def row() -> str:
            return "\n".join(table.render_line(y).text for y in range(table.size.height))

        await until(pilot, lambda: "✓ unverified" in row())
        console.put(task, run)
        console.change()
        await until(pilot, lambda: "✓ succeeded" in row())
