"""A text that can be scrolled with the keys of every list."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content

from screens.actions import Scope, bindings
from screens.widgets.moves import Moves
from screens.widgets.text import TextView


class ScrollPane(Moves, VerticalScroll, can_focus=True):
    """Shows one text, redrawn for the width there is."""

    DEFAULT_CSS = """
    ScrollPane {
        height: 1fr;
        scrollbar-size-vertical: 1;
        scrollbar-gutter: stable;
        padding: 0 1;
        & > TextView { height: auto; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Scope.MOVE)]

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 (Textual's word for it)
        super().__init__(id=id)
        self._text = TextView()

    def compose(self) -> ComposeResult:
        """Hold one text."""
        yield self._text

    def draw(self, width: int) -> Content:
        """Give the text for a width in cells."""
        del width
        return Content("")

    def redraw(self) -> None:
        """Show the text as it is now."""
        if self.is_mounted:
            self._text.put(self.draw(max(20, self.scrollable_content_region.width)))

    def on_resize(self) -> None:
        """Draw for the new width."""
        self.redraw()

    def move_by(self, lines: int) -> None:
        """Scroll by so many lines."""
        self.scroll_relative(y=lines, animate=False)

    def page_lines(self) -> int:
        """Give the lines of a page."""
        return self.scrollable_content_region.height

    def action_first(self) -> None:
        """Go to the beginning."""
        self.scroll_home(animate=False)

    def action_last(self) -> None:
        """Go to the end."""
        self.scroll_end(animate=False)
