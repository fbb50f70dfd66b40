"""Asks into which new file something is written."""

from __future__ import annotations

from pathlib import Path

from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Input

from screens.desk import Waits
from screens.dialogs.base import Dialog, typed
from screens.look import Role
from screens.widgets.controls import Field, PushButton
from screens.words import content, safe


class SaveDialog(Dialog[Path]):
    """Asks for a file; gives its path, or None. Whoever asked writes it, and never over one that is there."""

    AUTO_FOCUS = "#file"

    def __init__(self, waits: Waits, title: str, text: str, suggested: Path) -> None:
        super().__init__(waits)
        self._title, self._text, self._suggested = title, text, suggested

    def title_text(self) -> Content:
        """Say what is written."""
        return content((self._title, Role.STRONG))

    def body(self, width: int) -> Content:
        """Say how the name decides the form."""
        del width
        return content(self._text)

    def fields(self) -> ComposeResult:
        """Ask which file."""
        yield Field("file", "File")

    def field_rows(self) -> int:
        """Give one row for the file."""
        return 1

    def buttons(self) -> ComposeResult:
        """Offer to write it."""
        yield PushButton(Content("Write"), id="do", variant="primary", compact=True)

    def on_mount(self) -> None:
        """Begin with a name that is free to be changed."""
        super().on_mount()
        self.query_one("#file", Input).value = safe(self._suggested)

    def after_field(self, field: str) -> str:
        """Go on to the button that writes."""
        del field
        return "do"

    def pressed(self, button: str) -> None:
        """Give the file where one is named."""
        del button
        name = typed(self, "file")
        if not name:
            self.say_missing("Name a file.")
            return
        self.dismiss(Path(name).expanduser().absolute())
