"""Shows a log as it grows: the tail first, followed until the reader scrolls up, searched in the whole file.

Following never fights the reader: scrolling up stops it and counts what is new; at the end it goes on.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left, bisect_right
from collections.abc import AsyncGenerator, Callable
from functools import partial
from pathlib import Path
from typing import ClassVar

from rich.style import Style
from textual import work
from textual.binding import BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from opconsole.logs import LogLine, follow
from screens.actions import Scope, bindings
from screens.look import ROLE_CLASSES, ROLE_CSS, role_style
from screens.widgets.log_file import LogFile
from screens.widgets.log_line import LONGEST, LineLook, fold
from screens.widgets.log_search import ERRORS, HITS, find_text
from screens.widgets.moves import Moves


class LogView(Moves, ScrollView, can_focus=True):
    """The lines of one log. `show_log` opens another; posts `Changed` when its status line has to change."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"log--hit", "log--place", *ROLE_CLASSES}
    DEFAULT_CSS = f"""
    LogView {{
        height: 1fr;
        scrollbar-size: 1 1;
        & > .log--hit {{ background: $warning 30%; }}
        & > .log--place {{ background: $warning; color: auto; text-style: bold; }}
        {ROLE_CSS}
    }}
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Scope.LOG, Scope.MOVE)]

    class Changed(Message):
        """What the status line tells has changed."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 (Textual's word for it)
        super().__init__(id=id)
        self.following = True
        self.unseen = 0
        """Lines that came while the reader was elsewhere."""
        self.wraps = False
        self.timed = False
        self.pattern = ""
        self.hits: list[int] = []
        self.searching = False
        self._place: int | None = None  # the line that a jump went to
        self._searched_to = 0
        self._log: LogFile | None = None
        self._path: Path | None = None
        self._widest = 0
        self._whole = asyncio.Event()  # the index has reached the beginning

    @property
    def count(self) -> int:
        """How many lines are known."""
        return self._log.count if self._log else 0

    @property
    def complete(self) -> bool:
        """Whether all lines are counted."""
        return self._log is None or self._log.indexed

    @property
    def place(self) -> int | None:
        """The line that a jump went to."""
        return self._place

    # -- the log

    def show_log(self, path: Path | None) -> None:
        """Show another log from its end on; None: none."""
        if path == self._path:
            return
        self._path, self._log = path, None
        self._whole = asyncio.Event()
        self._forget()
        self.workers.cancel_group(self, "log")
        self._resize()
        if path is not None:
            self._tend(path)

    @work(group="log", exclusive=True, exit_on_error=False)
    async def _tend(self, path: Path) -> None:
        log = LogFile(path)
        await asyncio.to_thread(log.open)
        if path != self._path:
            return
        self._log = log
        self._grown(0)
        while not log.indexed:
            added = await asyncio.to_thread(log.index_more)
            self._put_before(added)
        self._whole.set()
        batches = follow(path, from_end=True)
        late = asyncio.create_task(self._late(log))
        try:
            async for _ in batches:
                await self._extend(log)
        finally:
            late.cancel()
            if isinstance(batches, AsyncGenerator):  # lets go of the system's watch
                await batches.aclose()

    async def _late(self, log: LogFile) -> None:
        """Take in what came between opening the log and following it, and cuts that leave nothing new."""
        while True:
            await self._extend(log)
            await asyncio.sleep(1)

    async def _extend(self, log: LogFile) -> None:
        before = log.count
        if await asyncio.to_thread(log.extend):
            self._forget()
            while not log.indexed:
                await asyncio.to_thread(log.index_more)
            before = 0
        if log is self._log and log.count != before:
            self._grown(log.count - before)

    def _forget(self) -> None:
        self.following, self.unseen = True, 0
        self.pattern, self.hits, self._place, self._searched_to, self._widest = "", [], None, 0, 0

    def _grown(self, new: int) -> None:
        self._resize()
        if self.following:
            self._to_end()
        else:
            self.unseen += max(0, new)
        self._tell()

    def _put_before(self, added: int) -> None:
        self._resize()
        if self.following:
            self._to_end()
        else:
            self.scroll_to(y=self.scroll_y + added, animate=False, force=True)
        if self._place is not None:
            self._place += added
        self._tell()

    # -- moving

    def move_by(self, lines: int) -> None:
        """Scroll by so many lines."""
        self._scroll(lines)

    def page_lines(self) -> int:
        """Give the lines of a page."""
        return max(1, self.scrollable_content_region.height)

    def action_first(self) -> None:
        """Go to the beginning."""
        self._scroll(-self.count)

    def action_last(self) -> None:
        """Go to the end and follow it."""
        self._follow(on=True)

    def action_follow(self) -> None:
        """Follow the end, or stop."""
        self._follow(on=not self.following)

    def action_wrap(self) -> None:
        """Wrap long lines, or cut them."""
        self.wraps = not self.wraps
        self.scroll_to(x=0, animate=False, force=True)
        self._resize()
        if self.following:
            self._to_end()
        self._tell()

    def action_times(self) -> None:
        """Show when each line was written, or do not."""
        self.timed = not self.timed
        self._tell()

    def action_next_error(self) -> None:
        """Go to the next error."""
        self._jump(ERRORS.search, 1)

    def action_previous_error(self) -> None:
        """Go to the error before."""
        self._jump(ERRORS.search, -1)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Stop following when the reader scrolls up; go on at the end."""
        super().watch_scroll_y(old_value, new_value)
        if round(new_value) < round(old_value) and new_value < self._end():
            self._set_following(on=False)
        elif new_value >= self._end() and not self.wraps:
            self._set_following(on=True)

    def _scroll(self, lines: int) -> None:
        top = self._top() if self.following else round(self.scroll_y)
        self.scroll_to(y=max(0, min(top + lines, self._end())), animate=False, force=True)
        if lines < 0:
            self._set_following(on=self._end() <= 0)
        elif self.wraps and top + lines >= self._end():
            self._set_following(on=True)

    def _follow(self, *, on: bool) -> None:
        if on:
            self._to_end()
        else:
            self.scroll_to(y=self._top(), animate=False, force=True)
        self._set_following(on=on)

    def _set_following(self, *, on: bool) -> None:
        if on != self.following or (on and self.unseen):
            self.following = on
            self.unseen = 0
            self._tell()

    def _to_end(self) -> None:
        self.scroll_to(y=self._end(), animate=False, force=True)

    def _end(self) -> int:
        return self.max_scroll_y  # as Textual clamps by it, a change of size never looks like scrolling up

    def _width(self) -> int:
        return max(1, self.scrollable_content_region.width)

    def _resize(self) -> None:
        # Wrapped, the last line may be scrolled to the top: lines are the unit, whatever room each takes.
        height = self.count + (self.page_lines() - 1 if self.wraps and self.count else 0)
        # Only what is wider than the view may bring a scroll bar, which takes a line from the view.
        self.virtual_size = Size(1 if self.wraps else self._widest, height)
        self.refresh()
        self.call_after_refresh(self._stay)

    def on_resize(self) -> None:
        """Keep the end in view when the size changes."""
        self._resize()
        self._stay()

    def _stay(self) -> None:
        if self.following:
            self._to_end()

    # -- searching

    @work(group="search", exclusive=True, exit_on_error=False)
    async def search(self, text: str) -> None:
        """Find every line with a text, whatever its case, and go to the last one at or above the view."""
        self.pattern, self.hits, self._searched_to = text, [], 0
        if not text:
            self._place = None
            self._tell()
            return
        await self._find_hits()
        if self.hits and self.pattern == text:
            bottom = self._top() + self.page_lines()
            self._go(self.hits[max(0, bisect_right(self.hits, bottom) - 1)])

    @work(group="search", exclusive=True, exit_on_error=False)
    async def step(self, direction: int) -> None:
        """Go to the next hit (1) or the one before (-1), round the ends."""
        await self._find_hits()
        if not self.hits:
            return
        here = self._top() if self._place is None else self._place
        at = bisect_right(self.hits, here) if direction > 0 else bisect_left(self.hits, here) - 1
        self._go(self.hits[at % len(self.hits)])

    async def _find_hits(self) -> None:
        log, text = self._log, self.pattern
        if log is None or not text:
            return
        self.searching = True
        self._tell()
        try:
            await self._whole.wait()  # numbers are only final once the beginning is known
            until = log.count
            found = await asyncio.to_thread(find_text, log, self._searched_to, text)
            if log is self._log and text == self.pattern:
                self.hits = [*self.hits, *found][:HITS]
                self._searched_to = until
        finally:
            self.searching = False
            self._tell()

    @work(group="search", exclusive=True, exit_on_error=False)
    async def _jump(self, wanted: Callable[[bytes], object], direction: int) -> None:
        log = self._log
        if log is None:
            return
        here = self._place if self._place is not None else (self._top() if direction < 0 else self._top() - 1)
        back = direction < 0
        found = await asyncio.to_thread(
            log.find, here + direction, lambda line: bool(wanted(line)), backwards=back
        )
        if found is not None:
            self._go(found)
        else:
            self.notify("There is no further error.", markup=False)

    def _go(self, number: int) -> None:
        self._place = number
        if not self._top() <= number < self._top() + self.page_lines() or self.wraps:
            self.scroll_to(
                y=max(0, min(number - self.page_lines() // 3, self._end())), animate=False, force=True
            )
        self._set_following(on=False)
        self._tell()

    def _tell(self) -> None:
        self.refresh()
        self.post_message(self.Changed())

    # -- drawing

    def text_in_view(self) -> str:
        """Give the lines in view as plain text, safe to paste."""
        last = min(self.count, self._top() + self.page_lines())
        return "\n".join(self._line(number).display() for number in range(self._top(), last))

    def render_line(self, y: int) -> Strip:
        """Draw the line at a place of the screen."""
        width = self._width()
        if self.wraps:
            rows = self._wrapped()
            return rows[y].extend_cell_length(width, self.rich_style) if y < len(rows) else self._blank()
        number = round(self.scroll_y) + y
        if number >= self.count:
            return self._blank()
        strip = self._strip(number)
        if strip.cell_length > self._widest:
            self._widest = min(strip.cell_length, LONGEST)
            self.call_later(self._resize)
        left = round(self.scroll_x)
        return strip.crop_extend(left, left + width, self._background(number))

    def _blank(self) -> Strip:
        return Strip.blank(self._width(), self.rich_style)

    def _top(self) -> int:
        """Give the number of the first line in view."""
        if self.wraps and self.following:
            left, number = self.page_lines(), self.count
            while number > 0 and left > 0:
                number -= 1
                left -= self._rows_of(number)
            return number if left >= 0 else number + 1
        return round(self.scroll_y)

    def _rows_of(self, number: int) -> int:
        return max(1, -(-self._strip(number).cell_length // self._width()))

    def _wrapped(self) -> list[Strip]:
        width, page = self._width(), self.page_lines()
        rows: list[Strip] = []
        if self.following:
            number = self.count
            while number > 0 and len(rows) < page:
                number -= 1
                rows[:0] = fold(self._strip(number), width, self._background(number))
            return rows[-page:]
        number = round(self.scroll_y)
        while number < self.count and len(rows) < page:
            rows += fold(self._strip(number), width, self._background(number))
            number += 1
        return rows

    def _line(self, number: int) -> LogLine:
        return self._log.line(number) if self._log else LogLine(None, "?", "")

    def _sign(self, number: int) -> str:
        if number == self._place:
            return "»"
        at = bisect_left(self.hits, number)
        return "•" if at < len(self.hits) and self.hits[at] == number else " "

    def _background(self, number: int) -> Style:
        hit = self._sign(number) != " "
        return self.rich_style + self.get_component_rich_style("log--hit") if hit else self.rich_style

    def _strip(self, number: int) -> Strip:
        place = self.get_component_rich_style("log--place")
        look = LineLook(
            partial(role_style, self), Style(color=place.color, bgcolor=place.bgcolor), self.app.console
        )
        sign, base = self._sign(number), self._background(number)
        return look.draw(self._line(number), base, sign=sign, pattern=self.pattern, timed=self.timed)
