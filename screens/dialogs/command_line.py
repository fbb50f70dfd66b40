"""The command line: actions and screens by their names, found as one types; and sentences that add tasks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from screens.actions import Action, Keymap, Scope, key_label
from screens.dialogs.modal import Modal
from screens.look import Role
from screens.words import content

ROWS = 12
"""Names that are shown at once; the list scrolls."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """What was typed is no name: it is to be read as a sentence."""

    text: str


Said = Action | Sentence


class CommandLine(Modal[Said]):
    """Gives the action whose name was typed or chosen, or a sentence, or None."""

    DEFAULT_CSS = """
    CommandLine {
        align: center bottom;
        background: $background 50%;
        & > Vertical { width: 100%; height: auto; background: $surface; }
        & OptionList {
            height: auto; max-height: 12; border: none; background: transparent; padding: 0 1;
            text-wrap: nowrap; text-overflow: ellipsis;
        }
        & OptionList > .option-list--option-highlighted { background: $primary 45%; }
        & #line { height: 1; layout: horizontal; background: $panel; }
        & #line > Static { width: 2; padding: 0 0 0 1; }
        & Input { width: 1fr; background: $panel; }
        & #nothing { padding: 0 2; color: $text-warning; display: none; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Back"),
        Binding("down,ctrl+n", "move(1)", show=False, priority=True),
        Binding("up,ctrl+p", "move(-1)", show=False, priority=True),
        Binding("tab", "complete", show=False, priority=True),
    ]

    def __init__(self, choices: Sequence[Action], keys: Keymap) -> None:
        super().__init__()
        self._choices = tuple(choices)
        self._keymap = keys
        self._found: list[Said] = []

    def compose(self) -> ComposeResult:
        """Put the names over the line."""
        with Vertical():
            yield OptionList(markup=False)
            yield Static(id="nothing")
            with Vertical(id="line"):
                yield Static(":")
                yield Input(
                    placeholder="an action, a screen, or a sentence such as: Deploy 2.1.0 to staging",
                    compact=True,
                )

    def on_mount(self) -> None:
        """Begin with all that can be done here."""
        self.query_one(OptionList).can_focus = False
        self.query_one(Input).focus()
        self._list("")

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._list(event.value)

    @on(Input.Submitted)
    def _entered(self) -> None:
        place = self.query_one(OptionList).highlighted
        if self._found:
            self.dismiss(self._found[place or 0])

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._found[event.option_index])

    def action_move(self, rows: int) -> None:
        """Point at another name."""
        names = self.query_one(OptionList)
        (names.action_cursor_down if rows > 0 else names.action_cursor_up)()

    def action_complete(self) -> None:
        """Write the name that is pointed at into the line."""
        place = self.query_one(OptionList).highlighted
        chosen = self._found[place or 0] if self._found else None
        if isinstance(chosen, Action):
            line = self.query_one(Input)
            line.value = called(chosen)
            line.cursor_position = len(line.value)

    def _list(self, text: str) -> None:
        self._found = [*matching(self._choices, text)]
        if len(text.split()) > 1:
            self._found.append(Sentence(text.strip()))
        names = self.query_one(OptionList)
        names.clear_options()
        names.add_options(Option(self._row(one)) for one in self._found)
        names.highlighted = 0 if self._found else None
        nothing = self.query_one("#nothing", Static)
        nothing.display = not self._found
        nothing.update(
            content("Nothing is called so here. A sentence has more words: Deploy 2.1.0 to staging")
        )

    def _row(self, action: Said) -> Content:
        if isinstance(action, Sentence):
            return content(("Read it as a sentence", Role.ASKS), (f"  {action.text}", Role.MUTED))
        keys = " ".join(key_label(key) for key in self._keymap.keys(action))
        if action.scope is Scope.TASK:
            keys = f"a {keys}"
        return content(
            f"{called(action):<18}",
            (f"{keys:<10}", Role.BUSY),
            (f"{action.title}: {action.help}", Role.MUTED),
        )


def called(action: Action) -> str:
    """Give the name that is typed for an action; a screen's is its own."""
    return action.argument if action.verb == "go" else action.name


def matching(choices: Sequence[Action], text: str) -> list[Action]:
    """Give the actions that a text means, the likeliest first: by the name's beginning, then by any words."""
    wanted = text.strip().casefold()
    ranked = [(rank, action) for action in choices if (rank := _rank(action, wanted)) is not None]
    return [action for _, action in sorted(ranked, key=lambda pair: pair[0])]


def _rank(action: Action, wanted: str) -> int | None:
    name, title = called(action).casefold(), action.title.casefold()
    if name == wanted:
        return 0 if action.verb == "go" else 1
    if name.startswith(wanted) or title.startswith(wanted):
        return 2
    if all(word in f"{name} {title}" for word in wanted.split()):
        return 3
    return 4 if all(word in action.help.casefold() for word in wanted.split()) else None
