"""The actions menu: what can be done with the selected task now. Choosing one opens its dialog."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from screens.actions import Action, Keymap, key_label
from screens.dialogs.modal import Modal
from screens.look import POINTER, Role
from screens.words import content


class ActionsMenu(Modal[str]):
    """Lists actions; gives the chosen one's name, or None."""

    DEFAULT_CSS = """
    ActionsMenu {
        align: center middle;
        background: $background 65%;
        & > Vertical {
            width: 84; max-width: 100%; height: auto; max-height: 90%;
            background: $surface; border-left: outer $primary; padding: 1 2;
        }
        & OptionList {
            height: auto; max-height: 16; border: none; background: transparent; padding: 0; margin-top: 1;
        }
        & OptionList:focus { border: none; }
        & OptionList:focus > .option-list--option-highlighted { background: $primary 45%; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss(None)", "Back"),
        Binding("j", "down", show=False),
        Binding("k", "up", show=False),
    ]

    def __init__(
        self, title: str, choices: Sequence[Action], *, empty: str = "", keys: Keymap | None = None
    ) -> None:
        super().__init__()
        self._keys = keys or Keymap()
        self._title = title
        self._choices = tuple(choices)
        self._empty = empty

    def compose(self) -> ComposeResult:
        """List the actions with their letters."""
        with Vertical():
            yield Static(content((self._title, Role.STRONG)))
            yield Static(content((self._empty, Role.MUTED)), id="nothing")
            yield OptionList(*self._options(), markup=False)

    def on_mount(self) -> None:
        """Say so where nothing can be done."""
        self.query_one("#nothing").display = not self._choices

    def show_choices(self, choices: Sequence[Action]) -> None:
        """Offer what can be done by now, where that is not what it was; what is pointed at stays so."""
        if tuple(choices) == self._choices or not self.is_mounted:
            return
        options = self.query_one(OptionList)
        pointed = self._choices[options.highlighted].name if options.highlighted is not None else None
        self._choices = tuple(choices)
        options.clear_options()
        options.add_options(self._options())
        names = [action.name for action in choices]
        if names:
            options.highlighted = names.index(pointed) if pointed in names else 0
        self.query_one("#nothing").display = not names

    def _options(self) -> list[Option]:
        return [Option(self._line(action), id=action.name) for action in self._choices]

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Point at the action that enter would choose."""
        for place, action in enumerate(self._choices):
            event.option_list.replace_option_prompt_at_index(
                place, self._line(action, pointed=place == event.option_index)
            )

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Give the chosen action."""
        event.stop()
        self.dismiss(event.option.id)

    def on_key(self, event: events.Key) -> None:
        """Choose by letter: it only opens the action's dialog."""
        for action in self._choices:
            if event.key in self._keys.keys(action):
                event.stop()
                self.dismiss(action.name)

    def action_down(self) -> None:
        """Mark the next action."""
        self.query_one(OptionList).action_cursor_down()

    def action_up(self) -> None:
        """Mark the action before."""
        self.query_one(OptionList).action_cursor_up()

    def _line(self, action: Action, *, pointed: bool = False) -> Content:
        pointer = POINTER if pointed else " "
        key = key_label(self._keys.keys(action)[0])
        title = action.title.ljust(max(len(one.title) for one in self._choices) + 2)
        return content(f"{pointer} ", (f"{key}  ", Role.BUSY), title, (action.help, Role.MUTED))
