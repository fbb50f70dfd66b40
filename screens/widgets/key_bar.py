"""The keys at the foot: one line from the registry's bindings, as many as there is room for.

Textual's own footer makes a widget for every key, each time the focus moves; this one draws a text.
"""

from __future__ import annotations

from textual.content import Content
from textual.screen import Screen
from textual.style import Style

from screens.actions.places import PLACES
from screens.base import ConsoleScreen
from screens.widgets.text import TextView

ALWAYS = 3
"""The last keys, command, help and quit, are shown however little room there is: they lead to all others."""
GOES_FIRST = "filter"
"""The first key to go for want of room: the search beside it finds as much."""


class KeyBar(TextView):
    """Shows what the keys do where the focus is; each can be clicked."""

    DEFAULT_CSS = """
    KeyBar {
        dock: bottom; height: 1; padding: 0 1; background: $panel;
        text-wrap: nowrap; text-overflow: ellipsis;
        link-style: none; link-color: $foreground; link-background: transparent;
        link-style-hover: underline; link-color-hover: $foreground; link-background-hover: transparent;
    }
    """

    def on_mount(self) -> None:
        """Begin with the keys of now, and hear of others."""
        self.screen.bindings_updated_signal.subscribe(self, self._updated)
        self.show_keys()

    def show_keys(self) -> None:
        """Show the keys that work now."""
        keys: list[Content] = []
        names: list[str | None] = []
        told = set()
        for active in self.screen.active_bindings.values():
            binding = active.binding
            if not binding.show or binding.action in told:
                continue
            told.add(binding.action)
            key = Content.styled(self.app.get_key_display(binding), "bold $footer-key-foreground")
            click = Style.from_meta({"@click": f"press({binding.key!r})"})
            word = "Back" if binding.id == "leave" and self._goes_back() else binding.description
            keys.append(Content.assemble(key, " ", Content(word).stylize(click)))
            names.append(binding.id)
        room = self.content_size.width
        shown = Content("  ").join(keys)
        if shown.cell_length > room:
            shown = Content(" ").join(keys)
        while shown.cell_length > room > 0 and len(keys) > ALWAYS:
            gone = names.index(GOES_FIRST) if GOES_FIRST in names else len(keys) - ALWAYS - 1
            del keys[gone], names[gone]  # the help has them all
            shown = Content(" ").join(keys)
        self.put(shown, resizes=False)

    def _goes_back(self) -> bool:
        """Say whether the key that leaves goes back first."""
        here = self.screen
        return isinstance(here, ConsoleScreen) and (here.deeper or PLACES[0].name != here.PLACE)

    def on_resize(self) -> None:
        """Leave as much room between the keys as there is."""
        self.show_keys()

    def action_press(self, key: str) -> None:
        """Do what the key does."""
        self.app.simulate_key(key)

    def _updated(self, screen: Screen[object]) -> None:
        if self.is_attached and screen is self.screen:
            self.show_keys()
