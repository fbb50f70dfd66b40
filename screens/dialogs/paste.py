"""Entries pasted as JSON: read while they are typed, their faults told with line and field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import TextArea

from guardrails.sanitise import sanitise
from opconsole.console import Console, Preview
from screens.desk import Waits, describe
from screens.dialogs.base import Dialog
from screens.look import Role
from screens.widgets.controls import PushButton
from screens.words import content, folded, lines

FAULTS = 20
"""Faults that are shown; the first ones are mended first."""


@dataclass(frozen=True, slots=True)
class Pasted:
    """A text, and what it comes to."""

    text: str
    preview: Preview


class JsonArea(TextArea):
    """Takes pasted text without what could steer the terminal: JSON has none of it outside of escapes."""

    def _on_paste(self, event: events.Paste) -> None:  # type: ignore[override]  # before Textual's own
        event.text = sanitise(event.text)


class PasteDialog(Dialog[Pasted]):
    """Takes a task, a list of tasks or a queue file; gives what they would be."""

    DEFAULT_CSS = """
    PasteDialog {
        & JsonArea { height: 14; border: none; background: $panel; padding: 0; }
        & JsonArea:focus { border: none; background: $primary 15%; }
        &.-short JsonArea { height: 9; }
    }
    """
    AUTO_FOCUS = "#json"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("f2", "look", "Look at it", priority=True)]

    def __init__(self, waits: Waits, console: Console, project: str | None, text: str = "") -> None:
        super().__init__(waits)
        self._workspace = console
        self._project = project
        self._text = text
        self._pasted: Pasted | None = None
        self._said: tuple[Content, ...] = ()

    def title_text(self) -> Content:
        """Say what is wanted."""
        return content(("Add tasks as JSON", Role.STRONG))

    def body(self, width: int) -> Content:
        """Say what may be pasted; then what is wrong with it, or what it comes to."""
        intro = folded("A task, a list of tasks, or a whole queue file.", width, indent=0, role=Role.MUTED)
        return lines([*intro, *self._said])

    def fields(self) -> ComposeResult:
        """Give room for the text."""
        yield JsonArea(self._text, id="json", show_line_numbers=True, tab_behavior="focus", compact=True)

    def field_rows(self) -> int:
        """Give the rows of that room."""
        return 9 if self._short() else 14

    def buttons(self) -> ComposeResult:
        """Offer to look at the tasks."""
        yield PushButton("Look at the tasks (f2)", id="look", variant="primary", compact=True)

    def on_mount(self) -> None:
        """Read what came back from the preview."""
        if self._text:
            self.run_worker(self._read(self._text), group="reading", exclusive=True)

    @on(TextArea.Changed, "#json")
    def _typed(self, event: TextArea.Changed) -> None:
        event.stop()
        self._pasted = None
        self.run_worker(self._read(event.text_area.text), group="reading", exclusive=True)

    def pressed(self, button: str) -> None:
        """Look at the tasks."""
        del button
        self.action_look()

    def action_look(self) -> None:
        """Give the tasks, where they can be added; else say what is wrong."""
        if not self.drops_keys():
            text = self.query_one(JsonArea).text
            self.run_worker(self._read(text, leave=True), group="leaving", exclusive=True)

    async def _read(self, text: str, *, leave: bool = False) -> None:
        pasted = self._pasted if self._pasted is not None and self._pasted.text == text else None
        if pasted is None and text.strip():
            try:
                pasted = Pasted(text, await self._workspace.read_entries(text, self._project))
            except Exception as error:  # noqa: BLE001 (a fault of the console must not end the dialog)
                self.say_missing(describe(error))
                return
        self._pasted = pasted
        self._show(pasted)
        if leave and pasted is not None and not pasted.preview.faults:
            self.dismiss(pasted)
        elif leave:
            self.say_missing("Paste something first." if pasted is None else "Mend what is told above first.")
            self.query_one(JsonArea).focus()

    def _show(self, pasted: Pasted | None) -> None:
        width = self.body_width()
        if pasted is None:
            self._said = ()
        elif faults := pasted.preview.faults:
            rows = [row for fault in faults[:FAULTS] for row in folded(f"✗ {fault}", width, indent=0)]
            more = [content((f"… {len(faults) - FAULTS:,} more", Role.MUTED))] if len(faults) > FAULTS else []
            self._said = (content(""), *rows, *more)
        else:
            count = pasted.preview.count
            said = f"✓ {count:,} task{'' if count == 1 else 's'} for {', '.join(pasted.preview.projects)}"
            self._said = (content(""), content((said, Role.GOOD)))
        self.redraw()
        self.call_after_refresh(self._leave_room)
