"""A screen with a list, and beside it all of what is selected; on a narrow terminal one is over the other."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from screens.base import ConsoleScreen
from screens.widgets.heading import Heading
from screens.widgets.key_bar import KeyBar
from screens.widgets.list_pane import ListPane
from screens.widgets.scroll_pane import ScrollPane


class ListScreen(ConsoleScreen):
    """What such screens have in common: folding, going to and fro, and saying which pane takes the keys.

    Their parts are made in ``__init__``: `_list`, the list, and `_detail`, what is shown beside it.
    """

    DEFAULT_CSS = """
    ListScreen {
        & #panes { height: 1fr; }
        & #list { width: 58%; }
        & #detail { width: 1fr; border-left: vkey $panel; }
    }
    ListScreen.-single {
        & #list { width: 1fr; }
        & #detail { display: none; border-left: none; }
        &.-at-detail #list { display: none; }
        &.-at-detail #detail { display: block; width: 1fr; }
    }
    """
    WIDE: ClassVar[int] = 110
    """Columns of a terminal from which on both are shown side by side."""
    BESIDE: ClassVar[str]
    """The title of what is shown beside the list."""

    _list: ListPane[Any]
    _detail: ScrollPane

    def compose(self) -> ComposeResult:
        """Put the list beside what is selected, between what a screen puts over and under them."""
        yield self.strip()
        yield from self.over()
        with Horizontal(id="panes"):
            yield self._list
            with Vertical(id="detail"):
                yield Heading(detail=self.BESIDE)
                yield self._detail
        yield from self.under()
        yield KeyBar()

    def over(self) -> ComposeResult:
        """Give what stands over both panes."""
        yield from ()

    def under(self) -> ComposeResult:
        """Give what stands under both panes, or takes their place."""
        yield from ()

    def on_mount(self) -> None:
        """Begin with what is known already."""
        self._ready = True
        self._fold()
        self._show_all()
        self._list.table.focus()
        self.begin()

    def begin(self) -> None:
        """Load what the screen shows, now that it can be seen."""

    def on_resize(self) -> None:
        """Fold what is beside the list away where there is no room for it."""
        if self._ready:
            self._fold()

    def _fold(self) -> None:
        self.set_class(self._zoomed or self.app.size.width < self.WIDE, "-single")

    def on_descendant_focus(self) -> None:
        """Mark the pane that takes the keys, wherever the mouse took them."""
        around = self.focused.ancestors if self.focused is not None else []
        for heading in self.query(Heading):
            heading.activate(on=heading.parent in around)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave out of the foot what does nothing now: with one pane in view there is nothing to zoom."""
        if action != "zoom":
            return super().check_action(action, parameters)
        return self._zoomed or self.app.size.width >= self.WIDE

    # -- going to and fro

    _zoomed = False

    @property
    def deeper(self) -> bool:
        """Whether one pane is over the other."""
        return self._zoomed or self.has_class("-single", "-at-detail")

    def step_back(self) -> None:
        """Show both panes again; where there is no room for both, the list."""
        if self._zoomed:
            self.action_zoom()
        else:
            self._go_to_list()

    def action_zoom(self) -> None:
        """Show this pane alone, or both."""
        self._zoomed = not self._zoomed
        self.set_class(self._detail.has_focus, "-at-detail")
        self._fold()
        self.refresh_bindings()

    def action_search(self) -> None:
        """Ask which rows to show: a list is searched by filtering it."""
        self.action_filter()

    def parts(self) -> Iterable[object]:
        """Give the table."""
        return (self._list.table,)

    def action_next_pane(self) -> None:
        """Go to what is beside the list, and back."""
        if self._list.table.has_focus:
            self._go_to_detail()
        else:
            self._go_to_list()

    def action_previous_pane(self) -> None:
        """Do the same: there are two."""
        self.action_next_pane()

    def action_filter(self) -> None:
        """Ask which rows to show."""
        self._go_to_list()
        self._list.begin_filter()

    def action_back(self) -> None:
        """Come back to the list; then end its filter; then take all marks off."""
        if self._detail.has_focus:
            self._go_to_list()
        elif self._list.filtering:
            self._list.end_filter()
        else:
            self._list.table.unmark()

    def _go_to_list(self) -> None:
        self.remove_class("-at-detail")
        self._list.table.focus()

    def _go_to_detail(self) -> None:
        self.add_class("-at-detail")
        self._detail.focus()

    # -- where one is

    _wanted = ""
    """What shall be selected as soon as it is in the list."""

    def where(self) -> str:
        """Name the selected row."""
        return self._list.table.selected_key or ""

    def go_to(self, where: str) -> None:
        """Select a row; one that is gone is passed over."""
        if not self._ready or not self._list.table.select(where):
            self._wanted = where

    def _select_wanted(self) -> None:
        """Select what was wanted, once it is there."""
        if self._wanted and self._list.table.select(self._wanted):
            self._wanted = ""
