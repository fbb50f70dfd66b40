"""A table of any number of rows: only the rows in view are ever laid out.

The rows are a sequence that belongs to whoever gives them; the table keeps the place by a row's key, so the
selection stays where it was when rows come, go or change. Very many rows are filtered and sorted in a thread:
keys are answered meanwhile, and what was shown stays until the new order is there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Generic, TypeVar

from rich.segment import Segment
from rich.style import Style
from textual import events, work
from textual.binding import BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from screens.actions import Scope, bindings
from screens.look import POINTER, ROLE_CLASSES, ROLE_CSS, Role, role_style
from screens.widgets.columns import GAP, Cell, Column, widths

Row = TypeVar("Row")

GUTTER = 2
"""Cells before the first column, for the signs of the selected row and of the marked ones."""
MARKED = "●"
LARGE = 5_000
"""Rows from which on they are filtered and sorted in a thread."""


class VirtualTable(ScrollView, Generic[Row], can_focus=True):
    """Shows rows, one of them selected. Posts `Selected` as the selection moves, `Opened` on enter."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "table--header",
        "table--row",
        "table--cursor",
        "table--cursor-away",
        *ROLE_CLASSES,
    }
    DEFAULT_CSS = f"""
    VirtualTable {{
        height: 1fr;
        scrollbar-size-vertical: 1;
        overflow-x: hidden;
        & > .table--header {{ color: $foreground-muted; text-style: none; }}
        & > .table--cursor {{ background: $primary 45%; text-style: bold; }}
        & > .table--cursor-away {{ background: $primary 18%; }}
        {ROLE_CSS}
    }}
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Scope.TABLE, Scope.MOVE)]

    class Selected(Message):
        """Another row is selected; None: there is none."""

        def __init__(self, table: VirtualTable[Any], key: str | None) -> None:
            self.table = table
            self.key = key
            super().__init__()

        @property
        def control(self) -> VirtualTable[Any]:
            """The table."""
            return self.table

    class Opened(Selected):
        """A row was opened."""

    class Arranged(Message):
        """Other rows are shown, other ones are marked, or they stand in another order."""

    def __init__(
        self,
        columns: Sequence[Column[Row]],
        key: Callable[[Row], str],
        matches: Callable[[Row, str], bool],
        *,
        id: str | None = None,  # noqa: A002 (Textual's word for it)
    ) -> None:
        super().__init__(id=id)
        self.columns = tuple(columns)
        self.sorted_by: int | None = None
        self.reverse = False
        self._key = key
        self._matches = matches
        self._rows: Sequence[Row] = ()
        self._shown: Sequence[Row] = ()
        self._filter = ""
        self._cursor = 0
        self._marked: dict[str, None] = {}  # in the order of marking
        self._arranging = False
        self._stale = False

    # -- what is shown

    @property
    def shown(self) -> Sequence[Row]:
        """The rows that pass the filter, in the order of the screen."""
        return self._shown

    @property
    def selected(self) -> Row | None:
        """The selected row."""
        return self._shown[self._cursor] if self._cursor < len(self._shown) else None

    @property
    def selected_key(self) -> str | None:
        """The selected row's key."""
        row = self.selected
        return None if row is None else self._key(row)

    def show_rows(self, rows: Sequence[Row]) -> None:
        """Show other rows. The selection stays with its key; where that is gone, at its place."""
        self._rows = rows
        self._arrange()

    def filter(self, text: str) -> None:
        """Show only the rows that match; all for an empty text."""
        if text != self._filter:
            self._filter = text
            self._arrange()

    def sort_by(self, column: int | None, *, reverse: bool = False) -> None:
        """Sort by a column, or by none: in the order that the rows came in."""
        self.sorted_by, self.reverse = column, reverse
        self._arrange()

    def select(self, key: str) -> bool:
        """Select the row with a key; False when it is not shown."""
        index = self._find(key)
        if index is not None:
            self._move_to(index)
        return index is not None

    def _arrange(self) -> None:
        ordered = bool(self._filter) or self.sorted_by is not None
        if len(self._rows) < LARGE or not ordered or not self.is_mounted:
            self._stale = False
            self._take(self._arranged(self._rows, self._filter, self.sorted_by, reverse=self.reverse))
            return
        self._stale = True
        if not self._arranging:
            self._arranging = True
            self._arrange_many()

    @work(group="arranging", exit_on_error=False)
    async def _arrange_many(self) -> None:
        """Arrange in a thread, and again as long as something has changed meanwhile."""
        try:
            while self._stale:
                self._stale, began = False, time.monotonic()
                given = self._rows, self._filter, self.sorted_by
                shown = await asyncio.to_thread(self._arranged, *given, reverse=self.reverse)
                if self._filter == given[1] or self._stale:  # else all are shown again already
                    self._take(shown)
                await asyncio.sleep(time.monotonic() - began)  # leave as much time to everything else
        finally:
            self._arranging = False

    def _arranged(
        self, rows: Sequence[Row], wanted: str, column: int | None, *, reverse: bool
    ) -> Sequence[Row]:
        if wanted:
            rows = [row for row in rows if self._matches(row, wanted)]
        return rows if column is None else sorted(rows, key=self.columns[column].sort, reverse=reverse)

    def _take(self, shown: Sequence[Row]) -> None:
        before, place = self.selected_key, self._cursor
        self._shown = shown
        index = self._find(before, near=place) if before is not None else None
        self._cursor = max(0, min(place, len(shown) - 1)) if index is None else index
        self._resize()
        self._keep_in_view()
        if self.selected_key != before:
            self.post_message(self.Selected(self, self.selected_key))
        self.post_message(self.Arranged())

    def _find(self, key: str, near: int = 0) -> int | None:
        if near < len(self._shown) and self._key(self._shown[near]) == key:
            return near
        return next((index for index, row in enumerate(self._shown) if self._key(row) == key), None)

    # -- marking

    @property
    def marked(self) -> list[Row]:
        """The marked rows among those that are shown, in their order."""
        return [row for row in self._shown if self._key(row) in self._marked] if self._marked else []

    def action_mark(self) -> None:
        """Mark the selected row, or take its mark off; then go on to the next."""
        key = self.selected_key
        if key is not None:
            if key in self._marked:
                del self._marked[key]
            else:
                self._marked[key] = None
            self._move_to(self._cursor + 1)
            self._tell_marks()

    def action_mark_range(self) -> None:
        """Mark all rows from the one that was marked last to the selected one."""
        last = next(reversed(self._marked), None)
        start = None if last is None else self._find(last, near=self._cursor)
        first, after = sorted((self._cursor if start is None else start, self._cursor))
        for row in self._shown[first : after + 1]:
            self._marked[self._key(row)] = None
        self._tell_marks()

    def keep_marks(self, of: Callable[[Row], bool]) -> None:
        """Take the marks off all rows but those that something holds for; off what is gone, too."""
        kept = {self._key(row) for row in self._rows if of(row)} if self._marked else set()
        if any(key not in kept for key in self._marked):
            self._marked = {key: None for key in self._marked if key in kept}
            self._tell_marks()

    def unmark(self) -> bool:
        """Take all marks off; False when there were none."""
        found = bool(self._marked)
        self._marked.clear()
        if found:
            self._tell_marks()
        return found

    def _tell_marks(self) -> None:
        self.refresh()
        self.post_message(self.Arranged())

    # -- moving

    def action_move_down(self) -> None:
        """Select the next row."""
        self._move_to(self._cursor + 1)

    def action_move_up(self) -> None:
        """Select the row before."""
        self._move_to(self._cursor - 1)

    def action_page_forward(self) -> None:
        """Move a page down."""
        self._move_to(self._cursor + max(1, self.size.height - 2))

    def action_page_back(self) -> None:
        """Move a page up."""
        self._move_to(self._cursor - max(1, self.size.height - 2))

    def action_first(self) -> None:
        """Select the first row."""
        self._move_to(0)

    def action_last(self) -> None:
        """Select the last row."""
        self._move_to(len(self._shown) - 1)

    def action_open(self) -> None:
        """Open the selected row."""
        if self.selected_key is not None:
            self.post_message(self.Opened(self, self.selected_key))

    def action_sort(self) -> None:
        """Sort by the next column that is shown; after the last one by none."""
        after = 0 if self.sorted_by is None else self.sorted_by + 1
        shown = [index for index, width in enumerate(self._widths()) if width and index >= after]
        self.sort_by(shown[0] if shown else None)

    def action_reverse_order(self) -> None:
        """Sort the other way round; by the first column where nothing is sorted yet."""
        self.sort_by(self.sorted_by or 0, reverse=not self.reverse)

    def on_click(self, event: events.Click) -> None:
        """Select a row, open it when it is selected; on the heading, sort."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        if offset.y == 0:
            self._sort_at(offset.x)
            return
        row = round(self.scroll_y) + offset.y - 1
        if row < len(self._shown):
            again = event.chain > 1 and row == self._cursor
            self._move_to(row)
            if again:
                self.action_open()

    def _sort_at(self, x: int) -> None:
        left = GUTTER
        for index, width in enumerate(self._widths()):
            if width and left <= x < left + width + GAP:
                self.sort_by(index, reverse=self.sorted_by == index and not self.reverse)
                return
            left += width + GAP if width else 0

    def _move_to(self, index: int) -> None:
        index = max(0, min(index, len(self._shown) - 1))
        if index == self._cursor:
            return
        self._cursor = index
        self._keep_in_view()
        self.post_message(self.Selected(self, self.selected_key))

    def _keep_in_view(self) -> None:
        page = max(1, self.size.height - 1)
        top = round(self.scroll_y)
        if self._cursor < top:
            self.scroll_to(y=self._cursor, animate=False, force=True)
        elif self._cursor >= top + page:
            self.scroll_to(y=self._cursor - page + 1, animate=False, force=True)
        self.refresh()

    def refresh_rows(self, changing: Callable[[Row], bool]) -> None:
        """Draw again the rows in view that change as time goes by; no other."""
        top, width = round(self.scroll_y), self.size.width
        last = min(len(self._shown), top + self.size.height - 1)
        places = [index - top + 1 for index in range(top, last) if changing(self._shown[index])]
        if places:
            self.refresh(*(Region(0, place, width, 1) for place in places))

    def _resize(self) -> None:
        size = Size(1, len(self._shown) + 1)
        if size != self.virtual_size:
            self.virtual_size = size

    def on_resize(self) -> None:
        """Lay out again for another size, and keep the selection in view."""
        self._resize()
        self._keep_in_view()

    # -- drawing

    def render_line(self, y: int) -> Strip:
        """Draw the heading or the row at a place of the screen."""
        width = self.scrollable_content_region.width
        if y == 0:
            return self._heading(width)
        index = round(self.scroll_y) + y - 1
        if index >= len(self._shown):
            return Strip.blank(width, self._plain)
        background = self._plain
        if index == self._cursor:
            name = "table--cursor" if self.has_focus else "table--cursor-away"
            background += self.get_component_rich_style(name)
        row = self._shown[index]
        sign = POINTER if index == self._cursor else " "
        sign += MARKED if self._marked and self._key(row) in self._marked else ""
        return self._line([column.cell(row) for column in self.columns], width, background, sign)

    def _heading(self, width: int) -> Strip:
        cells = []
        for index, column in enumerate(self.columns):
            arrow = (" ▼" if self.reverse else " ▲") if index == self.sorted_by else ""
            cells.append((column.title + arrow, Role.STRONG if arrow else Role.MUTED))
        return self._line(cells, width, self._plain)

    @property
    def _plain(self) -> Style:
        """The style of a row without any other; a component's is kept by Textual, its own is not."""
        return self.get_component_rich_style("table--row")

    def _line(self, cells: Sequence[Cell], width: int, background: Style, sign: str = "") -> Strip:
        segments = [Segment(sign.ljust(GUTTER), background)]
        gap = Segment(" " * GAP, background)
        for (text, role), column, room in zip(cells, self.columns, self._widths(), strict=True):
            if not room:
                continue
            segments += [Segment(column.fit(text, room), background + role_style(self, role)), gap]
        return Strip(segments[:-1]).extend_cell_length(width, background).crop(0, width)

    def _widths(self) -> list[int]:
        """Give each column's width for the present size; 0: folded away."""
        return widths(self.columns, self.scrollable_content_region.width - GUTTER)
