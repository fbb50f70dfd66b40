"""The approval dialog: the plan, what speaks for and against it, and what its tier asks for.

Cancel has the focus, enter decides nothing on opening, and a plan that changes meanwhile closes the dialog.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content

from guardrails.gates import Action, Tier
from opconsole.asked import prospect
from opconsole.clock import Clock
from opconsole.journal.records import Approval, Purpose
from opconsole.plans import differences
from opconsole.view_making import ENTRY_CHANGED, ENTRY_FAULTY, ENTRY_GONE, ENTRY_UNREADABLE
from opconsole.views import RunView
from screens.desk import Waits, describe
from screens.dialogs.approval_text import MIGRATIONS, approval_text
from screens.dialogs.base import typed
from screens.dialogs.held import HeldDialog
from screens.look import Role
from screens.plan_facts import plan_facts
from screens.widgets.controls import Field, PushButton
from screens.widgets.ticking import Ticking
from screens.words import Piece, content, safe

VERBS = {
    Action.DEPLOY.value: "Deploy",
    Action.MIGRATE.value: "Migrate",
    Action.VALIDATE.value: "Validate",
    Action.DOWNGRADE.value: "Downgrade the database of",
    Action.ROLLBACK.value: "Roll back",
    Action.PROVISION.value: "Provision",
}


PURPOSES = {Purpose.REVERT: "Take back", Purpose.FREEZE: "Override the freeze of"}


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


class Fold(Enum):
    """How much of the migrations is shown, and the label of the button that shows more."""

    FOLDED = "▸ Migrations (m)"
    SOURCE = "▾ Migrations (m)"
    SQL = "▾ SQL (m)"


class ApprovalDialog(HeldDialog[Decision]):
    """Shows what waits for approval, and gives the decision."""

    DEFAULT_CSS = """
    ApprovalDialog #title { color: $text-primary; }
    ApprovalDialog.-careful #title { color: $text-warning; }
    ApprovalDialog.-grave #title { color: $text-error; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "yes", "Approve", show=False),
        Binding("n", "no", "Cancel", show=False),
        Binding("m", "migrations", "Migrations", show=False),
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
        read: Callable[[str], Awaitable[str | None]],
        sql: Callable[[], Awaitable[str]],
    ) -> None:
        super().__init__(waits)
        self.approval = approval
        self._clock = clock
        self._run = run
        self._operator = operator
        self._reload = reload
        self._read = read
        self._paths = [one.path for one in plan_facts(approval.plan).migrations if one.path]
        self._fold = Fold.FOLDED
        self._sources: dict[str, str | None] = {}  # read when they are first unfolded
        self._write = sql
        self._ticking = Ticking(self, self._tick)
        self._sql: str | None = None  # written when it is first unfolded
        # The way back is told by its files alone: what goes forward has SQL that Alembic writes.
        forward = approval.purpose is not Purpose.REVERT and run.run.action in (Action.DEPLOY, Action.MIGRATE)
        self._folds = [Fold.FOLDED, Fold.SOURCE, *([Fold.SQL] if forward else [])]
        if approval.tier >= Tier.SECOND_PERSON:
            self.add_class("-grave")
        elif approval.purpose is Purpose.REVERT or run.run.action != Action.DEPLOY:
            self.add_class("-careful")

    # -- what is shown

    def title_text(self) -> Content:
        """Name the verb and the environment: no two kinds of decision look alike."""
        run = self._run.run
        verb = PURPOSES.get(self.approval.purpose) or VERBS.get(run.action, run.action)
        to = " to" if run.action == Action.DEPLOY and self.approval.purpose is Purpose.GO_AHEAD else ""
        pieces: list[Piece] = [f"{verb}{to} ", safe(run.environment).upper(), ("  ", Role.MUTED)]
        if self.approval.tier >= Tier.SECOND_PERSON:
            pieces.append(("  irreversible or exempted", Role.BAD))
        return content(*pieces)

    def body(self, width: int) -> Content:
        """Show everything that bears on the decision."""
        sources = self._sources if self._fold is Fold.SOURCE else None
        sql = (self._sql or "") if self._fold is Fold.SQL else None
        return approval_text(
            self._run, self.approval, self._operator, self._clock.now(), width, sources=sources, sql=sql
        )

    def field_rows(self) -> int:
        """Give the rows of what the tier asks for."""
        return 2 if self.approval.tier >= Tier.REASONED else 0

    def fields(self) -> ComposeResult:
        """Ask for what the tier wants."""
        if self.approval.tier >= Tier.REASONED:
            yield Field("reason", "Reason", "why this may happen now")
            yield Field("environment", "Environment's name", "typed out, to be sure which one it is")

    def buttons(self) -> ComposeResult:
        """Offer to reject or to approve."""
        first = self.approval.tier < Tier.REASONED
        if self._paths:
            yield PushButton(Content(Fold.FOLDED.value), id="migrations", compact=True)
        yield PushButton("Reject …", id="reject", compact=True)
        yield PushButton("Approve (y)" if first else "Approve", id="approve", variant="warning", compact=True)

    def on_mount(self) -> None:
        """Tell from second to second how long a yes would be refused yet."""
        self._ticking.run(on=bool(self._refused_yet()))

    def _tick(self) -> None:
        self.redraw()
        self._ticking.run(on=bool(self._refused_yet()))

    def _refused_yet(self) -> str:
        return prospect(self._run, self.approval, self._operator, self._clock.now()).against

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
        elif button == "migrations":
            self.action_migrations()
        else:
            self._approve()

    def action_migrations(self) -> None:
        """Show the migrations' files, then what they come to as SQL, then fold them away again."""
        if self._paths:
            self._fold_to(self._folds[(self._folds.index(self._fold) + 1) % len(self._folds)])
            self._show_migrations()

    def _fold_to(self, fold: Fold) -> None:
        self._fold = fold
        self.query_one("#migrations", PushButton).label = Content(fold.value)

    @work(group="migrations", exclusive=True, exit_on_error=False)
    async def _show_migrations(self) -> None:
        if self._fold is Fold.SOURCE:
            await self._read_sources()
        elif self._fold is Fold.SQL and self._sql is None:
            self.redraw()
            try:
                self._sql = await self._write()
            except Exception as error:  # noqa: BLE001 (as below)
                self._fold_to(Fold.SOURCE)
                self.say_missing(f"{describe(error)}. The SQL of the migrations could not be written.")
        self.redraw()
        if self._fold is not Fold.FOLDED:
            self.call_after_refresh(self._go_to_migrations)

    async def _read_sources(self) -> None:
        for path in self._paths:
            if path not in self._sources:
                try:
                    self._sources[path] = await self._read(path)
                except Exception as error:  # noqa: BLE001 (the dialog goes on, and says why it shows none)
                    self._sources[path] = None
                    self.say_missing(f"{describe(error)}. The migration's file could not be read.")

    def _go_to_migrations(self) -> None:
        rows = self.body(self.body_width()).plain.split("\n")
        place = next((at for at, row in enumerate(rows) if row.startswith(MIGRATIONS)), 0)
        self.query_one("#body", VerticalScroll).scroll_to(y=place, animate=False)

    def _approve(self) -> None:
        if self.holds:
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
        self.send(approved, held=self.approval.tier >= Tier.SECOND_PERSON)

    def _want(self, field: str, text: str) -> None:
        self.say_missing(text)
        self.query_one(f"#{field}").focus()

    # -- the plan meanwhile

    async def changed(self) -> None:
        """Look whether the plan is still the one that is shown; where not, close and say what changed."""
        run = await self._reload()
        if not self.is_current:
            return
        what = changes_since(self._run, self.approval, run)
        if what:
            self.take_back()
            self.dismiss(PlanChanged(tuple(what)))
        elif run is not None:
            self._run = run  # somebody else may have voted
            self.redraw()


def changes_since(shown: RunView, approval: Approval, run: RunView | None) -> list[str]:
    """Say in sentences why what was *shown* is not to be decided as it is any more; [] while it is."""
    what = plan_changes(approval, run)
    if not what and run is not None and run.entry_note != shown.entry_note:
        what = [_edited(run.entry_note)]
    return what


def plan_changes(approval: Approval, run: RunView | None) -> list[str]:
    """Say in sentences why an approval is not to be decided any more; [] while it is."""
    if run is None:
        return ["The run is not on record any more."]
    waiting = run.waiting
    if run.altered:
        return ["The plan on record is not the one that its digest names: the journal was edited."]
    if waiting is None:
        known = next((one for one in run.approvals if one.id == approval.id), None)
        if known is not None and known.decided_by:
            return [f"It was decided meanwhile: {known.state.value} by {known.decided_by}."]
        return [f"The run does not wait any more: it is {run.run.state.value}. {run.run.reason}".strip()]
    if waiting.digest == approval.digest:
        return [] if waiting.id == approval.id else ["Approval is asked for anew; look at it again."]
    return differences(approval.plan, waiting.plan) or ["The plan's digest is another one."]


def _edited(note: str) -> str:
    """Say what an edit of the entry means for the plan that was shown."""
    if note == ENTRY_CHANGED:
        return (
            "Its entry in the queue file is another one now, and the plan is not for it. Approved all the "
            "same, the run is planned anew for that entry and asks again; rejected, it ends."
        )
    if note == ENTRY_GONE:
        return "Its entry is gone from the queue file. Put it back, or cancel the run."
    if note == ENTRY_FAULTY:
        return "Its entry in the queue file has a fault now. Mend it, or cancel the run."
    if note == ENTRY_UNREADABLE:
        return "Its queue file cannot be used as it is now. Nothing can be approved until it is mended."
    return "Its entry in the queue file is again the one that the plan is for."
