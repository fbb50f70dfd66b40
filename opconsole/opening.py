"""A console that is opened behind its first picture.

Loading what reads a journal takes as long as drawing the screen, and looking after a worker takes longer
still: a person sees the screen first. Until the console is open, the App keeps the keys that are pressed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from opconsole.console import Console

Opened = TypeVar("Opened", bound="Console")


class Opening(Generic[Opened]):
    """What is known of a console before it is open, and how it is opened."""

    def __init__(
        self,
        operator: str,
        open: Callable[[], Opened],  # noqa: A002 (it is what it does)
        look_after: Callable[[Opened], str] = lambda _: "",
        *,
        read_only: bool = False,
    ) -> None:
        """Open by *open*, then call *look_after*, which gives a sentence where something is wrong.

        Both block, and are called in a thread; what *open* raises ends the App.
        """
        self.operator = operator
        self.read_only = self.stays_read_only = read_only
        self.open = open
        self.look_after = look_after
