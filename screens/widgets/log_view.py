"""Shows a log as it grows: the tail first, followed until the reader scrolls up, searched in the whole file.

Following never fights the reader: scrolling up stops it and counts what is new; at the end it goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar

from rich.style import Style
from textual import work
from textual.binding import BindingType
from textual.message import Message
from textual.strip import Strip

from screens.actions import Scope, bindings
from screens.look import ROLE_CLASSES, ROLE_CSS, role_style
from screens.widgets.log_feed import feed
from screens.widgets.log_file import LogFile
from screens.widgets.log_json import find_json, lay_out
from screens.widgets.log_line import LineLook, Times, fold
from screens.widgets.log_scroll import Top
from screens.widgets.log_searching import LogSearching

KEPT = 400
"""Lines whose rows are kept drawn."""
COPIED = 1_000_000
"""Characters that are copied at most."""


class LogView(LogSearching):
    """The lines of one log. `show_log` opens another; posts `Changed` when its status line has to change."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"log--hit", "log--place", "log--chosen", *ROLE_CLASSES}
    DEFAULT_CSS = f"""
    LogView {{
        height: 1fr;
        scrollbar-size: 1 1;
        & > .log--hit {{ background: $warning 30%; }}
        & > .log--place {{ background: $warning; color: auto; text-style: bold; }}
        & > .log--chosen {{ background: $primary 45%; }}
        {ROLE_CSS}
    }}
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Scope.LOG, Scope.MOVE)]

    class Wish(Message):
        """Something that needs to ask for a name or for the terminal: save, edit or page."""

        def __init__(self, what: str) -> None:
            self.what = what
            super().__init__()

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 (Textual's word for it)
        super().__init__(id=id)
        self.times = Times.OFF
        self.lays_out = False
        """Every line of JSON is laid out."""
        self._path: Path | None = None
        self._unfolded: set[int] = set()
        self._drawn: dict[tuple[int, str, bool, int], list[Strip]] = {}

    # -- what is known

    # -- the log

    def show_log(self, path: Path | None) -> None:
        """Show another log from its end on; None: none."""
        if path == self._path:
            return
        self._path, self.log_file = path, None
        self.workers.cancel_group(self, "log")
        self._forget()
        self.lay_out_again()
        if path is not None:
            self._feed(path)

    @work(group="log", exclusive=True, exit_on_error=False)
    async def _feed(self, path: Path) -> None:
        try:
            await feed(path, self)
        except OSError as error:
            self.notify(f"The log cannot be read: {error}", severity="warning", markup=False)

    def log_opened(self, log: LogFile) -> None:
        """Show the tail of a log; also when the file is another one now."""
        self._forget()
        self.log_file = log
        self._changed_lines(0)

    def lines_before(self, log: LogFile, added: int) -> None:
        """Keep the reader's place while the lines before are counted."""
        self._drawn.clear()
        top = self._top()
        self.lay_out_again()
        if not self.following:
            self._go_top(Top(top.position + added, top.skip))
        self._place = None if self._place is None else self._place + added
        self._anchor = None if self._anchor is None else self._anchor + added
        self._unfolded = {number + added for number in self._unfolded}
        if log.indexed:
            self._whole.set()
        self._stay()
        self.tell()

    def log_grown(self, log: LogFile, new: int) -> None:
        """Follow, or count what is new."""
        del log
        self._more.set()
        if self._shown is None:
            self._changed_lines(new)
        else:
            self.tell()  # what is new is shown once it is searched

    def _forget(self) -> None:
        self.following, self.unseen, self._widest = True, 0, 0
        self.workers.cancel_group(self, "search")
        self.finder.begin(None)
        self._place, self._anchor, self._shown, self.only_hits = None, None, None, False
        self._unfolded, self._whole, self._more = set(), asyncio.Event(), asyncio.Event()
        self._drawn.clear()

    def _changed_lines(self, new: int) -> None:
        self.lay_out_again()
        if self.following:
            self._to_end()
        else:
            self.unseen += max(0, new)
        self.tell()

    # -- what its scrolling asks

    def tall(self) -> bool:
        """Say whether a line may take several rows."""
        return self.wraps or self.lays_out or bool(self._unfolded)

    def rows_at(self, position: int) -> list[Strip]:
        """Draw the line at a position."""
        number = self.number_of(position)
        chosen = (span := self.chosen) is not None and number in span
        key = (number, self._sign(number), chosen, self.width())
        rows = self._drawn.get(key)
        if rows is None:
            rows = self._drawn[key] = self._draw(number)
            if len(self._drawn) > KEPT:
                del self._drawn[next(iter(self._drawn))]
        return rows

    def background_at(self, position: int) -> Style:
        """Give the style behind the line at a position."""
        return self._background(self.number_of(position))

    def redo(self) -> None:
        """Forget what is drawn: lines look different now."""
        self._drawn.clear()

    def notify_style_update(self) -> None:
        """Draw with the new theme."""
        super().notify_style_update()
        self.redo()

    # -- ways to show

    def action_follow(self) -> None:
        """Follow the end, or stop."""
        self.follow(on=not self.following)

    def action_wrap(self) -> None:
        """Wrap long lines, or cut them."""
        top = self._top()
        self.wraps = not self.wraps
        self._redraw(top)

    def action_times(self) -> None:
        """Show when each line was written: the time, the time since the beginning, or nothing."""
        self.times = self.times.next
        self._redraw(self._top())

    def action_lay_out(self) -> None:
        """Lay out every line of JSON, or none."""
        top = self._top()
        self.lays_out, self._unfolded = not self.lays_out, set()
        self._redraw(top)

    def action_unfold(self) -> None:
        """Lay out the line of JSON that was gone to, else the first in view; or fold it again."""
        top, seen = self._top(), [self.number_of(position) for position, _ in self.page()]
        first = [self._place] if self._place in seen else []
        for number in dict.fromkeys([*first, *seen]):
            if number is not None and self._json(number) is not None:
                self._unfolded ^= {number}
                self._redraw(top)
                return
        self.notify("No line of JSON is in view.", markup=False)

    def _redraw(self, top: Top) -> None:
        """Draw again another way, and stay at a line."""
        self._drawn.clear()
        self._widest = 0
        self.lay_out_again()
        if self.following:
            self._to_end()
        else:
            self._go_top(Top(top.position))
        self.tell()

    # -- what is copied and saved

    def text_in_view(self) -> str:
        """Give the lines in view as plain text, safe to paste."""
        seen = dict.fromkeys(self.number_of(position) for position, _ in self.page())
        return "\n".join(self._text(seen))

    def chosen_numbers(self) -> Sequence[int] | None:
        """Give the numbers of what is selected, else of what is filtered; None: of the whole log."""
        if (span := self.chosen) is None:
            return self._shown
        if self._shown is None:
            return span
        return self._shown[self._shown.before(span[0]) : self._shown.until(span[-1])]  # type: ignore[no-any-return]

    def chosen_text(self) -> str | None:
        """Give the selected lines as plain text, safe to paste; None without a selection. Reads the disk."""
        numbers = self.chosen_numbers() if self.chosen is not None else None
        return None if numbers is None else "\n".join(self._text(numbers))

    def _text(self, numbers: Iterable[int]) -> Iterable[str]:
        left = COPIED
        for number in numbers:
            line = self.log_file.line(number).display() if self.log_file else ""
            left -= len(line)
            if left < 0:
                return
            yield line

    def action_save_log(self) -> None:
        """Write the log, what is filtered, or what is selected, into a file."""
        self.post_message(self.Wish("save"))

    def action_edit_log(self) -> None:
        """Open a copy in the editor."""
        self.post_message(self.Wish("edit"))

    def action_page_log(self) -> None:
        """Open a copy in the pager."""
        self.post_message(self.Wish("page"))

    # -- drawing

    def _sign(self, number: int) -> str:
        if number == self._place:
            return "»"
        return "•" if number in self.hits else " "

    def _background(self, number: int) -> Style:
        if (span := self.chosen) is not None and number in span:
            return self.plain + self.get_component_rich_style("log--chosen")
        hit = number == self._place or (number in self.hits and not self.only_hits)
        return self.plain + self.get_component_rich_style("log--hit") if hit else self.plain

    def _draw(self, number: int) -> list[Strip]:
        log = self.log_file
        if log is None:
            return [Strip.blank(1)]
        place = self.get_component_rich_style("log--place")
        look = LineLook(
            partial(role_style, self),
            Style(color=place.color, bgcolor=place.bgcolor),
            self.app.console,
            self.finder.wanted,
            self.times,
            log.began,
        )
        sign, base, line = self._sign(number), self._background(number), log.line(number)
        found = find_json(line.text) if self.lays_out or number in self._unfolded else None
        rows = (
            [look.draw(line, base, sign)]
            if found is None
            else look.laid_out(line, lay_out(found), base, sign)
        )
        return [part for row in rows for part in fold(row, self.width(), base)] if self.wraps else rows

    def _json(self, number: int) -> object:
        return find_json(self.log_file.line(number).text) if self.log_file else None
