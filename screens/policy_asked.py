"""A change of the settings that loosens the policy: what a person is shown of it, and their decision."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

from textual.app import ComposeResult
from textual.content import Content

from opconsole.inbox import WaitingPolicy
from opconsole.journal.records import RequestKind
from screens.desk import Desk, Waits
from screens.dialogs.approval import Approved, Decision, PlanChanged, WantsReject
from screens.dialogs.base import Dialog, typed
from screens.dialogs.simple import NoticeDialog, ReasonDialog
from screens.look import Role
from screens.signing import signature_for
from screens.widgets.controls import Field, PushButton
from screens.words import content, folded, lines, moment

SHOWN = 200
"""Sentences that are shown of each kind; the rest is counted."""


def policy_text(policy: WaitingPolicy, operator: str, now: datetime, width: int) -> Content:
    """Say what waits, what of the change holds already, who brought it, and its digest."""
    row = policy.row
    rows = [
        *folded("Until this is approved the policy before it holds, for every run.", width, indent=0),
        content(""),
        content(("What waits: it would loosen the policy", Role.MUTED)),
        *_sentences(row.loosens, width, "▲", Role.WARN),
    ]
    if row.changes:
        rows += [content(""), content(("What holds already: it loosens nothing", Role.MUTED))]
        rows += _sentences(row.changes, width, "✓", Role.GOOD)
    digest = folded(row.digest, width, indent=12)
    signed = " Your key's signature says who approves." if policy.signed else " (a name, not a proof)"
    rows += [
        content(""),
        content(("Seen", Role.MUTED)),
        content(("  At        ", Role.MUTED), f"{moment(row.seen_at, now)}, by a worker of {row.seen_by}"),
        content(("  Policy    ", Role.MUTED), row.id),
        content(("  Digest    ", Role.MUTED), digest[0][12:]),
        *digest[1:],
        content(("  You are   ", Role.MUTED), f"{operator}{signed}"),
        content(""),
        *folded(
            "The policy before says who may decide this. Plans that wait are asked for anew under it.",
            width,
            indent=0,
            role=Role.MUTED,
        ),
    ]
    return lines(rows)


def _sentences(told: tuple[str, ...], width: int, sign: str, role: Role) -> list[Content]:
    rows: list[Content] = []
    for one in told[:SHOWN]:
        first, *more = folded(one, width, indent=4)
        rows += [content((f"  {sign} ", role), first[4:]), *more]
    if len(told) > SHOWN:
        rows.append(
            content((f"  … and {len(told) - SHOWN:,} more: opconsole approvals lists them", Role.WARN))
        )
    return rows


class PolicyDialog(Dialog[Decision]):
    """Shows what a policy loosens, and gives the decision."""

    DEFAULT_CSS = "PolicyDialog #title { color: $text-error; }"

    def __init__(
        self,
        waits: Waits,
        policy: WaitingPolicy,
        draw: Callable[[int], Content],
        reload: Callable[[], Awaitable[WaitingPolicy | None]],
    ) -> None:
        super().__init__(waits)
        self._policy, self._draw, self._reload = policy, draw, reload
        self.add_class("-grave")

    def title_text(self) -> Content:
        """Say what would be done; no plan's dialog looks like it."""
        return content(("Loosen the POLICY", Role.BAD))

    def body(self, width: int) -> Content:
        """Show everything that bears on the decision."""
        return self._draw(width)

    def fields(self) -> ComposeResult:
        """Ask why."""
        yield Field("reason", "Reason", "why the policy may be looser from now on")

    def field_rows(self) -> int:
        """Give one row for the reason."""
        return 1

    def buttons(self) -> ComposeResult:
        """Offer to reject or to approve."""
        yield PushButton("Reject …", id="reject", compact=True)
        yield PushButton("Approve", id="approve", variant="warning", compact=True)

    def after_field(self, field: str) -> str:
        """Go on to the button that approves."""
        del field
        return "approve"

    def pressed(self, button: str) -> None:
        """Do what a button says."""
        if button == "reject":
            self.dismiss(WantsReject())
        elif reason := typed(self, "reason"):
            self.dismiss(Approved(self._policy.row.digest, reason, ""))
        else:
            self.say_missing("A reason is needed: it goes into the record.")
            self.query_one("#reason").focus()

    async def changed(self) -> None:
        """Look whether this policy still waits; where not, close and say so."""
        now = await self._reload()
        if not self.is_current or (now is not None and now.row.digest == self._policy.row.digest):
            return
        what = "It does not wait any more: it was decided, or the settings were set back."
        if now is not None:
            what = "The settings were changed again: another policy waits now."
        self.dismiss(PlanChanged((what,)))


async def approve_policy(desk: Desk, policy: WaitingPolicy) -> None:
    """Show what waits and ask for what the person decides. In a worker."""
    now = await desk.console.policy()
    if now is None or now.row.id != policy.row.id:
        desk.tell("This policy does not wait for approval any more.", wrong=True)
        return

    def draw(width: int) -> Content:
        return policy_text(now, desk.console.operator, desk.clock.now(), width)

    outcome = await desk.show(PolicyDialog(desk.waits, now, draw, desk.console.policy))
    if isinstance(outcome, Approved):
        row = now.row
        payload = {"policy": row.id, "plan": outcome.digest, "reason": outcome.reason}
        if now.signed:
            signature = await signature_for(desk, row.id, outcome.reason)
            if not signature:
                return
            payload["signature"] = signature
        desk.ask(RequestKind.APPROVE, payload)
    elif isinstance(outcome, WantsReject):
        await reject_policy(desk, now)
    elif isinstance(outcome, PlanChanged):
        text = lines([*(content("– ", line) for line in outcome.what)])
        await desk.show(NoticeDialog(desk.waits, "Not any more what was shown: look at it again", text))


async def reject_policy(desk: Desk, policy: WaitingPolicy) -> None:
    """Ask why, and have the policy stay as it was. In a worker."""
    text = content("The policy stays as it was before, whatever the settings say: set them back, too.")
    title = f"Reject the change of policy {policy.row.id}"
    example = "what must not be loosened"
    reason = await desk.show(ReasonDialog(desk.waits, title, text, "Reject", example=example))
    if reason:
        desk.ask(RequestKind.REJECT, {"policy": policy.row.id, "reason": reason})
