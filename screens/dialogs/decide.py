"""Revert, override or abort: a person says how a stuck run ends, with what is known in view."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import RadioButton, RadioSet

from opconsole.clock import Clock
from opconsole.journal.records import StepState
from opconsole.logs import LogLine, tail
from opconsole.views import RunView
from screens.desk import Waits
from screens.dialogs.base import Dialog, typed
from screens.look import STEP_MARKS, Role, run_mark
from screens.widgets.controls import Choice, Field, PushButton
from screens.words import content, folded, lines, mark, moment, safe

Verb = Literal["revert", "override", "abort"]
VERBS: tuple[Verb, ...] = ("revert", "override", "abort")
MEANING: dict[Verb, str] = {
    "revert": "Revert: ask for the rollback; it needs its own approval",
    "override": "Override: record it as succeeded; nothing more is run",
    "abort": "Abort: leave things as they are, failed",
}
LOG_LINES = 8
LABEL = 16
"""Cells before what is told of a run."""


@dataclass(frozen=True, slots=True)
class Decided:
    """How the run ends, and why."""

    verb: Verb
    reason: str


class DecideDialog(Dialog[Decided]):
    """Shows why a run is stuck and gives the decision. No key decides by itself."""

    DEFAULT_CSS = """
    DecideDialog #title { color: $text-warning; }
    DecideDialog RadioSet {
        height: auto; width: 1fr; border: none; background: transparent; padding: 0; margin-bottom: 1;
    }
    DecideDialog RadioSet:focus { border: none; background-tint: $foreground 6%; }
    DecideDialog RadioSet RadioButton { background: transparent; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "choose('revert')", "Revert", show=False),
        Binding("o", "choose('override')", "Override", show=False),
        Binding("a", "choose('abort')", "Abort", show=False),
    ]

    def __init__(self, waits: Waits, clock: Clock, run: RunView) -> None:
        super().__init__(waits)
        self._clock = clock
        self._run = run
        self._log: list[LogLine] = []
        self.add_class("-careful")

    def on_mount(self) -> None:
        """Read the log's end while the dialog shows what is known already."""
        self._read_log()

    @work(exit_on_error=False)
    async def _read_log(self) -> None:
        self._log = await asyncio.to_thread(tail, self._run.log, LOG_LINES)
        self.redraw()

    def title_text(self) -> Content:
        """Name the task and the environment."""
        run = self._run.run
        return content(f"Decide: {run.task} in ", safe(run.environment).upper())

    def body(self, width: int) -> Content:
        """Show what is known of the run."""
        return lines(self._known(width))

    def fields(self) -> ComposeResult:
        """Ask which way, and why."""
        with RadioSet(id="verb"):
            for verb in VERBS:
                yield Choice(Content(f"{MEANING[verb]} ({verb[0]})"), id=verb)
        yield Field("reason", "Reason", "what you saw, and why this is right")

    def field_rows(self) -> int:
        """Give the rows of the choices, a blank one, and the reason."""
        return len(VERBS) + 2

    def buttons(self) -> ComposeResult:
        """Offer to decide."""
        yield PushButton("Decide", id="decide", variant="warning", compact=True)

    def after_field(self, field: str) -> str:
        """Go on to the button that decides."""
        del field
        return "decide"

    def action_choose(self, verb: str) -> None:
        """Choose by letter; the decision still needs a reason and the button."""
        self.query_one(f"#{verb}", RadioButton).value = True

    def on_radio_set_changed(self, event: RadioSet.Changed) -> None:
        """Name the choice on the button, too."""
        button = self.query_one("#decide", PushButton)
        button.label = Content(f"Decide: {VERBS[event.index]}")
        button.refresh(layout=True)  # the new label may want another width

    def pressed(self, button: str) -> None:
        """Give the decision where it is whole."""
        del button
        chosen = self.query_one(RadioSet).pressed_index
        if chosen < 0:
            self.say_missing("Choose one: revert, override or abort.")
            self.query_one(RadioSet).focus()
        elif not (reason := typed(self, "reason")):
            self.say_missing("A reason is needed: it goes into the record.")
            self.query_one("#reason").focus()
        else:
            self.dismiss(Decided(VERBS[chosen], reason))

    def _known(self, width: int) -> Iterator[Content]:
        yield from known_of(self._run, self._clock.now(), width)
        if self._log:
            yield content("")
            yield content(("The log's end", Role.MUTED))
            for line in self._log:
                role = Role.WARN if line.stream == "e" else Role.PLAIN
                yield from folded(line.display(), width, indent=2, role=role, limit=300)


def known_of(view: RunView, now: datetime, width: int) -> Iterator[Content]:
    """Say what is known of a run: its state and why, what it changed, and its steps that stuck."""
    run = view.run
    yield content(mark(run_mark(run.state)), f"  {run.project}  attempt {run.attempt}")
    if run.reason:
        yield content((run.reason, Role.ASKS))
    yield content("")
    changes = (
        ("Release", run.previous_release, run.release),
        ("Version", run.previous_version, run.version),
        ("Database", run.revision_before, run.revision_after),
    )
    for label, before, after in changes:
        if before or after:  # a run without a database has no revisions, and there is nothing to tell
            yield _pair(label, before, after)
    for name, value in view.known.facts() if view.known else ():
        first, *more = folded(value, width, indent=LABEL)
        yield content((f"  {name:<{LABEL - 2}}", Role.MUTED), first[LABEL:])
        yield from more
    if run.started_at:
        started = f"{moment(run.started_at, now)} by {run.requested_by}"
        yield content((f"  {'Started':<{LABEL - 2}}", Role.MUTED), started)
    for step in view.steps:
        if step.state in (StepState.FAILED, StepState.INTERRUPTED):
            look = STEP_MARKS[step.state]
            yield content((f"  {look!s:<{LABEL - 2}}", look.role), step.title)
            if step.detail and step.detail != run.reason:
                yield from folded(step.detail, width, indent=4, role=Role.MUTED)


def _pair(label: str, before: str | None, after: str | None) -> Content:
    return content(
        (f"  {label:<{LABEL - 2}}", Role.MUTED), before or "nothing", (" → ", Role.MUTED), after or "nothing"
    )
