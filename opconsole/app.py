"""The Textual App: puts the screens on a console and keeps what they show up to date."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import App, SystemCommand
from textual.binding import BindingType
from textual.screen import Screen

from guardrails.sanitise import sanitise
from opconsole.clock import Clock, SystemClock
from opconsole.console import Console
from opconsole.views import Snapshot
from screens.actions import Scope, bindings
from screens.desk import COUNTDOWN, GUARD, Desk, Waits, describe
from screens.dialogs.approval import ApprovalDialog
from screens.dialogs.base import Dialog
from screens.dialogs.help import HelpScreen
from screens.latest import Latest
from screens.look import THEMES
from screens.operations import OperationsScreen

RETRY = 2.0
"""Seconds until the console is asked again for changes after it failed."""


class OpconsoleApp(App[None]):
    """The console in the terminal. It changes nothing itself: it asks, and shows what is."""

    TITLE = "opconsole"
    CSS = """
    * {
        scrollbar-color: $foreground 25%; scrollbar-color-hover: $foreground 45%;
        scrollbar-color-active: $foreground 60%; scrollbar-background: $background;
        scrollbar-background-hover: $background; scrollbar-background-active: $background;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Scope.EVERYWHERE)]

    def __init__(self, console: Console, *, clock: Clock | None = None, waits: Waits | None = None) -> None:
        super().__init__()
        for theme in THEMES:
            self.register_theme(theme)
        self.desk = Desk(self, console, clock or SystemClock(), waits or Waits())
        self.operations = OperationsScreen(self.desk)
        self._clock = self.desk.clock
        self._snapshot: Snapshot | None = None
        self._told = ""
        self._reloading = Latest(self._reload)

    def get_default_screen(self) -> Screen[None]:
        """Begin with the operations."""
        return self.operations

    def on_mount(self) -> None:
        """Read the workspace, and again whenever it may have changed."""
        self._reloading.want()
        self.run_worker(self._reloading.run(), group="reloading")
        self.run_worker(self._watch(), group="watching")

    async def on_event(self, event: events.Event) -> None:
        """Drop the keys, and the pasted text, that came while a dialog was only opening."""
        if isinstance(event, (events.Key, events.Paste)) and self.screen_stack:
            screen = self.screen
            if isinstance(screen, Dialog) and screen.drops_keys():
                return
        await super().on_event(event)

    # -- staying up to date

    async def _watch(self) -> None:
        while True:
            try:
                async for _ in self.desk.console.changes():
                    self._reloading.want()
            except Exception as error:  # noqa: BLE001 (the screen goes on and the person hears of it)
                self._tell_once(error, "Changes are looked for again in a moment.")
            else:
                return
            await self._clock.sleep(RETRY)
            self._reloading.want()

    async def _reload(self) -> None:
        try:
            snapshot = await self.desk.console.snapshot()
            for screen in list(self.screen_stack):
                if isinstance(screen, ApprovalDialog):
                    await screen.changed()
            self._snapshot = snapshot
            self.title = f"opconsole: {sanitise(snapshot.workspace, single_line=True, limit=60)}"
            self.operations.show_snapshot(snapshot)
        except Exception as error:  # noqa: BLE001 (the screen goes on and the person hears of it)
            self._tell_once(error, "What you see may be old; `opconsole doctor` says what is wrong.")
        else:
            self._told = ""

    def _tell_once(self, error: Exception, advice: str) -> None:
        text = f"{describe(error)}. {advice}"
        if text != self._told:
            self._told = text
            self.desk.tell(text, wrong=True, title="The workspace could not be read")

    # -- actions

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Give the palette what the registry has, and Textual's themes and pictures."""
        if screen is self.operations:
            for action in self.operations.palette():
                if action.name not in _OF_TEXTUAL:
                    yield SystemCommand(
                        action.title, action.help, lambda chosen=action: self.operations.perform(chosen)
                    )
        for command in super().get_system_commands(screen):
            if command.title in ("Theme", "Screenshot"):
                yield command

    def action_help(self) -> None:
        """Show every key."""
        self.push_screen(HelpScreen())

    def action_read_only(self) -> None:
        """Refuse every change from now on, or allow them again."""
        if self.desk.console.read_only:
            self.desk.refuse()
            return
        self.desk.locked = not self.desk.locked
        self.operations.show_read_only()
        text = "Read-only: nothing can be changed." if self.desk.locked else "Changes are possible again."
        self.desk.tell(f"{text} Ctrl+o switches.")

    def action_leave(self) -> None:
        """Quit, and say what goes on without the console."""
        self.exit(message=Text(self.farewell()))

    async def action_quit(self) -> None:
        """Quit like `q`, from anywhere."""
        self.action_leave()

    def farewell(self) -> str:
        """Say what goes on, or does not, when the console is left."""
        if self._snapshot is None:
            return ""
        if self._snapshot.worker_alive:
            running = self._snapshot.running
            what = f"{running} run{'' if running == 1 else 's'} with it; " if running else ""
            return f"The worker goes on, {what}opconsole shows it again, opconsole worker --stop ends it."
        return "No worker is running: nothing goes on until opconsole or opconsole worker is started."


_OF_TEXTUAL = frozenset({"command_palette"})


def run_console(console: Console, *, guard: float = GUARD, countdown: float = COUNTDOWN) -> int:
    """Show the console until the person leaves it. Gives the exit status.

    *guard* and *countdown* are seconds: for how long a dialog that just opened takes no key, and for how long
    a decision of the third tier can be taken back.
    """
    app = OpconsoleApp(console, waits=Waits(guard=guard, countdown=countdown))
    app.run()
    return app.return_code or 0
