"""A text that may change: laid out again only where it is another one, for that is dear, and then always."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static


class TextView(Static):
    """Shows a text, and another one later."""

    def put(self, text: Content, *, resizes: bool = True) -> None:
        """Show a text. *resizes* says whether another text may change the widget's size."""
        before = self.content
        if isinstance(before, Content) and same(before, text):
            return
        self.update(text, layout=resizes)
        if resizes:
            # Textual keeps a widget's height until its count of layouts moves, and moves that only with the
            # first of two changes in a row. Laid out in between, for another's sake, that height stayed.
            self._layout_updates += 1


def same(one: Content, other: Content) -> bool:
    """Say whether two texts look the same: `==` of contents compares their words alone."""
    return one.plain == other.plain and one.spans == other.spans
