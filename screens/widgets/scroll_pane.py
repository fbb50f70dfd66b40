"""A text that can be scrolled with the keys of every list."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from screens.actions import Scope, bindings


class ScrollPane(VerticalScroll, can_focus=True):
    """Shows one text, redrawn for the width there is."""

    DEFAULT_CSS = """
    ScrollPane {
        height: 1fr;
        scrollbar-size-vertical: 1;
        scrollbar-gutter: stable;
        padding: 0 1;
        & > Static { height: auto; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Scope.MOVE)]

    def compose(self) -> ComposeResult:
        """Hold one text."""
        yield Static()

    def draw(self, width: int) -> Content:
        """Give the text for a width in cells."""
        del width
        return Content("")

    def redraw(self) -> None:
        """Show the text as it is now."""
        if self.is_mounted:
            self.query_one(Static).update(self.draw(max(20, self.scrollable_content_region.width)))

    def on_resize(self) -> None:
        """Draw for the new width."""
        self.redraw()

    def action_move_down(self) -> None:
        """Scroll down a line."""
        self.scroll_relative(y=1, animate=False)

    def action_move_up(self) -> None:
        """Scroll up a line."""
        self.scroll_relative(y=-1, animate=False)

    def action_page_forward(self) -> None:
        """Scroll down a page."""
        self.scroll_page_down(animate=False)

    def action_page_back(self) -> None:
        """Scroll up a page."""
        self.scroll_page_up(animate=False)

    def action_first(self) -> None:
        """Go to the beginning."""
        self.scroll_home(animate=False)

    def action_last(self) -> None:
        """Go to the end."""
        self.scroll_end(animate=False)
