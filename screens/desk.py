"""The desk that every screen works at: the console it reads and asks, the clock, and the tiers' waits."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from textual.app import App
from textual.screen import Screen

from guardrails.sanitise import sanitise
from opconsole.clock import Clock, SystemClock
from screens.actions import Keymap

if TYPE_CHECKING:  # the console's first picture loads only what it shows
    from opconsole.console import Console
    from opconsole.journal.records import RequestKind

Outcome = TypeVar("Outcome")
SHOWN = 400
"""Characters of a message from elsewhere that a notification shows at most."""


GUARD = 0.5
COUNTDOWN = 3.0


@dataclass(frozen=True, slots=True)
class Waits:
    """How long a dialog holds back, in seconds, and the clock it goes by."""

    guard: float = GUARD
    """Keys of so many seconds after opening are dropped: they were meant for something else."""
    countdown: float = COUNTDOWN
    """A decision of the third tier can be taken back for so long."""
    monotonic: Callable[[], float] = time.monotonic


@dataclass(slots=True)
class Desk:
    """What screens share."""

    app: App[Any]
    console: Console
    clock: Clock = field(default_factory=SystemClock)
    waits: Waits = field(default_factory=Waits)
    keys: Keymap = field(default_factory=Keymap)
    """Which keys carry out which action here."""
    mark: Callable[[], None] = lambda: None
    """Remember where the person is, before they are led elsewhere on the same screen."""
    go: Callable[[str, str], None] = lambda _screen, _where: None
    """Go to a screen, and to a place on it; an empty one is where it was left."""

    renew: Callable[[], None] = lambda: None
    """Have the workspace shown again though nothing in it changed, such as after news were looked at."""

    starting: bool = False
    """A worker is being looked after, and may be about to begin."""

    @property
    def read_only(self) -> bool:
        """Whether changes are refused here. The console itself refuses them: no screen has to."""
        return self.console.read_only

    def switch_read_only(self) -> None:
        """Refuse every change from now on, or allow them again, and say so."""
        if self.console.stays_read_only:
            self.refuse()
            return
        self.console.read_only = not self.console.read_only
        text = "Read-only: nothing can be changed." if self.read_only else "Changes are possible again."
        self.tell(f"{text} {self.keys.label('read-only')} switches.")

    async def show(self, dialog: Screen[Outcome]) -> Outcome | None:
        """Show a dialog and wait for what it gives; None: nothing was decided. In a worker only."""
        return await self.app.push_screen_wait(dialog)

    def tell(self, text: str, *, wrong: bool = False, title: str = "") -> None:
        """Show a message for a while."""
        self.app.notify(
            sanitise(text, limit=SHOWN),
            title=title or ("Attention" if wrong else ""),
            severity="warning" if wrong else "information",
            timeout=10 if wrong else 6,
            markup=False,
        )

    def refuse(self) -> bool:
        """Say why nothing can be changed, and give True, where the console is read-only."""
        if self.console.stays_read_only:
            self.tell("This console was opened read-only: nothing can be changed here.", wrong=True)
        elif self.read_only:
            key = self.keys.label("read-only")
            self.tell(f"The console is read-only: {key} allows changes again.", wrong=True)
        return self.read_only

    def ask(self, kind: RequestKind, payload: Mapping[str, object]) -> None:
        """Ask for a change and tell the answer when it comes. The screen can be used meanwhile."""
        if not self.refuse():
            self.app.run_worker(self._ask(kind, payload), group="asking", exit_on_error=False)

    async def _ask(self, kind: RequestKind, payload: Mapping[str, object]) -> None:
        try:
            answer = await self.console.ask(kind, payload)
        except Exception as error:  # noqa: BLE001 (whatever it is, the person must hear of it and go on)
            self.tell(
                f"{describe(error)}. Nothing is known to have changed: look at the task, then ask again.",
                wrong=True,
                title=f"Could not ask to {kind.value}",
            )
        else:
            title = "" if answer.granted else "No answer yet" if answer.pending else "Refused"
            self.tell(answer.text, wrong=not answer.granted, title=title)


def describe(error: BaseException) -> str:
    """Say what went wrong in one line."""
    return f"{type(error).__name__}: {error}".rstrip(": .")
