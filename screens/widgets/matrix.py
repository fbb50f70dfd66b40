"""The matrix of projects and environments: what each runs, how it is, and what is going on there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.content import Content
from textual.message import Message

from opconsole.seen import Drift, Health, Seen
from opconsole.views import EnvironmentView
from screens.actions import Scope, bindings
from screens.look import POINTER, Mark, Role
from screens.widgets.scroll_pane import ScrollPane
from screens.words import clip, content, lines, moment

Place = tuple[str, str]
"""A project and an environment of it."""

CELL = 24
"""Cells of a column at least; columns that find no room are reached by going there."""
WIDEST = 40
LABEL = 2
"""Cells before the first column."""
HEALTH: Mapping[Health, Mark] = {
    Health.HEALTHY: Mark("●", "healthy", Role.GOOD),
    Health.UNHEALTHY: Mark("✗", "unhealthy", Role.BAD),
    Health.UNKNOWN: Mark("?", "health unknown", Role.MUTED),
}
DRIFT: Mapping[Drift, Mark] = {
    Drift.SAME: Mark("=", "as recorded", Role.MUTED),
    Drift.OTHER: Mark("≠", "drifted", Role.BAD),
    Drift.UNKNOWN: Mark("?", "drift unknown", Role.MUTED),
}
ASKING = Mark("…", "asking", Role.MUTED)


@dataclass(frozen=True, slots=True)
class Cell:
    """What the matrix shows at one place."""

    view: EnvironmentView
    seen: Seen | None
    """None: it is being asked."""


class MatrixView(ScrollPane):
    """Shows the cells; one is selected. Posts `Selected` as the selection moves, `Opened` on enter."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Scope.MATRIX)]

    class Selected(Message):
        """Another place is selected."""

    class Opened(Message):
        """The selected place was opened."""

    def __init__(self, now: Callable[[], datetime], *, id: str | None = None) -> None:  # noqa: A002 (Textual's)
        super().__init__(id=id)
        self._now = now
        self._cells: dict[Place, Cell] = {}
        self._columns: tuple[str, ...] = ()
        self._rows: tuple[str, ...] = ()
        self._at: Place | None = None
        self._tops: dict[str, tuple[int, int]] = {}  # each project's first line, and the one after
        self._shown: tuple[str, ...] = ()
        self._room = CELL

    @property
    def selected(self) -> Cell | None:
        """The selected place."""
        return self._cells.get(self._at) if self._at else None

    def show_cells(self, cells: Sequence[Cell], columns: Sequence[str]) -> None:
        """Show other cells. The selection stays with its place."""
        self._cells = {(cell.view.project, cell.view.environment): cell for cell in cells}
        self._columns = tuple(columns)
        self._rows = tuple(dict.fromkeys(cell.view.project for cell in cells))
        if self._at not in self._cells:
            self._at = next(iter(self._cells), None)
            self.post_message(self.Selected())
        self.redraw()

    def select(self, place: Place) -> bool:
        """Select a place; False where there is none such."""
        if place not in self._cells:
            return False
        if place != self._at:
            self._at = place
            self.redraw()
            self.call_after_refresh(self._reveal)
            self.post_message(self.Selected())
        return True

    # -- moving

    def action_move_down(self) -> None:
        """Go to the next project, to the same environment where it has it."""
        self._move_row(1)

    def action_move_up(self) -> None:
        """Go to the project before."""
        self._move_row(-1)

    def action_left(self) -> None:
        """Go to the environment before."""
        self._move_column(-1)

    def action_right(self) -> None:
        """Go to the next environment."""
        self._move_column(1)

    def action_first(self) -> None:
        """Go to the first project."""
        self._move_row(-len(self._rows))

    def action_last(self) -> None:
        """Go to the last project."""
        self._move_row(len(self._rows))

    def action_open(self) -> None:
        """Open the selected place."""
        if self._at is not None:
            self.post_message(self.Opened())

    def on_click(self, event: events.Click) -> None:
        """Select the cell that was clicked; open it at the second click."""
        offset = event.get_content_offset(self)
        if offset is None or not self._shown:
            return
        line, column = offset.y + round(self.scroll_y), (offset.x - LABEL) // (self._room + 1)
        for project, (top, after) in self._tops.items():
            if top <= line < after and 0 <= column < len(self._shown):
                place = (project, self._shown[column])
                again = place == self._at and event.chain > 1
                if self.select(place) and again:
                    self.action_open()

    def _move_row(self, by: int) -> None:
        if self._at is None:
            return
        project, environment = self._at
        place = max(0, min(self._rows.index(project) + by, len(self._rows) - 1))
        there = [name for name in self._columns if (self._rows[place], name) in self._cells]
        if there:
            self.select((self._rows[place], environment if environment in there else there[0]))

    def _move_column(self, by: int) -> None:
        if self._at is None:
            return
        project, environment = self._at
        there = [name for name in self._columns if (project, name) in self._cells]
        self.select((project, there[max(0, min(there.index(environment) + by, len(there) - 1))]))

    def _reveal(self) -> None:
        if self._at is None or self._at[0] not in self._tops:
            return
        (first, after), top, room = self._tops[self._at[0]], round(self.scroll_y), self.page_lines()
        if first < top:
            self.scroll_to(y=max(0, first - 1), animate=False)
        elif after > top + room:
            self.scroll_to(y=after - room, animate=False)

    # -- drawing

    def draw(self, width: int) -> Content:
        """Give the text for a width in cells."""
        if not self._cells:
            said = (
                "No environment is in the settings. Add one to opconsole.toml:",
                "  [projects.shop.environments.staging]",
                "opconsole init writes a file that says what belongs there.",
            )
            return lines([content(""), *(content((f" {line}", Role.MUTED)) for line in said)])
        count = max(1, min(len(self._columns), (width - LABEL) // (CELL + 1)))
        at = self._columns.index(self._at[1]) if self._at else 0
        begin = max(0, min(at - count // 2, len(self._columns) - count))
        self._shown = self._columns[begin : begin + count]
        self._room = min(WIDEST, (width - LABEL) // count - 1)
        left, right = "‹" if begin else "", "›" if begin + count < len(self._columns) else ""
        rows = [self._line([(f"{left}{name.upper()}{right}", Role.MUTED) for name in self._shown])]
        self._tops = {}
        for project in self._rows:
            rows += [content(""), content((clip(project, width), Role.STRONG))]
            drawn = [self._cell((project, name)) for name in self._shown]
            self._tops[project] = (len(rows) - 1, len(rows) + max(map(len, drawn)))
            for number in range(max(map(len, drawn))):
                rows.append(
                    self._line([one[number] if number < len(one) else ("", Role.PLAIN) for one in drawn])
                )
        return lines(rows)

    def _line(self, parts: Sequence[tuple[str, Role]]) -> Content:
        row = content(" " * LABEL)
        for text, role in parts:
            fitted = clip(text, self._room)
            gap = " " * (self._room - content(fitted).cell_length + 1)
            row = Content.assemble(row, content((fitted, role)), gap)
        return row

    def _cell(self, place: Place) -> list[tuple[str, Role]]:
        cell = self._cells.get(place)
        if cell is None:
            return [("  –", Role.MUTED)]
        sign = POINTER if place == self._at else " "
        [(head, role), *rest] = [*cell_lines(cell, self._now())]
        strong = Role.STRONG if place == self._at and role is Role.PLAIN else role
        return [(f"{sign} {head}", strong), *((f"  {text}", role) for text, role in rest)]


def cell_lines(cell: Cell, now: datetime) -> Iterator[tuple[str, Role]]:
    """Say what a place runs and how it is, a line each."""
    view, seen = cell.view, cell.seen
    yield (view.version or "nothing deployed"), (Role.PLAIN if view.version else Role.MUTED)
    if view.release:
        yield " · ".join(part for part in (view.release, view.revision) if part), Role.MUTED
    health = HEALTH[seen.health] if seen else ASKING
    yield str(health), health.role
    drift = DRIFT[seen.drift] if seen else ASKING
    if seen:
        yield str(drift), drift.role
    if view.running:
        yield f"▶ {view.running}", Role.BUSY
    if view.waiting:
        yield f"◆ {view.waiting}", Role.ASKS
    if view.held and (view.held.suspect or view.held.task != view.running):
        yield f"▣ {view.held.task}{', lease over' if view.held.suspect else ''}", Role.WARN
    if view.frozen:
        yield "❄ frozen", Role.WARN
    yield f"gate: {view.gate}", Role.MUTED
    if view.deployed_at:
        yield f"{view.deployed_by or ''}, {moment(view.deployed_at, now)}", Role.MUTED
