"""A table with its heading, a filter line under it, and words for when there is nothing to show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input

from screens.look import Role
from screens.widgets.columns import Column
from screens.widgets.heading import Heading
from screens.widgets.text import TextView
from screens.widgets.virtual_table import VirtualTable
from screens.words import content

Row = TypeVar("Row")


class ListPane(Vertical, Generic[Row]):
    """Shows rows. The table posts what is selected and opened."""

    DEFAULT_CSS = """
    ListPane {
        & .empty { display: none; height: 1fr; padding: 1 2; color: $foreground-muted; }
        &.-empty VirtualTable { height: 0; }  /* not hidden: it keeps the keys until there are rows again */
        &.-empty .empty { display: block; }
        & VirtualTable { padding: 0 1 0 0; }
        & .filter { display: none; background: $panel; padding: 0 1; }
        &.-filtering .filter { display: block; }
    }
    """

    def __init__(
        self,
        title: str,
        columns: Sequence[Column[Row]],
        key: Callable[[Row], str],
        words: Callable[[Row], str] = lambda _: "",
        *,
        empty: Content,
        matches: Callable[[Row, str], bool] | None = None,
        check: Callable[[str], str] = lambda _: "",
        hint: str = "show only what has these words; esc shows all",
        id: str | None = None,  # noqa: A002 (Textual's word for it)
    ) -> None:
        """*words* gives all that a filter looks for in a row; *empty* says what to do where there is none.

        Where filter words mean more, *matches* judges a row by them, and *check* says first what is wrong
        with them; what cannot be used leaves the rows as they are.
        """
        super().__init__(id=id)
        self._empty = empty
        self._known = False
        self._count = 0
        self.table: VirtualTable[Row] = VirtualTable(columns, key, matches or _matcher(words))
        self._check, self._hint = check, hint
        self._fault = ""
        # Held, not looked up: a load may still end while the screen is taken down.
        self._heading = Heading(list=title)
        self._said = TextView(classes="empty")

    def compose(self) -> ComposeResult:
        """Put the heading over the table, and the filter under it."""
        yield self._heading
        yield self.table
        yield self._said
        yield Input(placeholder=self._hint, classes="filter", compact=True)

    @property
    def filtering(self) -> bool:
        """Whether the filter line is open."""
        return self.has_class("-filtering")

    def show_rows(self, rows: Sequence[Row]) -> None:
        """Show other rows; the selection stays with its key."""
        self._known, self._count = True, len(rows)
        self.table.show_rows(rows)
        self._show_rest()

    def begin_filter(self) -> None:
        """Ask which rows to show."""
        self.add_class("-filtering")
        self.query_one(Input).focus()

    def end_filter(self) -> None:
        """Show all rows again."""
        self.query_one(Input).value = ""
        self.remove_class("-filtering")
        self._fault = ""
        self._apply("")
        self._show_rest()
        self.table.focus()

    def _apply(self, text: str) -> None:
        """Let the table filter by itself: what it posted while this pane is at work would end here."""
        self.table.call_next(self.table.filter, text)

    @on(Input.Changed)
    def _filter(self, event: Input.Changed) -> None:
        event.stop()
        self._fault = self._check(event.value.strip())
        if not self._fault:
            self._apply(event.value.strip())
        self._show_rest()

    @on(VirtualTable.Arranged)
    def _arranged(self) -> None:
        self._show_rest()

    @on(Input.Submitted)
    def _filtered(self, event: Input.Submitted) -> None:
        event.stop()
        self.table.focus()

    def _show_rest(self) -> None:
        shown = len(self.table.shown)
        self.set_class(not shown, "-empty")
        if not self._known:
            text = content(("reading …", Role.MUTED))
        elif self._count:
            text = content(f"Nothing of {self._count} matches. Esc shows all again.")
        else:
            text = self._empty
        self._said.put(text)
        count = str(self._count) if shown == self._count else f"{shown} of {self._count}"
        if self._fault:
            self._heading.note(content((self._fault, Role.WARN)))
        else:
            self._heading.note(content((count if self._count else "", Role.MUTED)))


def _matcher(words: Callable[[Row], str]) -> Callable[[Row, str], bool]:
    def matches(row: Row, text: str) -> bool:
        shown = words(row).casefold()
        return all(word in shown for word in text.casefold().split())

    return matches
