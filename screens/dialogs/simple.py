"""Small dialogs: one that asks for a reason, one that asks to confirm, and one that only tells."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content

from screens.desk import Waits
from screens.dialogs.base import Dialog, typed
from screens.look import Role
from screens.widgets.controls import Field, PushButton
from screens.words import content


class ReasonDialog(Dialog[str]):
    """Asks for a reason; gives it, or None."""

    def __init__(self, waits: Waits, title: str, text: Content, button: str, *, example: str = "") -> None:
        super().__init__(waits)
        self._title, self._text, self._button, self._example = title, text, button, example

    def title_text(self) -> Content:
        """Say what would be done."""
        return content((self._title, Role.STRONG))

    def body(self, width: int) -> Content:
        """Say what it means."""
        del width
        return self._text

    def fields(self) -> ComposeResult:
        """Ask why."""
        yield Field("reason", "Reason", self._example)

    def field_rows(self) -> int:
        """Give one row for the reason."""
        return 1

    def buttons(self) -> ComposeResult:
        """Offer to do it."""
        yield PushButton(Content(self._button), id="do", variant="primary", compact=True)

    def after_field(self, field: str) -> str:
        """Go on to the button that does it."""
        del field
        return "do"

    def pressed(self, button: str) -> None:
        """Give the reason where there is one."""
        del button
        if reason := typed(self, "reason"):
            self.dismiss(reason)
        else:
            self.say_missing("A reason is needed: it goes into the record.")
            self.query_one("#reason").focus()


class ConfirmDialog(Dialog[bool]):
    """Asks y or n; gives True, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("y", "confirm", "Yes"), Binding("n", "cancel", "No")]

    def __init__(
        self, waits: Waits, title: str, text: Content, button: str, *, otherwise: str = "Cancel"
    ) -> None:
        super().__init__(waits)
        self._title, self._text, self._button, self._otherwise = title, text, button, otherwise

    def cancel_label(self) -> str:
        """Give what leaves things as they are, in words that cannot be taken for the other button's."""
        return self._otherwise

    def title_text(self) -> Content:
        """Say what would be done."""
        return content((self._title, Role.STRONG))

    def body(self, width: int) -> Content:
        """Say what it means."""
        del width
        return self._text

    def buttons(self) -> ComposeResult:
        """Offer to do it."""
        yield PushButton(Content(f"{self._button} (y)"), id="do", variant="primary", compact=True)

    def pressed(self, button: str) -> None:
        """Confirm."""
        del button
        self.dismiss(True)

    def action_confirm(self) -> None:
        """Confirm by key, unless it came too early."""
        if not self.drops_keys():
            self.dismiss(True)


class NoticeDialog(Dialog[None]):
    """Tells something that must be read; there is nothing to decide."""

    CANCEL = "Close"

    def __init__(self, waits: Waits, title: str, text: Content) -> None:
        super().__init__(waits)
        self._title, self._text = title, text
        self.add_class("-careful")

    def title_text(self) -> Content:
        """Say what happened."""
        return content((self._title, Role.WARN))

    def body(self, width: int) -> Content:
        """Say it in full."""
        del width
        return self._text
