"""What a person does about a finding: look at the file in an editor, exempt it, have it checked again."""

from __future__ import annotations

import asyncio
import os
from typing import TypeVar

from textual.app import SuspendNotSupported
from textual.content import Content
from textual.screen import Screen

from opconsole.exempting import (
    Checkout,
    ExemptionError,
    Proposal,
    Spot,
    Wish,
    checkout_file,
    propose,
    recheck,
)
from screens.desk import Desk, describe
from screens.dialogs.exempt import ExemptDialog
from screens.dialogs.simple import ConfirmDialog, NoticeDialog
from screens.editing import run_editor
from screens.editor import NoEditorError, editor_command
from screens.findings import ShownFinding, of_file
from screens.look import Role
from screens.words import clip, content, lines

Outcome = TypeVar("Outcome")
DIFF_WIDTH = 400
"""Cells of a line of a diff that are shown at most; the file gets all of it."""
_ROLES = {"+": Role.GOOD, "-": Role.BAD, "@": Role.MUTED}


class Mending:
    """Works in the project's folder, never in a run's private copy. Each story runs in a worker."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def exempt(self, run: str, finding: ShownFinding) -> None:
        """Ask why, show the diff, write it when the person says so, and say what is to be done next."""
        if self._desk.refuse():
            return
        try:
            checkout = await self._checkout(run)
            seen = await self._seen(run, finding)
            if checkout is not None:
                await self._exempt(checkout, finding, seen)
        except Exception as error:  # noqa: BLE001 (a fault of the console must not end the screen)
            self._desk.tell(f"{describe(error)}. Nothing was written.", wrong=True)

    async def open(self, run: str, finding: ShownFinding) -> None:
        """Open the file of the project's folder in the person's editor, at the line."""
        try:
            checkout = await self._checkout(run)
            if checkout is None:
                return
            file = await asyncio.to_thread(checkout_file, checkout, finding.path)
            run_editor(self._desk, editor_command(os.environ, file, finding.line), checkout.folder)
        except (ExemptionError, NoEditorError) as error:
            self._desk.tell(f"{error}.", wrong=True)
        except SuspendNotSupported:
            place = f"{finding.path}:{finding.line}"
            self._desk.tell(f"An editor needs a real terminal; open {place} by hand.", wrong=True)
        except Exception as error:  # noqa: BLE001 (a fault of the console must not end the screen)
            self._desk.tell(f"{describe(error)}. The file was not opened.", wrong=True)

    async def recheck(self, run: str, path: str) -> list[ShownFinding] | None:
        """Give what the guardrails find in the file of the project's folder now; None where that failed."""
        try:
            checkout = await self._checkout(run)
            if checkout is not None:
                return of_file(await asyncio.to_thread(recheck, checkout, path))
        except ExemptionError as error:
            self._desk.tell(f"{error}.", wrong=True)
        except Exception as error:  # noqa: BLE001 (a fault of the console must not end the screen)
            self._desk.tell(f"{describe(error)}. It was not checked.", wrong=True)
        return None

    async def _exempt(self, checkout: Checkout, finding: ShownFinding, seen: str | None) -> None:
        desk = self._desk
        spot = Spot(finding.path, finding.line, finding.rule, finding.statement, seen)
        today = desk.clock.now().date()

        async def proposed(wish: Wish) -> Proposal:
            return await asyncio.to_thread(propose, checkout, spot, wish, today=today)

        proposal = await self._show(ExemptDialog(desk.waits, finding, checkout, seen, proposed))
        if proposal is None:
            return
        title = f"Write this into {clip(proposal.name, 60)}?"
        if not await self._show(ConfirmDialog(desk.waits, title, diff_text(proposal), "Write")):
            return
        if desk.refuse():  # made read-only while the dialog was open
            return
        answer = await desk.console.exempt(proposal)
        if not answer.granted:
            desk.tell(answer.text, wrong=True, title="Not written")
            return
        await self._show(NoticeDialog(desk.waits, "Exempt: what is next", _next_text(answer.text)))

    async def _checkout(self, run: str) -> Checkout | None:
        checkout = await self._desk.console.checkout(run)
        if checkout is None:
            self._desk.tell("The run's project is not in the settings any more.", wrong=True)
        return checkout

    async def _seen(self, run: str, finding: ShownFinding) -> str | None:
        """Give the finding's line as the run's private copy has it."""
        text = await self._desk.console.migration_source(run, finding.path)
        rows = (text or "").replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff").split("\n")
        # The last row may be one that was cut off: it proves nothing.
        return rows[finding.line - 1] if text is not None and 0 < finding.line < len(rows) else None

    async def _show(self, dialog: Screen[Outcome]) -> Outcome | None:
        return await self._desk.app.push_screen_wait(dialog)


def diff_text(proposal: Proposal) -> Content:
    """Show a diff, each line with its sign; what was in the file is made safe."""
    rows = [
        content((clip(line.expandtabs(4), DIFF_WIDTH), _ROLES.get(line[:1], Role.PLAIN)))
        for line in proposal.diff
    ]
    if proposal.exempted > 1:
        many = f"{proposal.exempted} findings of this rule stand there; all of them become exempt."
        rows += [content(""), content((many, Role.WARN))]
    return lines(rows)


def _next_text(written: str) -> Content:
    return lines(
        [
            content(written),
            content(""),
            content("In a git project commit it, and let the task name a version of the new commit:"),
            content("a run takes its files from a commit, so what is not committed does not count."),
            content("Then run the task again. An exempt critical finding in production needs approval."),
        ]
    )
