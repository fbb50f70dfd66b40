"""The headings of panes: a title, or tabs of which one is chosen."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widgets import Static


class Tab(Static):
    """One word of a heading."""

    def __init__(self, name: str, label: Content) -> None:
        super().__init__(label)
        self.tab = name

    def on_click(self) -> None:
        """Choose it."""
        self.post_message(Heading.Chosen(self.tab))


class Heading(Horizontal):
    """Titles side by side; the chosen one is marked. Posts `Chosen` when one is clicked."""

    DEFAULT_CSS = """
    Heading {
        height: 1;
        padding: 0 1;
        background: $panel 60%;
        & > Tab { width: auto; margin-right: 3; color: $foreground-muted; }
        & > Tab.-chosen { color: $foreground; text-style: bold; }
        & > #note {
            width: 1fr; text-align: right; color: $foreground-muted;
            text-wrap: nowrap; text-overflow: ellipsis;
        }
    }
    """

    class Chosen(Message):
        """A tab was chosen."""

        def __init__(self, tab: str) -> None:
            self.tab = tab
            super().__init__()

    def __init__(self, **tabs: str) -> None:
        super().__init__()
        self._tabs = tabs

    def compose(self) -> ComposeResult:
        """Put the titles side by side."""
        for place, (name, title) in enumerate(self._tabs.items()):
            tab = Tab(name, Content(title))
            tab.set_class(place == 0, "-chosen")
            yield tab
        yield Static(id="note")

    def choose(self, name: str) -> None:
        """Mark a tab as chosen."""
        for tab in self.query(Tab):
            tab.set_class(tab.tab == name, "-chosen")

    def label(self, name: str, text: Content) -> None:
        """Give a tab another text."""
        for tab in self.query(Tab):
            if tab.tab == name:
                tab.update(text)

    def note(self, text: Content) -> None:
        """Say something at the right end."""
        self.query_one("#note", Static).update(text)
