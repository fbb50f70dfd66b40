"""Approving several plans at once: each is listed, and the highest tier holds for all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

from textual.app import ComposeResult
from textual.content import Content

from guardrails.gates import Tier
from opconsole.asked import prospect
from opconsole.clock import Clock
from opconsole.journal.records import Approval, Purpose
from opconsole.views import RunView
from screens.desk import Waits
from screens.dialogs.approval import VERBS, changes_since
from screens.dialogs.approval_text import beforehand
from screens.dialogs.base import typed
from screens.dialogs.held import HeldDialog
from screens.look import Role
from screens.plan_facts import PlanFacts, plan_facts, version_before
from screens.widgets.controls import Field, PushButton
from screens.widgets.ticking import Ticking
from screens.words import clip, content, lines, safe


@dataclass(frozen=True, slots=True)
class ManyApproved:
    """The person approves these plans, or learnt that one of them is another one now."""

    reason: str = ""
    changed: tuple[str, ...] = ()
    """Why nothing was approved, a sentence each."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A plan of the list, and the run that waits for it."""

    run: RunView
    approval: Approval


class ApproveManyDialog(HeldDialog[ManyApproved]):
    """Lists the plans, asks for what the highest tier wants, and gives one decision for all."""

    DEFAULT_CSS = """
    ApproveManyDialog #title { color: $text-warning; }
    ApproveManyDialog.-grave #title { color: $text-error; }
    """

    def __init__(
        self,
        waits: Waits,
        clock: Clock,
        candidates: Sequence[Candidate],
        *,
        operator: str,
        reload: Callable[[str], Awaitable[RunView | None]],
    ) -> None:
        super().__init__(waits)
        self._candidates = tuple(candidates)
        self._clock, self._operator = clock, operator
        self._ticking = Ticking(self, self.redraw)
        self._reload = reload
        self.tier = max(one.approval.tier for one in candidates)
        self.environments = tuple(dict.fromkeys(one.run.run.environment for one in candidates))
        self.add_class("-grave" if self.tier >= Tier.SECOND_PERSON else "-careful")

    def title_text(self) -> Content:
        """Say how many, and where."""
        where = ", ".join(safe(name).upper() for name in self.environments)
        count = len(self._candidates)
        return content(f"Approve {count} plan{'' if count == 1 else 's'} for ", where)

    def body(self, width: int) -> Content:
        """List each plan."""
        alone = len(self._candidates) == 1
        rows = (
            [] if alone else [content((f"What tier {self.tier} asks for holds for all of them.", Role.MUTED))]
        )
        for one in self._candidates:
            yours = prospect(one.run, one.approval, self._operator, self._clock.now())
            rows += [content(""), *_listed(one, width), *beforehand(one.run, yours, width)]
        return lines(rows)

    def on_mount(self) -> None:
        """Tell from second to second how long a yes would be refused yet."""
        self._ticking.run(on=True)

    def field_rows(self) -> int:
        """Give the rows of what the tier asks for."""
        return 2 if self.tier >= Tier.REASONED else 0

    def fields(self) -> ComposeResult:
        """Ask for what the tier wants."""
        if self.tier >= Tier.REASONED:
            yield Field("reason", "Reason", "why all of this may happen now")
            many = len(self.environments) > 1
            label = "Environments' names" if many else "Environment's name"
            yield Field("environment", label, "typed out, with spaces between" if many else "typed out")

    def buttons(self) -> ComposeResult:
        """Offer to approve all."""
        count = len(self._candidates)
        label = f"Approve all {count}" if count > 1 else "Approve"
        yield PushButton(label, id="approve", variant="warning", compact=True)

    def after_field(self, field: str) -> str:
        """Go on to the names, and from there to the button."""
        return "environment" if field == "reason" else "approve"

    def pressed(self, button: str) -> None:
        """Give the decision where it is whole."""
        del button
        if self.holds:
            return
        reason = ""
        if self.tier >= Tier.REASONED:
            reason, names = typed(self, "reason"), typed(self, "environment").replace(",", " ").split()
            if not reason:
                self.say_missing("A reason is needed: it goes into the record of each.")
                self.query_one("#reason").focus()
                return
            if sorted(names) != sorted(self.environments):
                self.say_missing(f"Type exactly: {' '.join(safe(name) for name in self.environments)}")
                self.query_one("#environment").focus()
                return
        self.send(ManyApproved(reason), held=self.tier >= Tier.SECOND_PERSON)

    async def changed(self) -> None:
        """Look whether each plan is still the one that is shown; where not, close and say what changed."""
        said = []
        for one in self._candidates:
            what = changes_since(one.run, one.approval, await self._reload(one.run.run.id))
            said += [f"{one.run.run.task}: {text}" for text in what]
        if said and self.is_current:
            self.take_back()
            self.dismiss(ManyApproved(changed=tuple(said)))


def _listed(one: Candidate, width: int) -> Iterator[Content]:
    run, facts = one.run.run, plan_facts(one.approval.plan)
    back = one.approval.purpose is Purpose.REVERT
    verb = "Take back" if back else VERBS.get(run.action, run.action)
    tier = (f"  tier {one.approval.tier}", Role.BAD if one.approval.tier >= 3 else Role.MUTED)
    yield content((f"{verb} {safe(run.environment).upper()}", Role.STRONG), f"  {clip(run.task, 40)}", tier)
    before = version_before(facts, run)
    yield content(
        "  ", (safe(before), Role.MUTED), " → ", (facts.version_to or run.version or "–", Role.STRONG)
    )
    yield content("  ", (clip(_counts(facts), width - 2), Role.MUTED))
    lost = [file.revision for file in facts.migrations if not file.reversible]
    if lost:
        yield content("  ", (clip(f"✗ not reversible: {', '.join(lost)}", width - 2), Role.BAD))
    for finding in facts.findings:
        if finding.verdict == "exempt":
            text = f"○ exempt: {finding.path}:{finding.line} {finding.rule}"
            yield content("  ", (clip(text, width - 2), Role.ASKS))
    yield content("  ", (f"plan {one.approval.digest.removeprefix('sha256:')[:12]}", Role.MUTED))


def _counts(facts: PlanFacts) -> str:
    return " · ".join(
        f"{len(of)} {name}{'' if len(of) == 1 else 's'}"
        for of, name in ((facts.steps, "step"), (facts.migrations, "migration"), (facts.findings, "finding"))
    )
