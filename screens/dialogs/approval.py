"""The approval dialog: the plan, what speaks for and against it, and what its tier asks for.

Cancel has the focus, enter decides nothing on opening, and a plan that changes meanwhile closes the dialog.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.timer import Timer
from textual.widgets import Button

from guardrails.gates import Action, Tier
from opconsole.clock import Clock
from opconsole.journal.records import Approval, Purpose
from opconsole.plans import differences
from opconsole.views import RunView
from screens.desk import Waits
from screens.dialogs.approval_text import approval_text
from screens.dialogs.base import Dialog, Field, typed
from screens.look import Role
from screens.words import Piece, content, safe

VERBS = {
    Action.DEPLOY.value: "Deploy",
    Action.MIGRATE.value: "Migrate",
    Action.VALIDATE.value: "Validate",
    Action.DOWNGRADE.value: "Downgrade the database of",
    Action.ROLLBACK.value: "Roll back",
    Action.PROVISION.value: "Provision",
}


@dataclass(frozen=True, slots=True)
class Approved:
    """The person approves this plan."""

    digest: str
    reason: str
    environment: str
    """As it was typed; empty in the first tier."""


@dataclass(frozen=True, slots=True)
class WantsReject:
    """The person wants to say no; the reason is asked for next."""


@dataclass(frozen=True, slots=True)
class PlanChanged:
    """What was to be decided is not any more; *what* says how it differs, a sentence each."""

    what: tuple[str, ...]


Decision = Approved | WantsReject | PlanChanged


class ApprovalDialog(Dialog[Decision]):
    """Shows what waits for approval, and gives the decision."""

    DEFAULT_CSS = """
    ApprovalDialog #title { color: $text-primary; }
    ApprovalDialog.-careful #title { color: $text-warning; }
    ApprovalDialog.-grave #title { color: $text-error; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "yes", "Approve", show=False),
        Binding("n", "no", "Cancel", show=False),
    ]

    def __init__(
        self,
        waits: Waits,
        clock: Clock,
        run: RunView,
        approval: Approval,
        *,
        operator: str,
        reload: Callable[[], Awaitable[RunView | None]],
    ) -> None:
        super().__init__(waits)
        self.approval = approval
        self._clock = clock
        self._run = run
        self._operator = operator
        self._reload = reload
        self._sending: Approved | None = None
        self._sent_at = 0.0
        self._countdown: Timer | None = None
        if approval.tier >= Tier.SECOND_PERSON:
            self.add_class("-grave")
        elif approval.purpose is Purpose.REVERT or run.run.action != Action.DEPLOY:
            self.add_class("-careful")

    # -- what is shown

    def title_text(self) -> Content:
        """Name the verb and the environment: no two kinds of decision look alike."""
        run = self._run.run
        verb = "Take back" if self.approval.purpose is Purpose.REVERT else VERBS.get(run.action, run.action)
        to = " to" if run.action == Action.DEPLOY and self.approval.purpose is Purpose.GO_AHEAD else ""
        pieces: list[Piece] = [f"{verb}{to} ", safe(run.environment).upper(), ("  ", Role.MUTED)]
        if self.approval.tier >= Tier.SECOND_PERSON:
            pieces.append(("  irreversible or exempted", Role.BAD))
        return content(*pieces)

    def body(self, width: int) -> Content:
        """Show everything that bears on the decision."""
        return approval_text(self._run, self.approval, self._operator, self._clock.now(), width)

    def fields(self) -> ComposeResult:
        """Ask for what the tier wants."""
        if self.approval.tier >= Tier.REASONED:
            yield Field("reason", "Reason", "why this may happen now")
            yield Field("environment", "Environment's name", "typed out, to be sure which one it is")

    def buttons(self) -> ComposeResult:
        """Offer to reject or to approve."""
        first = self.approval.tier < Tier.REASONED
        yield Button("Reject …", id="reject", compact=True)
        yield Button("Approve (y)" if first else "Approve", id="approve", variant="warning", compact=True)

    # -- deciding

    def after_field(self, field: str) -> str:
        """Go on to the environment's name, and from there to the button."""
        return "environment" if field == "reason" else "approve"

    def action_yes(self) -> None:
        """Approve by key; only the first tier can."""
        if self.approval.tier < Tier.REASONED and not self.drops_keys():
            self._approve()

    def action_no(self) -> None:
        """Close by key; only in the first tier, for elsewhere letters are typed."""
        if self.approval.tier < Tier.REASONED:
            self.action_cancel()

    def pressed(self, button: str) -> None:
        """Do what a button says."""
        if button == "reject":
            self.dismiss(WantsReject())
        else:
            self._approve()

    def action_cancel(self) -> None:
        """Take a decision back while the countdown runs; else close the dialog."""
        if self._sending is None:
            self.dismiss(None)
            return
        self._stop_countdown()
        self.say_missing("Taken back. Nothing was sent.")

    def _approve(self) -> None:
        if self._sending is not None:
            return
        approved = Approved(self.approval.digest, "", "")
        if self.approval.tier >= Tier.REASONED:
            reason, environment = typed(self, "reason"), typed(self, "environment")
            wanted = self._run.run.environment
            if not reason:
                self._want("reason", "A reason is needed: it goes into the record.")
                return
            if environment != wanted:
                self._want("environment", f"Type the environment's name exactly: {safe(wanted)}")
                return
            approved = Approved(self.approval.digest, reason, environment)
        if self.approval.tier < Tier.SECOND_PERSON or self.waits.countdown <= 0:
            self.dismiss(approved)
            return
        self._sending, self._sent_at = approved, self.waits.monotonic()
        self._countdown = self.set_interval(0.1, self._count_down)
        self._count_down()

    def _want(self, field: str, text: str) -> None:
        self.say_missing(text)
        self.query_one(f"#{field}").focus()

    def _count_down(self) -> None:
        left = self.waits.countdown - (self.waits.monotonic() - self._sent_at)
        if left > 0:
            self.say_missing(f"Sending in {left:.0f} s. Esc takes it back.")
        elif self._sending is not None:
            approved = self._sending
            self._stop_countdown()
            self.dismiss(approved)

    def _stop_countdown(self) -> None:
        self._sending = None
        if self._countdown is not None:
            self._countdown.stop()
            self._countdown = None

    # -- the plan meanwhile

    async def changed(self) -> None:
        """Look whether the plan is still the one that is shown; where not, close and say what changed."""
        run = await self._reload()
        if not self.is_current:
            return
        what = plan_changes(self.approval, run)
        if what:
            self._stop_countdown()
            self.dismiss(PlanChanged(tuple(what)))


def plan_changes(approval: Approval, run: RunView | None) -> list[str]:
    """Say in sentences why an approval is not to be decided any more; [] while it is."""
    if run is None:
        return ["The run is not on record any more."]
    waiting = run.waiting
    if waiting is None:
        known = next((one for one in run.approvals if one.id == approval.id), None)
        if known is not None and known.decided_by:
            return [f"It was decided meanwhile: {known.state.value} by {known.decided_by}."]
        return [f"The run does not wait any more: it is {run.run.state.value}. {run.run.reason}".strip()]
    if waiting.digest == approval.digest:
        return [] if waiting.id == approval.id else ["Approval is asked for anew; look at it again."]
    return differences(approval.plan, waiting.plan) or ["The plan's digest is another one."]
