"""The table of any number of rows: marks, and very many rows filtered and sorted while keys are answered."""

from __future__ import annotations

import threading
from typing import Any

from textual.app import App, ComposeResult

from screens.look import Role
from screens.widgets.columns import Column, widths
from screens.widgets.virtual_table import LARGE, VirtualTable


class TableApp(App[None]):
    """A table of numbers alone; a test can hold the filter back."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count
        self.open = threading.Event()
        self.open.set()

    def compose(self) -> ComposeResult:
        columns = [Column("Number", 10, lambda row: (str(row), Role.PLAIN), lambda row: -row)]
        yield VirtualTable(columns, lambda row: f"n{row}", self._matches)

    def on_mount(self) -> None:
        self.table.show_rows(range(self.count))
        self.table.focus()

    def _matches(self, row: int, text: str) -> bool:
        assert self.open.wait(10)
        return str(row).endswith(text)

    @property
    def table(self) -> VirtualTable[int]:
        return self.query_one(VirtualTable)

    def drawn(self, y: int) -> str:
        return self.table.render_line(y).text.rstrip()


async def test_rows_are_marked_one_by_one_and_up_to_here(until: Any) -> None:
    async with TableApp(50).run_test(size=(40, 20)) as pilot:
        table = pilot.app.table
        await pilot.pause()
        table.action_mark()
        assert pilot.app.drawn(1) == " ●0"
        assert pilot.app.drawn(2) == "› 1"
        await pilot.press("j", "j", "j")
        table.action_mark_range()
        assert table.marked == [0, 1, 2, 3, 4]
        table.show_rows([4, 2, 90])
        assert table.marked == [4, 2], "marks stay with their rows"
        table.filter("2")
        assert table.marked == [2], "what is not shown is not acted on"
        assert table.unmark()
        assert not table.unmark()


async def test_sorting_needs_no_mouse_in_either_direction(until: Any) -> None:
    async with TableApp(3).run_test(size=(40, 20)) as pilot:
        drawn = pilot.app.drawn
        await pilot.press("s")
        assert [drawn(line).strip("› ") for line in range(4)] == ["Number ▲", "2", "1", "0"]
        await pilot.press("R")
        assert [drawn(line).strip("› ") for line in range(4)] == ["Number ▼", "0", "1", "2"]
        await pilot.press("R")
        assert drawn(0).strip() == "Number ▲"
        await pilot.press("s", "R")
        assert drawn(0).strip() == "Number ▼", "it begins with the first column"


async def test_very_many_rows_are_filtered_while_keys_are_answered(until: Any) -> None:
    app = TableApp(LARGE * 2)
    async with app.run_test(size=(40, 20)) as pilot:
        table = app.table
        await pilot.pause()
        app.open.clear()
        table.filter("7")
        await pilot.press("j", "j")
        assert table.selected == 2, "the rows are still those of before"
        assert len(table.shown) == LARGE * 2
        table.filter("77")
        app.open.set()
        await until(pilot, lambda: len(table.shown) == LARGE * 2 // 100)
        assert table.shown[0] == 77
        table.filter("")
        await until(pilot, lambda: len(table.shown) == LARGE * 2)


async def test_the_selection_stays_while_very_many_sorted_rows_change(until: Any) -> None:
    app = TableApp(LARGE)
    async with app.run_test(size=(40, 20)) as pilot:
        table = app.table
        await pilot.pause()
        table.sort_by(0)
        await until(pilot, lambda: table.shown[0] == LARGE - 1)
        assert table.select("n100")
        for more in range(1, 6):
            table.show_rows(range(LARGE + more))
        await until(pilot, lambda: table.shown[0] == LARGE + 4)
        assert table.selected == 100


def test_a_column_that_tells_nothing_leaves_its_room_to_the_others() -> None:
    telling = True
    columns = [
        Column("Task", 10, lambda row: (str(row), Role.PLAIN), lambda row: row, grows=1),
        Column("Project", 10, lambda _: ("p", Role.PLAIN), lambda _: 0, tells=lambda: telling),
    ]
    assert widths(columns, 31) == [20, 10]
    telling = False
    assert widths(columns, 31) == [31, 0]


def test_what_tells_most_at_its_end_is_cut_at_its_beginning() -> None:
    def column(*, ends: bool) -> Column[str]:
        return Column("Place", 12, lambda row: (row, Role.PLAIN), lambda row: row, ends=ends)

    assert column(ends=True).fit("0006_forget_renewals.py:21", 12) == "…ewals.py:21"
    assert column(ends=False).fit("0006_forget_renewals.py:21", 12) == "0006_forget…"
    assert column(ends=True).fit("env.py:7", 12) == "env.py:7    "


async def test_sorting_passes_over_columns_that_are_folded_away() -> None:
    app = TableApp(3)
    async with app.run_test(size=(24, 10)) as pilot:
        app.table.columns = (
            *app.table.columns,
            Column("Folded", 30, lambda row: (str(row), Role.PLAIN), lambda row: row, folds=1),
            Column("Last", 8, lambda row: (str(row), Role.PLAIN), lambda row: row),
        )
        await pilot.press("s", "s")
        assert app.drawn(0).split() == ["Number", "Last", "▲"]
        await pilot.press("s")
        assert app.table.sorted_by is None
