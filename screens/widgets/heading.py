"""The headings of panes: a title, or tabs of which one is chosen."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message

from screens.widgets.text import TextView


class Tab(TextView):
    """One word of a heading."""

    def __init__(self, name: str, label: Content, *, alone: bool) -> None:
        super().__init__()
        self.tab = name
        self._label = label
        self._alone = alone
        self._chosen = False

    def choose(self, *, on: bool) -> None:
        """Say whether it is the one that is shown."""
        self._chosen = on
        self.set_class(on, "-chosen")
        self.name_it(self._label)

    def name_it(self, label: Content) -> None:
        """Give it a text."""
        self._label = label
        before, after = ("[", "]") if self._chosen and not self._alone else (" ", " ")
        self.put(label if self._alone else Content.assemble(before, label, after))

    def on_click(self) -> None:
        """Choose it."""
        self.post_message(Heading.Chosen(self.tab))


class Heading(Horizontal):
    """Titles side by side; a bar before them marks the pane that takes the keys, ``[ ]`` the chosen tab.

    Posts `Chosen` when one is clicked.
    """

    DEFAULT_CSS = """
    Heading {
        height: 1;
        padding: 0 1 0 0;
        background: $panel 60%;
        & > #bar { width: 1; color: $text-primary; }
        & > Tab { width: auto; margin-right: 2; color: $foreground-muted; }
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
        self._bar, self._note = TextView(" ", id="bar"), TextView(id="note")
        self._tabs = [Tab(name, Content(title), alone=len(tabs) == 1) for name, title in tabs.items()]
        self.choose(next(iter(tabs)))

    def compose(self) -> ComposeResult:
        """Put the titles side by side."""
        yield self._bar
        yield from self._tabs
        yield self._note

    def choose(self, name: str) -> None:
        """Mark a tab as chosen."""
        for tab in self._tabs:
            tab.choose(on=tab.tab == name)

    def activate(self, *, on: bool) -> None:
        """Say whether the pane takes the keys."""
        self._bar.put(Content("▌" if on else " "), resizes=False)

    def label(self, name: str, text: Content) -> None:
        """Give a tab another text."""
        for tab in self._tabs:
            if tab.tab == name:
                tab.name_it(text)

    def note(self, text: Content) -> None:
        """Say something at the right end."""
        self._note.put(text, resizes=False)
