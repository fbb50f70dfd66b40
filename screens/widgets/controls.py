"""Buttons, choices and fields whose focus and state can be read from signs and words, not by colour alone."""

from __future__ import annotations

from textual.app import ComposeResult, RenderResult
from textual.containers import Horizontal
from textual.content import Content
from textual.geometry import Size
from textual.widgets import Button, Input, RadioButton

from screens.look import POINTER
from screens.widgets.text import TextView


class PushButton(Button):
    """A button; ``›like this‹`` while it has the focus."""

    def render(self) -> RenderResult:
        """Give the label, between signs while it has the focus."""
        label = Content.from_text(self.label, markup=False)
        return Content.assemble(POINTER, label, "‹") if self.has_focus else label

    def get_content_width(self, container: Size, viewport: Size) -> int:
        """Have room for the signs from the beginning: nothing moves, and no label folds, with the focus."""
        return super().get_content_width(container, viewport) + 2


class Choice(RadioButton):
    """One of several ways: ``○ not chosen``, ``◉ like this  chosen``; ``›`` stands where the keys are."""

    def render(self) -> Content:
        """Give pointer, sign, label and word."""
        style = self.get_visual_style("toggle--label")
        pointer = POINTER if self.has_class("-selected") else " "
        label = Content.assemble("◉ " if self.value else "○ ", self.label, "  chosen" if self.value else "")
        return Content.assemble(f"{pointer} ", label.stylize_before(style))


class Field(Horizontal):
    """A label and a line to fill in."""

    DEFAULT_CSS = """
    Field {
        height: 1;
        & > .label { width: 22; color: $foreground-muted; }
        & > Input { width: 1fr; background: $panel; }
        & > Input:focus { background: $primary 30%; }
    }
    """

    def __init__(self, name: str, label: str, placeholder: str = "") -> None:
        super().__init__(classes="field")
        self._input = Input(placeholder=placeholder, id=name, compact=True, max_length=2000)
        self._text = label
        self._label = TextView(Content(f"  {label}"), classes="label")

    def compose(self) -> ComposeResult:
        """Put the label before the line."""
        yield self._label
        yield self._input

    def on_descendant_focus(self) -> None:
        """Point at the line that is being filled in."""
        self._label.put(Content(f"{POINTER} {self._text}"), resizes=False)

    def on_descendant_blur(self) -> None:
        """Point at it no more."""
        self._label.put(Content(f"  {self._text}"), resizes=False)
