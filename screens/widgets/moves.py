"""The keys of every list, for what scrolls by lines."""

from __future__ import annotations


class Moves:
    """Gives the actions of `Scope.MOVE` but the last; its user says how to move by lines."""

    def move_by(self, lines: int) -> None:
        """Move down by so many lines, or up."""
        raise NotImplementedError

    def page_lines(self) -> int:
        """Give the lines of a page."""
        raise NotImplementedError

    def action_move_down(self) -> None:
        """Move down a line."""
        self.move_by(1)

    def action_move_up(self) -> None:
        """Move up a line."""
        self.move_by(-1)

    def action_page_forward(self) -> None:
        """Move down a page."""
        self.move_by(max(1, self.page_lines() - 1))

    def action_page_back(self) -> None:
        """Move up a page."""
        self.move_by(-max(1, self.page_lines() - 1))
