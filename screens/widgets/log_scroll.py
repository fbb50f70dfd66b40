"""Scrolls lines of which each may take several rows, and follows their end without fighting the reader.

A line's place is its *position* among those that are shown. The unit of the scroll bar is the line; within a
line that takes several rows, `_skip` says how many of them are above the view.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from screens.widgets.log_line import LONGEST
from screens.widgets.moves import Moves

FAR = 1000
"""Rows from which on a move counts lines: nobody can tell the difference."""
WHEEL = 3
"""Rows that one notch of the mouse's wheel moves."""


class Top(NamedTuple):
    """The first row in view: a line's position, and how many of its rows are above."""

    position: int
    skip: int = 0


class LogScroll(Moves, ScrollView, can_focus=True):
    """The scrolling of a log. Its user says what the lines are."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"log--line"}
    ALLOW_SELECT = False  # whole lines are selected, also those that are not in view

    class Changed(Message):
        """What the status line tells has changed."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 (Textual's word for it)
        super().__init__(id=id)
        self.following = True
        self.unseen = 0
        """Lines that came while the reader was elsewhere."""
        self.wraps = False
        self._widest = 0
        self._skip = 0
        self._moving = False  # a scroll of our own is under way
        self._page: list[tuple[int, Strip]] | None = None
        self._width: int | None = None

    # -- what its user says

    def total(self) -> int:
        """Give how many lines are shown."""
        raise NotImplementedError

    def tall(self) -> bool:
        """Say whether a line may take several rows."""
        raise NotImplementedError

    def rows_at(self, position: int) -> list[Strip]:
        """Draw the line at a position; cut to the width where lines are wrapped."""
        raise NotImplementedError

    def background_at(self, position: int) -> Style:
        """Give the style behind the line at a position."""
        raise NotImplementedError

    # -- moving

    def move_by(self, lines: int) -> None:
        """Scroll by so many rows."""
        self._scroll(lines)

    def page_lines(self) -> int:
        """Give the rows of a page."""
        return max(1, self.scrollable_content_region.height)

    def action_first(self) -> None:
        """Go to the beginning."""
        self._go_top(Top(0))
        self._set_following(on=self._end() <= 0)

    def action_last(self) -> None:
        """Go to the end and follow it."""
        self.follow(on=True)

    def follow(self, *, on: bool) -> None:
        """Follow the end from now on, or stay here."""
        if not on:
            self._go_top(self._top())
        self._set_following(on=on)
        if on:
            self._to_end()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Stop following when the reader scrolls up; go on at the end."""
        super().watch_scroll_y(old_value, new_value)
        if self._moving:
            return
        self._skip = 0
        if round(new_value) < round(old_value) and new_value < self._end():
            self._set_following(on=False)
        elif new_value >= self._end():
            self._set_following(on=True)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll by rows, as the keys do."""
        self._wheel(event, WHEEL)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll by rows, as the keys do."""
        self._wheel(event, -WHEEL)

    def _wheel(self, event: events.MouseEvent, rows: int) -> None:
        if not event.ctrl and not event.shift:
            event.stop()
            event.prevent_default()
            self._scroll(rows)

    def _scroll(self, rows: int) -> None:
        top, last = self._moved(self._top(), rows), self._last_top()
        self._go_top(min(top, last))
        if rows < 0:
            self._set_following(on=last <= Top(0))
        elif top >= last:
            self._set_following(on=True)

    def _moved(self, top: Top, rows: int) -> Top:
        """Give the row so many rows further down, or up."""
        position, skip = top
        if not self.tall() or abs(rows) > FAR:
            return Top(max(0, min(position + rows, self.total() - 1)))
        while rows > 0 and position < self.total():
            left = len(self.rows_at(position)) - skip
            if rows < left:
                return Top(position, skip + rows)
            position, skip, rows = position + 1, 0, rows - left
        while rows < 0 and (skip or position):
            if not skip:
                position, skip = position - 1, len(self.rows_at(position - 1))
            step = min(skip, -rows)
            skip, rows = skip - step, rows + step
        return Top(position, skip)

    def _last_top(self) -> Top:
        """Give the first row in view when the end is in view."""
        if not self.tall():
            return Top(self._end())
        left, position = self.page_lines(), self.total()
        while position > 0 and left > 0:
            position -= 1
            left -= len(self.rows_at(position))
        return Top(position, max(0, -left))

    def _top(self) -> Top:
        """Give the first row in view."""
        if self.tall():
            return self._last_top() if self.following else Top(round(self.scroll_y), self._skip)
        return Top(round(self.scroll_y))

    def _go_top(self, top: Top) -> None:
        self._skip = top.skip if self.tall() else 0
        self._scroll_own(top.position)

    def _to_end(self) -> None:
        self._scroll_own(self._end())

    def _scroll_own(self, y: int) -> None:
        self._moving = True
        try:
            self.scroll_to(y=max(0, min(y, self._end())), animate=False, force=True, immediate=True)
        finally:
            self._moving = False
        self.refresh()

    def _end(self) -> int:
        return self.max_scroll_y  # as Textual clamps by it, a change of size never looks like scrolling up

    def _set_following(self, *, on: bool) -> None:
        if on != self.following or (on and self.unseen):
            self.following = on
            self.unseen = 0
            self.tell()

    def in_view(self, position: int) -> bool:
        """Say whether a line's first row is in view."""
        return any(place == position for place, _ in self.page())

    # -- size

    def on_resize(self) -> None:
        """Keep the end in view when the size changes."""
        self.lay_out_again()
        self._stay()

    def watch_show_horizontal_scrollbar(self) -> None:
        """Keep the end in view: the bar takes a row, and no change of size tells of it."""
        self._stay()

    def lay_out_again(self) -> None:
        """Take in another number of lines, or another way to show them."""
        total = self.total()
        # With lines of several rows the last one may be scrolled to the top: lines are the unit.
        height = total + (self.page_lines() - 1 if self.tall() and total else 0)
        # Only what is wider than the view may bring a scroll bar, which takes a row from the view.
        self.virtual_size = Size(1 if self.wraps else self._widest, height)
        self.refresh()
        self.call_after_refresh(self._stay)

    def _stay(self) -> None:
        if self.following and round(self.scroll_y) != self._end():  # else it would all be painted once more
            self._to_end()

    def width(self) -> int:
        """Give the cells of a row."""
        if self._width is None:
            self._width = max(1, self.scrollable_content_region.width)
        return self._width

    def tell(self) -> None:
        """Show again, and have the status line tell."""
        self.refresh()
        self.post_message(self.Changed())

    # -- drawing

    @property
    def plain(self) -> Style:
        """The style of a line without any other; a component's is kept by Textual, its own is not."""
        return self.get_component_rich_style("log--line")

    def refresh(
        self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False
    ) -> LogScroll:
        """Draw again."""
        self._page = self._width = None
        super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)
        return self

    def page(self) -> list[tuple[int, Strip]]:
        """Give the rows in view, each with the position of its line."""
        if self._page is None:
            (position, skip), height = self._top(), self.page_lines()
            rows: list[tuple[int, Strip]] = []
            while position < self.total() and len(rows) < height:
                rows += [(position, strip) for strip in self.rows_at(position)[skip:]]
                position, skip = position + 1, 0
            self._page = rows[:height]
        return self._page

    def render_line(self, y: int) -> Strip:
        """Draw the row at a place of the screen."""
        width, rows = self.width(), self.page()
        if y >= len(rows):
            return Strip.blank(width, self.plain)
        position, strip = rows[y]
        if strip.cell_length > self._widest and not self.wraps:
            self._widest = min(strip.cell_length, LONGEST)
            self.call_later(self.lay_out_again)
        left = 0 if self.wraps else round(self.scroll_x)
        return strip.crop_extend(left, left + width, self.background_at(position))
