"""A dialog whose decision can be taken back for a moment before it is sent."""

from __future__ import annotations

from typing import TypeVar

from textual.timer import Timer

from screens.desk import Waits
from screens.dialogs.base import Dialog

Outcome = TypeVar("Outcome")
TICK = 0.1
"""Seconds between two looks at how long is left."""


class HeldDialog(Dialog[Outcome]):
    """Holds a decision of the third tier for the countdown's time; cancelling takes it back until then."""

    def __init__(self, waits: Waits) -> None:
        super().__init__(waits)
        self._held: Outcome | None = None
        self._held_at = 0.0
        self._countdown: Timer | None = None

    @property
    def holds(self) -> bool:
        """Whether a decision is on its way."""
        return self._held is not None

    def send(self, outcome: Outcome, *, held: bool) -> None:
        """Give the decision: at once, or *held* for the countdown's time."""
        if not held or self.waits.countdown <= 0:
            self.dismiss(outcome)
            return
        self._held, self._held_at = outcome, self.waits.monotonic()
        self._countdown = self.set_interval(TICK, self._count_down)
        self._count_down()

    def take_back(self) -> None:
        """Send nothing after all."""
        self._held = None
        if self._countdown is not None:
            self._countdown.stop()
            self._countdown = None

    def action_cancel(self) -> None:
        """Take a decision back while it is held; else close the dialog."""
        if not self.holds:
            self.dismiss(None)
            return
        self.take_back()
        self.say_missing("Taken back. Nothing was sent.")

    def _count_down(self) -> None:
        left = self.waits.countdown - (self.waits.monotonic() - self._held_at)
        if left > 0:
            self.say_missing(f"Sending in {left:.0f} s. Esc takes it back.")
        elif self._held is not None:
            outcome = self._held
            self.take_back()
            self.dismiss(outcome)
