"""Puts a text into a widget only where it is another one: laying a screen out again is dear."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static


def put(widget: Static, text: Content, *, resizes: bool = True) -> None:
    """Show a text. *resizes* says whether another text may change the widget's size."""
    before = widget.content
    if not isinstance(before, Content) or not same(before, text):
        widget.update(text, layout=resizes)


def same(one: Content, other: Content) -> bool:
    """Say whether two texts look the same: `==` of contents compares their words alone."""
    return one.plain == other.plain and one.spans == other.spans
