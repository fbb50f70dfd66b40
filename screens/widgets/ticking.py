"""A second hand for times that go on: there is a timer only while something is open."""

from __future__ import annotations

from collections.abc import Callable

from textual.timer import Timer
from textual.widget import Widget

PERIOD = 1.0
"""Seconds between two ticks."""


class Ticking:
    """Calls something every second while it is wanted; the timer belongs to a widget and ends with it."""

    def __init__(self, widget: Widget, tick: Callable[[], None]) -> None:
        self._widget = widget
        self._tick = tick
        self._timer: Timer | None = None

    @property
    def on(self) -> bool:
        """Whether there is a timer now."""
        return self._timer is not None

    def run(self, *, on: bool) -> None:
        """Tick from now on, or no more."""
        if on and self._timer is None:
            self._timer = self._widget.set_interval(PERIOD, self._tick)
        elif not on and self._timer is not None:
            self._timer.stop()
            self._timer = None
