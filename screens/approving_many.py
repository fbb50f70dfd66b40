"""Approving what was marked: one dialog for all, one request for each, and what became of every one."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from opconsole.console import Answer
from opconsole.journal.records import RequestKind, Run
from screens.desk import Desk, describe
from screens.dialogs.approval import plan_changes
from screens.dialogs.approve_many import ApproveManyDialog, Candidate, ManyApproved
from screens.dialogs.simple import NoticeDialog
from screens.look import Role
from screens.signing import signature_for
from screens.words import content, lines


async def approve_many(desk: Desk, runs: Sequence[str]) -> None:
    """Show the plans of these runs, and ask for the approval of each when the person gives it."""
    views = [view for run in runs if (view := await desk.console.run(run)) is not None]
    candidates = [Candidate(view, view.waiting) for view in views if view.waiting is not None]
    if not candidates:
        desk.tell("Nothing of what was marked waits for approval any more.", wrong=True)
        return
    altered = [
        f"{one.run.run.task}: {text}" for one in candidates for text in plan_changes(one.approval, one.run)
    ]
    if altered:
        await _refused(desk, altered)
        return
    dialog = ApproveManyDialog(
        desk.waits, desk.clock, candidates, operator=desk.console.operator, reload=desk.console.run
    )
    outcome = await desk.show(dialog)
    if outcome is None:
        return
    if outcome.changed:
        await _refused(desk, outcome.changed)
        return
    rows = [row for one in candidates for row in await _approve(desk, one, outcome)]
    title = f"What became of {len(candidates)} approvals"
    await desk.show(NoticeDialog(desk.waits, title, lines(rows)))


async def _refused(desk: Desk, why: Sequence[str]) -> None:
    text = lines([content("– ", line) for line in why])
    await desk.show(NoticeDialog(desk.waits, "Not any more what was shown: nothing was approved", text))


async def _approve(desk: Desk, one: Candidate, outcome: ManyApproved) -> list[Content]:
    """Ask for one; a failure of one keeps none of the others from being asked."""
    run = one.run.run
    payload = {"run": run.id, "plan": one.approval.digest, "reason": outcome.reason}
    try:
        if one.run.signed:
            payload["signature"] = await signature_for(desk, run.id, outcome.reason)
        answer = await desk.console.ask(
            RequestKind.APPROVE, {**payload, "environment": run.environment if outcome.reason else ""}
        )
    except Exception as error:  # noqa: BLE001 (whatever it is, the person must hear of it and of the others)
        answer = Answer(granted=False, text=f"{describe(error)}; look at the task before asking again")
    said = (answer.text, Role.PLAIN if answer.granted else Role.WARN)
    return [_title(run, granted=answer.granted), content("  ", said)]


def _title(run: Run, *, granted: bool) -> Content:
    sign = ("✓ ", Role.GOOD) if granted else ("✗ ", Role.BAD)
    return content(sign, (run.task, Role.STRONG), f" in {run.environment}")
