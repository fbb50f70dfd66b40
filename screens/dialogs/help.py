"""The help: every key of this screen, from the registry, filtered as one types."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input

from screens.actions import Scope, actions, key_label
from screens.look import Role
from screens.widgets.scroll_pane import ScrollPane
from screens.words import content, lines

TITLES = {
    Scope.OPERATIONS: "On this screen",
    Scope.TABLE: "In any table",
    Scope.LOG: "In the log",
    Scope.VIOLATIONS: "In the violations",
    Scope.MOVE: "In any list",
    Scope.TASK: "In the actions menu, where they are valid",
    Scope.EVERYWHERE: "Everywhere",
}


class HelpText(ScrollPane):
    """The keys that match."""

    wanted = ""

    def draw(self, width: int) -> Content:
        """Give the keys that match what was typed."""
        del width
        return lines(help_lines(self.wanted))


class HelpScreen(ModalScreen[None]):
    """Shows every key."""

    DEFAULT_CSS = """
    HelpScreen {
        align: center middle;
        background: $background 65%;
        & > Vertical {
            width: 96; max-width: 100%; height: 90%;
            background: $surface; border-left: outer $primary; padding: 1 1;
        }
        & Input { background: $panel; margin: 0 1 1 1; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Back"),
        Binding("down", "scroll(1)", show=False),
        Binding("up", "scroll(-1)", show=False),
        Binding("pagedown", "scroll(10)", show=False),
        Binding("pageup", "scroll(-10)", show=False),
    ]

    def compose(self) -> ComposeResult:
        """Put a filter over the keys."""
        with Vertical():
            yield Input(placeholder="filter the keys; esc closes", compact=True)
            yield HelpText()

    @on(Input.Changed)
    def _filter(self, event: Input.Changed) -> None:
        text = self.query_one(HelpText)
        text.wanted = event.value.casefold()
        text.redraw()

    def action_scroll(self, rows: int) -> None:
        """Scroll the keys."""
        self.query_one(HelpText).scroll_relative(y=rows, animate=False)


def help_lines(wanted: str = "") -> Iterator[Content]:
    """Give the registry as lines, by scope; only what matches."""
    found = False
    for scope, title in TITLES.items():
        matching = [
            action
            for action in actions(scope)
            if wanted in f"{action.title} {action.help} {action.keys}".casefold()
        ]
        if not matching:
            continue
        if found:
            yield content("")
        found = True
        yield content((title, Role.MUTED))
        for action in matching:
            keys = " ".join(key_label(key) for key in action.keys)
            yield content((f"  {keys:<11}", Role.BUSY), f"{action.title:<28}", (action.help, Role.MUTED))
    if not found:
        yield content(("No key does that. ctrl+p finds actions by name.", Role.MUTED))
