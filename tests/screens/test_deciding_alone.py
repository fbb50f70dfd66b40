"""What a dialog says to somebody who decides alone, or too late, and what a success owes afterwards."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from textual.widgets import Input, Static

from opconsole.console import Answer
from opconsole.journal.records import ApprovalState, RequestKind
from queues.states import RunState
from screens.actions import REGISTRY
from screens.dialogs.approval import ApprovalDialog
from screens.dialogs.simple import NoticeDialog

ALONE = "A second person has to approve this; alone, it takes a break-glass reason and a wait."


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


@pytest.mark.parametrize(("operator", "told"), [("alice", True), ("bob", False)])
async def test_who_asked_is_told_that_a_second_person_is_needed_or_a_reason_and_a_wait(
    console: Any, samples: Any, make_app: Any, until: Any, operator: str, *, told: bool
) -> None:
    only(console, *samples.waiting(3))  # alice asked
    console.operator = operator
    async with make_app(console).run_test(size=(120, 60)) as pilot:
        dialog = await opened(pilot, until)
        text = str(dialog.query_one("#text", Static).content)
        assert (ALONE in text) is told


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
