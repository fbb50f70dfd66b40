"""The columns of a table: what each shows of a row, and how they share the room that there is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from rich.cells import cell_len

from screens.look import Role
from screens.words import clip, clip_start

Row = TypeVar("Row")
Cell = tuple[str, Role]

GAP = 1
"""Cells between two columns."""


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """One column: what it shows of a row, how wide, and what it sorts by."""

    title: str
    width: int
    """Cells that it needs at least."""
    cell: Callable[[Row], Cell]
    """Text from anywhere is fine: the table makes it safe."""
    sort: Callable[[Row], Any]
    """The value to sort by; values of one column must be comparable."""
    grows: int = 0
    """Its share of the room that is left over."""
    right: bool = False
    folds: int = 0
    """Columns with a higher number go first when there is not enough room; 0: never."""
    tells: Callable[[], bool] = lambda: True
    """Whether it tells anything now; folded away where it does not."""
    ends: bool = False
    """What tells most stands at the text's end: where there is not enough room, its beginning is cut."""

    def fit(self, text: str, room: int) -> str:
        """Give a text in exactly so many cells, safe to show."""
        text = clip_start(text, room) if self.ends else clip(text, room)
        blanks = " " * (room - cell_len(text))
        return blanks + text if self.right else text + blanks


def widths(columns: Sequence[Column[Any]], room: int) -> list[int]:
    """Give each column's width where there are so many cells in all; 0: folded away."""
    kept = {index for index, column in enumerate(columns) if column.tells()}

    def left_over() -> int:
        return room - sum(columns[each].width + GAP for each in kept) + GAP

    for index in sorted(kept, key=lambda each: -columns[each].folds):
        if left_over() >= 0:
            break
        if columns[index].folds:
            kept.discard(index)
    left = max(0, left_over())
    shares = sum(columns[each].grows for each in kept) or 1
    return [
        column.width + left * column.grows // shares if index in kept else 0
        for index, column in enumerate(columns)
    ]
