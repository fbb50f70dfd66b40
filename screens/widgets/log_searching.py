"""Searching in a log that is shown: from hit to hit, from error to error, and showing only the hits."""

from __future__ import annotations

import asyncio
from datetime import datetime

from textual import work

from screens.widgets.log_file import LogFile
from screens.widgets.log_finder import Finder
from screens.widgets.log_scroll import Top
from screens.widgets.log_search import ERRORS, Hits, SearchError, Wanted, around
from screens.widgets.log_selecting import LogSelecting

CONTEXT = 20
"""Lines around a hit that are shown at most."""
PACE = 0.1
"""Seconds between two searches of what was just written."""


class LogSearching(LogSelecting):
    """Which lines of a log are shown, and what was found in it. Its user keeps `log_file` up to date."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 (Textual's word for it)
        super().__init__(id=id)
        self.finder = Finder()
        self.log_file: LogFile | None = None
        self.only_hits = False
        self.filter_next = False
        """The next search shows only its hits."""
        self.context = 0
        """Lines around each hit, where only hits are shown."""
        self._shown: Hits | None = None  # the lines that are shown, where not all are
        self._whole = asyncio.Event()  # the index has reached the beginning
        self._more = asyncio.Event()  # something was written since the last search

    def redo(self) -> None:
        """Forget what is drawn: lines look different now."""
        raise NotImplementedError

    @property
    def count(self) -> int:
        """How many lines are known."""
        return self.log_file.count if self.log_file else 0

    @property
    def complete(self) -> bool:
        """Whether all lines are counted."""
        return self.log_file is None or self.log_file.indexed

    @property
    def hits(self) -> Hits:
        """The lines with what is searched for, so far."""
        return self.finder.hits

    def total(self) -> int:
        """Give how many lines are shown."""
        return self.count if self._shown is None else len(self._shown)

    def number_of(self, position: int) -> int:
        """Give the number of the line at a position."""
        if self._shown is None:
            return position
        return self._shown[position] if position < len(self._shown) else self.count

    def position_of(self, number: int) -> int:
        """Give the position of a line, or of the next one that is shown."""
        return number if self._shown is None else self._shown.before(number)

    def search(self, text: str, *, expression: bool = False) -> None:
        """Find every line with a text or an expression, and go to the last one at or above the view."""
        wanted = Wanted(text, expression) if text else None
        finder, end = self.finder, 1 if self.following else self.count - self._bottom()
        self.workers.cancel_group(self, "search")
        finder.begin(wanted)
        self.redo()
        self.only_hits, self.filter_next = (self.only_hits or self.filter_next) and wanted is not None, False
        self._show_hits(new=0)
        if wanted is None:
            self._place = None
        else:
            try:
                _ = wanted.pattern
            except SearchError as error:
                finder.begin(None)
                finder.fault = str(error)
            else:
                self._search(wanted, end)
        self.tell()

    @work(group="search", exclusive=True, exit_on_error=False)
    async def _search(self, wanted: Wanted, end: int) -> None:
        """Search for as long as nothing else is; the reader was so many lines from the *end*."""
        finder, whole = self.finder, self._whole
        await whole.wait()  # numbers are only final once the beginning is known
        log = self.log_file
        if log is None:
            return
        gone, near = False, log.count - end
        async for _ in finder.search(log, near):
            self._show_hits(new=0)
            if not gone and len(self.hits):
                gone = True
                self.go(self.hits[max(0, self.hits.until(near) - 1)])
            self.tell()
        while finder.wanted is wanted:
            await self._more.wait()
            self._more.clear()
            known = len(self.hits)
            await finder.go_on(log)
            self._show_hits(new=len(self.hits) - known)
            self.tell()
            await asyncio.sleep(PACE)

    def step(self, direction: int) -> None:
        """Go to the next hit (1) or the one before (-1), round the ends."""
        if not len(self.hits):
            return
        here = self.number_of(self._top().position) if self._place is None else self._place
        at = self.hits.until(here) if direction > 0 else self.hits.before(here) - 1
        self.go(self.hits[at % len(self.hits)])

    def show_only_hits(self, *, on: bool) -> None:
        """Show only the lines with hits, and what is around them, or all lines."""
        if on == self.only_hits:
            return
        number = self.number_of(self._top().position) if self._place is None else self._place
        self.only_hits = on
        self._show_hits(new=0)
        if not self.following:
            self._go_top(Top(max(0, self.position_of(number) - self.page_lines() // 3)))

    def action_more_context(self) -> None:
        """Show one more line around each hit."""
        self._set_context(self.context + 1)

    def action_less_context(self) -> None:
        """Show one line less around each hit."""
        self._set_context(self.context - 1)

    def _set_context(self, lines: int) -> None:
        if self.finder.wanted is None:
            self.notify("Search for something first: /", markup=False)
            return
        self.context = max(0, min(CONTEXT, lines))
        self.only_hits = True
        self._show_hits(new=0)

    def _show_hits(self, new: int) -> None:
        """Take in what the search has found, and stay at the line on top."""
        if not self.only_hits or self.finder.wanted is None:
            if self._shown is not None:
                number = self.number_of(self._top().position)
                self._shown, self.only_hits = None, False
                self._lines_changed(number)
            return
        number = self.number_of(self._top().position)
        self._shown = around(self.hits, self.context, self.count)
        self._lines_changed(number)
        if new and not self.following:
            self.unseen += new

    def _lines_changed(self, number: int) -> None:
        self.lay_out_again()
        if self.following:
            self._to_end()
        else:
            self._go_top(Top(self.position_of(number)))
        self.tell()

    @work(group="jump", exclusive=True, exit_on_error=False)
    async def go_to_moment(self, moment: datetime) -> None:
        """Go to the first line that was written at a moment or later."""
        await self._whole.wait()
        if self.log_file is not None and self.count:
            number = await asyncio.to_thread(self.log_file.first_at, moment)
            self.show_only_hits(on=False)
            self.go(min(number, self.count - 1))

    def action_next_error(self) -> None:
        """Go to the next error."""
        self._jump(1)

    def action_previous_error(self) -> None:
        """Go to the error before."""
        self._jump(-1)

    @work(group="jump", exclusive=True, exit_on_error=False)
    async def _jump(self, direction: int) -> None:
        log = self.log_file
        if log is None:
            return
        top = self.number_of(self._top().position)
        here = self._place if self._place is not None else (top if direction < 0 else top - 1)
        found = await asyncio.to_thread(
            log.find, here + direction, lambda line: bool(ERRORS.search(line)), backwards=direction < 0
        )
        if found is None:
            self.notify("There is no further error.", markup=False)
            return
        self.show_only_hits(on=False)  # an error is shown among what surrounds it
        self.go(found)

    def number_in_view(self) -> int:
        """Give the number of the first line in view."""
        return self.number_of(self._top().position)

    def _bottom(self) -> int:
        rows = self.page()
        return self.number_of(rows[-1][0]) if rows else 0
