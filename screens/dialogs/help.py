"""The help: every key of this screen, from the registry, filtered as one types."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input

from screens.actions import PLACES, Keymap, Scope, actions, key_label
from screens.dialogs.modal import Modal
from screens.look import Role
from screens.widgets.scroll_pane import ScrollPane
from screens.words import content, lines

BY = 14
"""Columns of the keys of an action."""
TITLES = {
    Scope.SCREEN: "On every screen that has it",
    Scope.OPERATIONS: "On this screen",
    Scope.APPROVALS: "On this screen",
    Scope.ENVIRONMENTS: "On this screen",
    Scope.MATRIX: "In the matrix",
    Scope.FOUND: "On this screen",
    Scope.HISTORY: "On this screen",
    Scope.REPORT: "In a run's report",
    Scope.AUDIT: "On this screen",
    Scope.METRICS: "On this screen",
    Scope.TABLE: "In any table",
    Scope.QUEUE: "In the queue",
    Scope.DEPENDENCIES: "In the dependencies",
    Scope.PIPELINE: "In the pipeline",
    Scope.LOG: "In the log",
    Scope.VIOLATIONS: "In the violations",
    Scope.MOVE: "In any list",
    Scope.TASK: "In the actions menu, where they are valid",
    Scope.EVERYWHERE: "Everywhere",
}


class HelpText(ScrollPane):
    """The keys that match."""

    wanted = ""
    place = ""
    keys = Keymap()

    def draw(self, width: int) -> Content:
        """Give the keys that match what was typed."""
        return lines(help_lines(self.wanted, place=self.place, keys=self.keys, width=width))


class HelpScreen(Modal[None]):
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

    def __init__(self, place: str, keys: Keymap) -> None:
        super().__init__()
        self._place, self._keymap = place, keys

    def compose(self) -> ComposeResult:
        """Put a filter over the keys."""
        with Vertical():
            yield Input(placeholder="filter the keys; esc closes", compact=True)
            text = HelpText()
            text.place, text.keys = self._place, self._keymap
            yield text

    @on(Input.Changed)
    def _filter(self, event: Input.Changed) -> None:
        text = self.query_one(HelpText)
        text.wanted = event.value.casefold()
        text.redraw()

    def action_scroll(self, rows: int) -> None:
        """Scroll the keys."""
        self.query_one(HelpText).scroll_relative(y=rows, animate=False)


def help_lines(
    wanted: str = "", *, place: str = "", keys: Keymap | None = None, width: int = 120
) -> Iterator[Content]:
    """Give the registry as lines, by scope; only what matches, and only of one screen where one is named.

    What an action does stays in its column where it takes more than a line of *width* cells.
    """
    keymap = keys or Keymap()
    here = next((one for one in PLACES if one.name == place), None)
    found = False
    for scope, title in TITLES.items():
        if here is not None and scope not in (here.scope, *(here.parts or (Scope.TABLE,)), *_ANYWHERE):
            continue
        rows: list[Content] = []
        room = max((len(action.title) for action in actions(scope)), default=0) + 2
        for action in actions(scope):
            labels = " ".join(key_label(key) for key in keymap.keys(action))
            if wanted in f"{action.title} {action.help} {labels} {action.name}".casefold():
                by = labels or f":{action.name}"
                said = wrap(action.help, max(20, width - BY - room)) or [""]
                rows.append(
                    content((f"  {by:<11} ", Role.BUSY), f"{action.title:<{room}}", (said[0], Role.MUTED))
                )
                rows += [content(" " * (BY + room), (more, Role.MUTED)) for more in said[1:]]
        if rows:
            yield from ([content("")] if found else [])
            yield content((title, Role.MUTED))
            yield from rows
            found = True
    if not found:
        yield content(("No key does that. : finds actions by name.", Role.MUTED))


_ANYWHERE = (Scope.SCREEN, Scope.MOVE, Scope.TASK, Scope.EVERYWHERE)
