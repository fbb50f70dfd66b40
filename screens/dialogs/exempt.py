"""Exempt a finding: which one, why, and until when. Gives what would be written; nothing is written here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator

from textual.app import ComposeResult
from textual.content import Content

from opconsole.exempting import Checkout, ExemptionError, Proposal, Wish, read_day
from screens.desk import Waits, describe
from screens.dialogs.base import Dialog, typed
from screens.findings import ShownFinding
from screens.look import Role
from screens.widgets.controls import Field, PushButton
from screens.words import clip, content, folded, lines


class ExemptDialog(Dialog[Proposal]):
    """Asks for the reason and the last day; gives the proposal that they make, or None."""

    def __init__(
        self,
        waits: Waits,
        finding: ShownFinding,
        checkout: Checkout,
        seen: str | None,
        propose: Callable[[Wish], Awaitable[Proposal]],
    ) -> None:
        super().__init__(waits)
        self._finding, self._checkout, self._seen, self._propose = finding, checkout, seen, propose
        self.add_class("-careful")

    def title_text(self) -> Content:
        """Name the rule and the environment."""
        return content((f"Exempt {self._finding.rule} ({self._checkout.environment})", Role.WARN))

    def body(self, width: int) -> Content:
        """Show the place, what would happen, and the safe way."""
        return lines(self._about(width))

    def fields(self) -> ComposeResult:
        """Ask why, and until when."""
        yield Field("reason", "Reason", "why it does no harm here")
        yield Field("until", "Until (optional)", "2027-01-31")

    def field_rows(self) -> int:
        """Give a row for each field."""
        return 2

    def buttons(self) -> ComposeResult:
        """Offer to look at the diff."""
        yield PushButton(Content("Show the diff"), id="diff", variant="primary", compact=True)

    def after_field(self, field: str) -> str:
        """Go from the reason to the day, and from there to the diff."""
        return "until" if field == "reason" else "diff"

    def pressed(self, button: str) -> None:
        """Make the proposal."""
        del button
        self.run_worker(self._make(), group="proposal", exclusive=True, exit_on_error=False)

    async def _make(self) -> None:
        field = "until"
        try:
            until = read_day(typed(self, "until"))
            field = "reason"
            proposal = await self._propose(Wish(typed(self, "reason"), until))
        except ExemptionError as error:
            self.say_missing(str(error))
            self.query_one(f"#{field}").focus()
        except Exception as error:  # noqa: BLE001 (the person reads why, and can leave)
            self.say_missing(describe(error))
        else:
            self.dismiss(proposal)

    def _about(self, width: int) -> Iterator[Content]:
        one = self._finding
        yield content((clip(f"{one.path}:{one.line}", width), Role.STRONG))
        if code := self._seen or one.statement:
            yield content("  ", clip(code.strip().expandtabs(4), width - 2))
        yield content("")
        yield from folded(one.message, width, indent=0)
        yield from folded(f"fix: {one.fix}", width, indent=0, role=Role.GOOD)
        yield content("")
        text = "A comment is put above it in the project's folder. You see the change before it is written."
        yield from folded(text, width, indent=0, role=Role.MUTED)
