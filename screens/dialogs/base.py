"""The rules that every dialog keeps: Cancel has the focus, and keys that came too early are dropped."""

from __future__ import annotations

from typing import ClassVar, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Button, Input, Static

from screens.desk import Waits
from screens.dialogs.modal import Modal
from screens.look import Role
from screens.widgets.controls import PushButton
from screens.widgets.text import TextView
from screens.words import content

Outcome = TypeVar("Outcome")

WIDTH = 92
"""Columns of a dialog at most."""
BESIDE = 6
"""Columns of its edge, its padding and its scroll bar."""
SHORT = 30
"""Rows of a terminal below which a dialog saves room."""


class Dialog(Modal[Outcome]):
    """A dialog: a title, a body that scrolls, fields, one line that says what is missing, and buttons.

    Dismissing it with None means that nothing was decided.
    """

    DEFAULT_CSS = """
    Dialog {
        align: center middle;
        background: $background 65%;
        & > #box {
            width: 92;
            max-width: 100%;
            height: auto;
            max-height: 100%;
            background: $surface;
            border-left: outer $primary;
        }
        &.-grave > #box { border-left: outer $error; }
        &.-careful > #box { border-left: outer $warning; }
        & ToastRack { dock: top; align: right top; }
        & #title { padding: 1 2 0 2; text-style: bold; }
        & #foot { height: auto; }
        & #body { height: auto; padding: 1 2 0 2; scrollbar-size-vertical: 1; scrollbar-gutter: stable; }
        & #body > Static { height: auto; }
        & #fields { height: auto; padding: 1 2 0 2; }
        & #missing { height: auto; min-height: 1; padding: 0 2; color: $text-warning; }
        & #buttons { height: 1; margin: 1 2; }
        & #buttons > Button { margin-right: 2; min-width: 12; }
        & #buttons > Button:focus { background: $foreground; color: $background; text-style: bold; }
    }
    Dialog.-short #title { padding: 0 2; }
    Dialog.-short #body, Dialog.-short #fields { padding: 0 2; }
    Dialog.-short #buttons { margin: 0 2; }
    """
    AUTO_FOCUS = "#cancel"
    CANCEL: ClassVar[str] = "Cancel"
    """What the button says that leaves it with nothing decided."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel"),
        Binding("down,j", "scroll_body(1)", "Scroll", show=False),
        Binding("up,k", "scroll_body(-1)", "Scroll", show=False),
        Binding("pagedown", "scroll_body(10)", "Scroll", show=False),
        Binding("pageup", "scroll_body(-10)", "Scroll", show=False),
        Binding("g,home", "scroll_body(-100_000)", "Scroll", show=False),
        Binding("G,end", "scroll_body(100_000)", "Scroll", show=False),
        Binding("left", "app.focus_previous", show=False),
        Binding("right", "app.focus_next", show=False),
    ]

    def __init__(self, waits: Waits) -> None:
        super().__init__()
        self.waits = waits
        self._opened_at = waits.monotonic()
        self._ready = False  # its parts are there
        self._complained = False  # something is said to be missing
        self._drawn_for = 0  # the width in cells of what the body shows

    # -- what a dialog is made of

    def title_text(self) -> Content:
        """Give the title: what would be done, and where."""
        raise NotImplementedError

    def body(self, width: int) -> Content:
        """Give what a person has to know, for a width in cells."""
        del width
        return Content("")

    def fields(self) -> ComposeResult:
        """Give what has to be filled in."""
        yield from ()

    def field_rows(self) -> int:
        """Give the rows that the fields take."""
        return 0

    def cancel_label(self) -> str:
        """Give what leaves it with nothing decided."""
        return self.CANCEL

    def buttons(self) -> ComposeResult:
        """Give the buttons besides Cancel."""
        yield from ()

    def compose(self) -> ComposeResult:
        """Put title, body, fields and buttons under each other."""
        self._drawn_for = self.body_width()
        self.set_class(self._short(), "-short")
        with Vertical(id="box"):
            yield Static(self.title_text(), id="title")
            with VerticalScroll(id="body", can_focus=False) as body:
                yield TextView(self.body(self._drawn_for), id="text")
            # Known before anything is laid out: the fields and the buttons are in view from the first moment.
            body.styles.max_height = self._room(self.title_rows() + self.foot_rows())
            with Vertical(id="foot"):
                with Vertical(id="fields"):
                    yield from self.fields()
                yield TextView(content((self._keys(), Role.MUTED)), id="missing")
                with Horizontal(id="buttons"):
                    yield PushButton(self.cancel_label(), id="cancel", compact=True)
                    yield from self.buttons()

    def on_mount(self) -> None:
        """Start the guard's time when the dialog can be seen."""
        self._opened_at = self.waits.monotonic()
        self._ready = True
        self.call_after_refresh(self._leave_room)

    def on_resize(self) -> None:
        """Draw for the new size."""
        if not self._ready:
            return
        self.set_class(self._short(), "-short")
        if self.body_width() != self._drawn_for:
            self.redraw()
        self.call_after_refresh(self._leave_room)

    def redraw(self) -> None:
        """Show the body as it is now."""
        self._drawn_for = self.body_width()
        self.query_one("#text", TextView).put(self.body(self._drawn_for))

    def _keys(self) -> str:
        """Say how to move: shown until something is missing."""
        fields = "tab, shift+tab: to the fields and buttons · " if self.field_rows() else ""
        return f"{fields}↑ ↓ scroll · esc leaves"

    def title_rows(self) -> int:
        """Give the rows of the title with the room above it."""
        return 1 if self._short() else 2

    def foot_rows(self) -> int:
        """Give the rows of the fields, of what is missing, and of the buttons."""
        return self.field_rows() + (2 if self._short() else 5)

    def _leave_room(self) -> None:
        """Let the body scroll rather than push the fields and the buttons off the screen."""
        taken = sum(self.query_one(part).outer_size.height for part in ("#title", "#foot"))
        room = self._room(taken)
        limit = self.query_one("#body").styles.max_height
        if limit is None or limit.value != room:
            self.query_one("#body").styles.max_height = room

    def body_width(self) -> int:
        """Give the width of the body in cells."""
        return max(30, min(WIDTH, self.app.size.width) - BESIDE)

    def _short(self) -> bool:
        return self.app.size.height < SHORT

    def _room(self, taken: int) -> int:
        return max(3, self.app.size.height - (0 if self._short() else 4) - taken)

    # -- the rules

    def drops_keys(self) -> bool:
        """Say whether a key now was meant for something else: the dialog has only just opened."""
        return self.waits.monotonic() - self._opened_at < self.waits.guard

    def say_missing(self, text: str) -> None:
        """Say what is still wanted before it can go on."""
        self._complained = True
        self.query_one("#missing", TextView).put(content((text, Role.WARN)))
        self.call_after_refresh(self._leave_room)

    def action_cancel(self) -> None:
        """Close it; nothing is decided."""
        self.dismiss(None)

    def action_scroll_body(self, rows: int) -> None:
        """Scroll the body."""
        self.query_one("#body", VerticalScroll).scroll_relative(y=rows, animate=False)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Cancel, or do what the button says. Buttons take no key before the guard's time is over."""
        event.stop()
        if event.button.id == "cancel":
            self.action_cancel()
        elif not self.drops_keys():
            self.pressed(event.button.id or "")

    def pressed(self, button: str) -> None:
        """Do what a button says."""

    def on_input_changed(self, event: Input.Changed) -> None:
        """What was missing is being mended: say it no more."""
        event.stop()
        if self._complained:
            self.query_one("#missing", TextView).put(content((self._keys(), Role.MUTED)))
            self._complained = False

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go on to the next field: enter in a field decides nothing."""
        event.stop()
        self.query_one(f"#{self.after_field(event.input.id or '')}").focus()

    def after_field(self, field: str) -> str:
        """Name what has the focus after a field."""
        del field
        return "cancel"


def typed(dialog: Dialog[Outcome], field: str) -> str:
    """Give what was typed into a field, without blanks around it."""
    return dialog.query_one(f"#{field}", Input).value.strip()
