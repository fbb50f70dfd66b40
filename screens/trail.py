"""Where a person was in the console: views that can be gone back to, and forward again, as in a browser."""

from __future__ import annotations

from dataclasses import dataclass, field

KEPT = 100
"""Views that are remembered at most."""


@dataclass(frozen=True, slots=True)
class View:
    """A screen and the place on it."""

    screen: str
    where: str = ""
    """In the screen's own words: what is selected, and in which pane."""


@dataclass(slots=True)
class Trail:
    """The views before and after the present one."""

    before: list[View] = field(default_factory=list)
    after: list[View] = field(default_factory=list)

    def leave(self, view: View) -> None:
        """Remember a view that is left for a new one: what came after it is forgotten."""
        self.after.clear()
        if not self.before or self.before[-1] != view:
            self.before.append(view)
        del self.before[:-KEPT]

    def back(self, here: View) -> View | None:
        """Give the view before; *here* becomes the one after it. None at the beginning."""
        return self._step(self.before, self.after, here)

    def forward(self, here: View) -> View | None:
        """Give the view after; None where there is none."""
        return self._step(self.after, self.before, here)

    def _step(self, taken: list[View], kept: list[View], here: View) -> View | None:
        while taken:
            view = taken.pop()
            if view != here:
                kept.append(here)
                return view
        return None
