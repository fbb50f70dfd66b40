"""Lines of a log that a person goes to or selects, by keyboard and by mouse."""

from __future__ import annotations

from textual import events

from screens.widgets.log_scroll import LogScroll, Top


class LogSelecting(LogScroll):
    """The place in a log, and what is selected from there. Its user says which lines are shown."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 (Textual's word for it)
        super().__init__(id=id)
        self._place: int | None = None  # the line that was gone to, or that a selection ends at
        self._anchor: int | None = None  # where a selection began
        self._dragging = False

    @property
    def place(self) -> int | None:
        """The line that was gone to."""
        return self._place

    @property
    def chosen(self) -> range | None:
        """The numbers of the selected lines, the first and the last included; None without a selection."""
        if self._anchor is None or self._place is None:
            return None
        return range(min(self._anchor, self._place), max(self._anchor, self._place) + 1)

    def number_of(self, position: int) -> int:
        """Give the number of the line at a position."""
        raise NotImplementedError

    def position_of(self, number: int) -> int:
        """Give the position of a line, or of the next one that is shown."""
        raise NotImplementedError

    def go(self, number: int) -> None:
        """Go to a line: bring it into view, with what surrounds it."""
        self._place = number
        position = self.position_of(number)
        following, self.following = self.following, False
        if following or not self.in_view(position):
            self._go_top(min(Top(max(0, position - self.page_lines() // 3)), self._last_top()))
        if following:
            self.unseen = 0
        self.tell()

    def action_select(self) -> None:
        """Begin to select lines where the reader is, or end it."""
        if self._anchor is not None:
            self.end_selection()
            return
        seen = [self.number_of(position) for position, _ in self.page()]
        if seen:
            if self._place not in seen:
                self._place = seen[-1] if self.following else seen[0]
            self._anchor = self._place
            self._set_following(on=False)
            self.tell()

    def end_selection(self) -> bool:
        """Select nothing; False when nothing was selected."""
        if self._anchor is None:
            return False
        self._anchor = None
        self.tell()
        return True

    def move_by(self, lines: int) -> None:
        """Scroll by so many rows; or move the end of the selection by so many lines."""
        if self._anchor is None or self._place is None:
            self._scroll(lines)
            return
        position = max(0, min(self.position_of(self._place) + lines, self.total() - 1))
        self._reveal(position)

    def action_first(self) -> None:
        """Go to the beginning; or select up to there."""
        if self._anchor is None:
            super().action_first()
        else:
            self._reveal(0)

    def action_last(self) -> None:
        """Go to the end and follow it; or select up to there."""
        if self._anchor is None:
            super().action_last()
        else:
            self._reveal(self.total() - 1)

    def _reveal(self, position: int) -> None:
        self._place = self.number_of(position)
        self.following = False
        self.refresh()
        if position <= self._top().position:
            self._go_top(Top(position))
        while not self.in_view(position) and position > self._top().position:
            steps = 1 if self.tall() else position - self._top().position - self.page_lines() + 1
            before = self._top()
            self._go_top(Top(before.position + steps))
            if self._top() == before:
                break
        self.tell()

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Go to the line under the mouse; a selection begins there when it is dragged."""
        number = self._number_at(event)
        if number is not None and event.button == 1:
            self._place, self._anchor, self._dragging = number, None, True
            self.follow(on=False)
            self.capture_mouse()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Select up to the line under the mouse."""
        if not self._dragging:
            return
        if self._anchor is None:
            self._anchor = self._place
        if event.y < 0 or event.y >= self.page_lines():
            self.move_by(-1 if event.y < 0 else 1)
            return
        number = self._number_at(event)
        if number is not None and number != self._place:
            self._place = number
            self.tell()

    def on_mouse_up(self) -> None:
        """End the dragging; what is selected stays so."""
        if self._dragging:
            self._dragging = False
            self.release_mouse()
            if self._anchor == self._place:
                self._anchor = None
            self.tell()

    def _number_at(self, event: events.MouseEvent) -> int | None:
        rows = self.page()
        return self.number_of(rows[event.y][0]) if 0 <= event.y < len(rows) else None
