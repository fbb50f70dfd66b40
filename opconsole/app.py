"""The Textual App: puts the screens on a console and keeps what they show up to date."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from rich.text import Text
from textual import events
from textual.app import App
from textual.binding import BindingType
from textual.screen import Screen

from guardrails.sanitise import sanitise
from opconsole.attention import NO_SIGNS, Signs, Standing, call, desktop_sequence, standing
from opconsole.clock import Clock, SystemClock
from opconsole.opening import Opening
from queues.collector import resume_collector
from screens.actions import Action, Keymap, Scope, bindings, read_keymap
from screens.actions.keymap import OF_TEXTUAL
from screens.actions.places import place
from screens.base import ConsoleScreen
from screens.desk import COUNTDOWN, GUARD, Desk, Waits, describe
from screens.dialogs.modal import Modal
from screens.latest import Latest
from screens.look import THEMES
from screens.operations import OperationsScreen
from screens.trail import Trail, View

if TYPE_CHECKING:  # the console's first picture loads only what it shows
    from opconsole.console import Console
    from opconsole.views import Snapshot

TYPING = 0.05
"""Seconds between two kept keys: as fast as people type, so that each finds where the one before led."""
RETRY = 2.0
"""Seconds until the console is asked again for changes after it failed."""


class OpconsoleApp(App[None]):
    """The console in the terminal. It changes nothing itself: it asks, and shows what is."""

    TITLE = "opconsole"
    DEFAULT_MODE = "operations"  # a mode a screen: each keeps its own dialogs and its state
    ENABLE_COMMAND_PALETTE = False  # the command line is our own
    CSS = """
    * {
        scrollbar-color: $foreground 25%; scrollbar-color-hover: $foreground 45%;
        scrollbar-color-active: $foreground 60%; scrollbar-background: $background;
        scrollbar-background-hover: $background; scrollbar-background-active: $background;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Scope.EVERYWHERE)]

    def __init__(
        self,
        console: Console | Opening[Any],
        *,
        clock: Clock | None = None,
        waits: Waits | None = None,
        keys: Keymap | None = None,
        notes: Sequence[str] = (),
        signs: Signs = NO_SIGNS,
        crashes: Path | None = None,
        theme: str | None = None,
    ) -> None:
        """Show *console* in a *theme*; *notes* are told first, such as what of the settings cannot be used.

        One that is still to be opened is opened behind the first picture. Into the folder *crashes* goes
        where the console failed, should it fail.
        """
        super().__init__()
        for each in THEMES:
            self.register_theme(each)
        self._opening = console if isinstance(console, Opening) else None
        # Until it is open, nobody asks it for more than an Opening has: all keys are kept.
        known = cast("Console", console)
        self.desk = Desk(self, known, clock or SystemClock(), waits or Waits(), keys or Keymap())
        self.desk.mark, self.desk.go = self._mark, self.go
        self.set_keymap(self.desk.keys.textual())
        self._notes = (*notes, *self._wear(theme))
        self.operations = OperationsScreen(self.desk)
        self._screens: dict[str, ConsoleScreen] = {self.operations.PLACE: self.operations}
        self._trail = Trail()
        self._clock = self.desk.clock
        self._snapshot: Snapshot | None = None
        self._told = ""
        self._policy_told = ""
        self._signs = signs
        self._crashes = crashes
        self._crashed = False
        self._standing: Standing | None = None
        self._reloading = Latest(self._reload)
        self.desk.renew = self._reloading.want
        self.whole = False
        """Whether all of the first screen is there, and keys are taken."""
        self.failure: Exception | None = None
        """Why the console could not be opened."""
        self._completing = False
        self._early: list[events.Key | events.Paste] = []

    def get_default_screen(self) -> Screen[None]:
        """Give the screen that is shown first.

        As a mode from the beginning it would be waited for: Textual draws it twice then, the first time for
        nobody to see, and parses all styles again.
        """
        return self.operations

    def on_mount(self) -> None:
        """Begin to read the workspace, once its console is open."""
        self.add_mode(self.operations.PLACE, lambda: self.operations)
        # After `fg` the terminal has what the shell left: Textual draws only what changes.
        self.app_resume_signal.subscribe(self, lambda _: self.refresh(layout=True))
        if self._opening is None:
            self._begin()
        else:
            self.call_after_refresh(self._begin_to_open, self._opening)
        if self._notes:
            self.push_screen(_notice(self.desk, self._notes))

    def _begin(self) -> None:
        """Read the workspace, and again whenever it may have changed."""
        self._reloading.want()
        self.run_worker(self._reloading.run(), group="reloading")
        self.run_worker(self._watch(), group="watching")

    def _begin_to_open(self, opening: Opening[Any]) -> None:
        self.run_worker(self._open(opening), group="opening")

    async def _open(self, opening: Opening[Any]) -> None:
        """Open the console, now that there is a picture."""
        try:
            self.desk.console = await asyncio.to_thread(opening.open)
            self.desk.starting = True
            self._begin()
            wrong = await asyncio.to_thread(opening.look_after, self.desk.console)
        except Exception as error:  # noqa: BLE001 (whoever runs the App says what it is)
            self.failure = error
            self.exit(return_code=1)
        else:
            self.desk.starting = False
            self.here.show_read_only()
            self._reloading.want()  # a worker that begins may have nothing to write
            if wrong:
                self.desk.tell(wrong, wrong=True)

    def _wear(self, theme: str | None) -> Iterator[str]:
        """Take a theme's colours; say what is wrong with its name where there is none of that name."""
        if theme in self.available_themes:
            self.theme = theme
        elif theme is not None:
            allowed = ", ".join(sorted(self.available_themes))
            yield f"console.theme: no theme has this name; found: {theme}; allowed: {allowed}"

    # -- going about

    @property
    def here(self) -> ConsoleScreen:
        """The screen that is shown, whatever dialog is over it."""
        for screen in self.screen_stack:
            if isinstance(screen, ConsoleScreen):
                return screen
        return self.operations

    def go(self, name: str, where: str = "") -> None:
        """Go to a screen, and there to a place; an empty one is where it was left. `[` comes back."""
        self._mark()
        self._show(View(name, where))

    def _mark(self) -> None:
        self._trail.leave(self.here.view)

    def _show(self, view: View) -> None:
        screen = self._screens.get(view.screen) or self._made(view.screen)
        if screen is not self.here:
            self.switch_mode(view.screen)
        if self._snapshot is not None:
            screen.show_snapshot(self._snapshot)
        if view.where:
            screen.go_to(view.where)

    def _made(self, name: str) -> ConsoleScreen:
        entry = place(name)
        made: ConsoleScreen = getattr(import_module(entry.module), entry.screen)(self.desk)
        return self._add(made)

    def _add(self, screen: ConsoleScreen) -> ConsoleScreen:
        self._screens[screen.PLACE] = screen
        self.add_mode(screen.PLACE, lambda: screen)
        return screen

    def action_go(self, name: str) -> None:
        """Go to a screen by its key."""
        if name != self.here.PLACE:
            self.go(name, self.here.leads_to(name))

    def action_where_before(self) -> None:
        """Go back to what was shown before."""
        self._step(self._trail.back(self.here.view), "Nothing was shown before this.")

    def action_where_after(self) -> None:
        """Go forward again."""
        self._step(self._trail.forward(self.here.view), "Nothing was shown after this.")

    def _step(self, view: View | None, otherwise: str) -> None:
        if view is None:
            self.desk.tell(otherwise)
        else:
            self._show(view)

    async def on_event(self, event: events.Event) -> None:
        """Keep what is typed before the screen is whole; drop it while a dialog is only opening."""
        if isinstance(event, (events.Key, events.Paste)) and not event.is_forwarded and self.screen_stack:
            if not self.whole and not (isinstance(event, events.Key) and event.key in OF_TEXTUAL):
                self._early.append(event)
            elif not (isinstance(self.screen, Modal) and self.screen.drops_keys()):
                await super().on_event(event)
        else:
            await super().on_event(event)

    async def _complete(self) -> None:
        """Put in what the first picture does without; then take the keys that were pressed meanwhile."""
        if self._snapshot is not None:
            # Of very many tasks it takes a while to make those that are not in sight.
            await asyncio.to_thread(list, self._snapshot.tasks)
            self._attract(self._snapshot)
        await self.operations.complete()
        resume_collector()
        while self._early:
            await super().on_event(self._early.pop(0))
            await asyncio.sleep(TYPING)
        self.whole = True

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
                if isinstance(screen, Modal):
                    await screen.changed()
            self._snapshot = snapshot
            self.title = f"opconsole: {sanitise(snapshot.workspace, single_line=True, limit=60)}"
            self.here.show_snapshot(snapshot)
            self._tell_policy(snapshot.policy_waits)
            if self._completing:
                self._attract(snapshot)
        except Exception as error:  # noqa: BLE001 (the screen goes on and the person hears of it)
            self._tell_once(error, "What you see may be old; `opconsole doctor` says what is wrong.")
        else:
            self._told = ""
        if not self._completing:
            self._completing = True
            self.call_after_refresh(lambda: self.run_worker(self._complete(), group="completing"))

    def _tell_policy(self, policy: str) -> None:
        """Say once of each policy that waits what it means, and how it is looked at and decided."""
        if policy and policy != self._policy_told:
            text = (
                "The settings loosen the policy: until somebody approves that, what was before holds. "
                f"{self.desk.keys.label('go-approvals')} lists it; or: opconsole approve {policy}."
            )
            self.desk.tell(text, title="A policy waits for approval")
        self._policy_told = policy

    def _attract(self, snapshot: Snapshot) -> None:
        """Call the person where something begins to wait or has failed, if they want that."""
        if not self._signs.wanted:
            return
        text, self._standing = call(self._standing, snapshot), standing(snapshot)
        if text is not None and self._signs.bell:
            self.bell()
        sequence = desktop_sequence(self._signs.desktop, text) if text is not None else ""
        if sequence and not self.is_headless and sys.__stderr__ is not None:
            # Where Textual's driver writes its frames, each as one text: this comes between two of them.
            sys.__stderr__.write(sequence)

    def _tell_once(self, error: Exception, advice: str) -> None:
        text = f"{describe(error)}. {advice}"
        if text != self._told:
            self._told = text
            self.desk.tell(text, wrong=True, title="The workspace could not be read")

    def _fatal_error(self) -> None:
        """Say in a few words that the console failed.

        Textual's own words are the trace with every variable's value, written into the terminal. Nothing
        public takes their place; a test in a real terminal notices should this stop doing so.
        """
        error = sys.exception()
        if error is not None and not self._crashed:  # what fails on the way out tells nothing more
            from opconsole.crash import record_crash  # noqa: PLC0415 (loaded when it is first wanted)

            self._crashed = True
            self.bell()
            self.panic(Text(record_crash(error, self._crashes, self._clock.now())))

    # -- actions

    def action_add_task(self) -> None:
        """Fill in a task for a queue."""
        self.here.action_add_task()

    def action_paste_tasks(self) -> None:
        """Add tasks given as JSON."""
        self.here.action_paste_tasks()

    def action_help(self) -> None:
        """Show every key of this screen."""
        from screens.dialogs.help import HelpScreen  # noqa: PLC0415 (loaded when it is first wanted)

        self.push_screen(HelpScreen(self.here.PLACE, self.desk.keys))

    def action_command_line(self) -> None:
        """Ask for an action or a screen by its name, and do it."""
        from screens.dialogs.command_line import CommandLine, Said  # noqa: PLC0415 (loaded when wanted)

        here = self.here

        def perform(said: Said | None) -> None:
            if isinstance(said, Action):
                here.perform(said)
            elif said is not None:
                here.offer(said)

        self.push_screen(CommandLine(here.palette(), self.desk.keys, here.speech()), perform)

    def action_theme(self) -> None:
        """Choose other colours."""
        self.search_themes()

    def action_save_picture(self) -> None:
        """Save the screen as an SVG file."""
        self.deliver_screenshot()

    def action_read_only(self) -> None:
        """Refuse every change from now on, or allow them again."""
        self.desk.switch_read_only()
        self.here.show_read_only()

    def action_leave(self) -> None:
        """Go back; from the first screen, quit, and say what goes on without the console."""
        if self.here.deeper:
            self.here.step_back()
        elif self.here is not self.operations:
            self.go("operations")
        else:
            self.exit(message=Text(self.farewell()))

    async def action_quit(self) -> None:
        """Quit at once, from anywhere."""
        self.exit(message=Text(self.farewell()))

    def farewell(self) -> str:
        """Say what goes on, or does not, when the console is left."""
        if self._snapshot is None:
            return ""
        if self.desk.starting and not self._snapshot.worker_alive:
            return "A worker is just being started and goes on; opconsole worker --stop ends it."
        if self._snapshot.worker_alive:
            running = self._snapshot.running
            what = f"{running} run{'' if running == 1 else 's'} with it; " if running else ""
            return f"The worker goes on, {what}opconsole shows it again, opconsole worker --stop ends it."
        return "No worker is running: nothing goes on until opconsole or opconsole worker is started."


def _notice(desk: Desk, notes: Sequence[str]) -> Screen[None]:
    from screens.dialogs.simple import NoticeDialog  # noqa: PLC0415 (loaded where there is one)
    from screens.words import content, lines  # noqa: PLC0415

    text = lines([content("– ", note) for note in notes])
    return NoticeDialog(desk.waits, "Not everything in the settings can be used", text)


def read_keys(
    wanted: Mapping[str, Sequence[str]], places: Mapping[str, str]
) -> tuple[Keymap, tuple[str, ...]]:
    """Read what keys the settings want for which action, and say of each that cannot be used why.

    *places* says where each action's keys were set: file and line.
    """
    keys = read_keymap(wanted)
    return keys, tuple(f"{places.get(fault.action, 'the settings')}: {fault}" for fault in keys.faults)


def run_console(
    console: Console | Opening[Any],
    *,
    guard: float = GUARD,
    countdown: float = COUNTDOWN,
    keys: Keymap | None = None,
    notes: Sequence[str] = (),
    signs: Signs = NO_SIGNS,
    crashes: Path | None = None,
    theme: str | None = None,
) -> int:
    """Show the console until the person leaves it. Gives the exit status; raises why it could not be opened.

    *guard* and *countdown* are seconds: for how long a dialog that just opened takes no key, and for how long
    a decision of the third tier can be taken back. *notes* are told first; *signs* call the person. Into the
    folder *crashes* goes where the console failed, should it fail.
    """
    waits = Waits(guard=guard, countdown=countdown)
    app = OpconsoleApp(
        console, waits=waits, keys=keys, notes=notes, signs=signs, crashes=crashes, theme=theme
    )
    app.run()
    if app.failure is not None:
        raise app.failure
    return app.return_code or 0
