"""What every screen of the console has: the desk, actions chosen by name, and a place to come back to."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from textual.binding import BindingType
from textual.screen import Screen

from screens.actions import Action, Scope, Situation, actions, bindings, task_actions
from screens.actions.places import place
from screens.desk import Desk
from screens.trail import View
from screens.widgets.strip import StatusStrip

if TYPE_CHECKING:
    from opconsole.console import Preview
    from opconsole.views import Snapshot
    from screens.deciding import Deciding
    from screens.dialogs.command_line import Speech
    from screens.dialogs.menu import ActionsMenu


class ConsoleScreen(Screen[None]):
    """A screen that is reached by its key. It stays as it is while another one is shown."""

    PLACE: ClassVar[str]
    """Its name in `screens.actions.places`."""
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Scope.SCREEN)]

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk
        self._snapshot: Snapshot | None = None
        self._ready = False  # its parts are there
        self._menu_open: tuple[str, ActionsMenu] | None = None  # what it is about
        self._acting = Situation()  # what its actions are about

    @cached_property
    def _deciding(self) -> Deciding:
        """What opens the dialogs; loaded with them when the first one is wanted."""
        from screens.deciding import Deciding  # noqa: PLC0415

        return Deciding(self._desk)

    # -- what is shown

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Show the workspace as it is now. Called for every change, but only while the screen is in view."""
        self._snapshot = snapshot
        if self._ready:
            self._show_all()
        if self._menu_open is not None:
            self.run_worker(self._renew_menu(), group="renewing", exclusive=True, exit_on_error=False)

    def _show_all(self) -> None:
        """Show what is known."""
        self.show_read_only()

    def show_read_only(self) -> None:
        """Show whether changes are refused, and the rest of the strip."""
        if self._ready:
            desk = self._desk
            self.query_one(StatusStrip).show(
                self._snapshot, desk.console.operator, read_only=desk.read_only, starting=desk.starting
            )

    def strip(self) -> StatusStrip:
        """Make the strip on top: the key and the name of the screen, and how the workspace is."""
        here = place(self.PLACE)
        return StatusStrip(f"{here.key} {here.title}")

    # -- where one is

    @property
    def view(self) -> View:
        """Where the person is, to come back to."""
        return View(self.PLACE, self.where())

    def where(self) -> str:
        """Say what is selected, in words that `go_to` understands later."""
        return ""

    def go_to(self, where: str) -> None:
        """Select what was selected then; what is gone is passed over."""

    def leads_to(self, name: str) -> str:
        """Say where another screen shall begin when one goes there from here; empty: where it was left."""
        del name
        return ""

    # -- going back

    @property
    def deeper(self) -> bool:
        """Whether something here is open that one goes back from, before the screen itself is left."""
        return False

    def step_back(self) -> None:
        """Go back from what is open here."""

    # -- actions

    def situation(self) -> Situation:
        """Say what is selected, as actions judge it."""
        return Situation()

    async def settled(self) -> Situation:
        """Do the same once all that belongs to it is loaded."""
        return self.situation()

    def parts(self) -> Iterable[object]:
        """Give the widgets that carry out actions chosen by name, besides the focused one."""
        return ()

    def action_actions(self) -> None:
        """Show what can be done now."""
        self.run_worker(self._menu(), group="deciding", exit_on_error=False)

    async def _menu(self) -> None:
        if self._desk.refuse():
            return
        self._acting = await self.settled()
        subject = _subject(self._acting)
        empty = "Nothing can be done with it now. Esc goes back."
        from screens.dialogs.menu import ActionsMenu  # noqa: PLC0415 (loaded when it is first wanted)

        choices = task_actions(self._acting)
        menu = ActionsMenu(f"Actions for {subject}", choices, empty=empty, keys=self._desk.keys)
        self._menu_open = subject, menu
        try:
            name = await self.app.push_screen_wait(menu)
        finally:
            self._menu_open = None
        if name is not None:
            await self._deciding.perform(name, self._acting)

    async def _renew_menu(self) -> None:
        """Offer what can be done by now, while the menu is open and what it is about is still selected."""
        situation = await self.settled()
        if self._menu_open is not None and self._menu_open[0] == _subject(situation):
            self._acting = situation
            self._menu_open[1].show_choices(task_actions(situation))

    def perform(self, action: Action) -> None:
        """Carry out an action that was chosen by its name, as in the palette."""
        if action.scope is Scope.TASK:
            work = self._deciding.perform(action.name, self.situation())
            self.run_worker(work, group="deciding", exit_on_error=False)
            return
        for target in (self.focused, *self.parts(), self, self.app):
            handler = getattr(target, f"action_{action.handler}", None)
            if handler is not None:
                handler(*([action.argument] if action.argument else []))
                return

    def say(self, text: str) -> None:
        """Read a text as a sentence; the project of what is selected is meant where it names none."""
        self.run_worker(self._say(text), group="deciding", exit_on_error=False)

    async def _say(self, text: str) -> None:
        from screens.adding import speak  # noqa: PLC0415 (loaded when it is first wanted)

        await speak(self._desk, text, project=self._project())

    def offer(self, preview: Preview) -> None:
        """Show what a sentence comes to, and add it when the person says so."""
        from screens.adding import offer  # noqa: PLC0415 (loaded when it is first wanted)

        self.run_worker(offer(self._desk, preview), group="deciding", exit_on_error=False)

    def speech(self) -> Speech:
        """Say how the command line hears sentences here."""
        from screens.dialogs.command_line import Speech  # noqa: PLC0415 (loaded when it is first wanted)

        console, project = self._desk.console, self._project()
        return Speech(
            lambda text: console.hear(text, project),
            lambda text: console.vocabulary(text, project),
            self._desk.refuse,
        )

    def _project(self) -> str | None:
        """Give the project that is meant where none is named: that of what is selected."""
        queue = self.situation().queue
        return queue.project if queue else None

    def action_add_task(self) -> None:
        """Add a task by filling in a form."""
        from screens.adding import add_by_form  # noqa: PLC0415 (loaded when it is first wanted)

        work = add_by_form(self._desk, self._project())
        self.run_worker(work, group="deciding", exit_on_error=False)

    def action_paste_tasks(self) -> None:
        """Add tasks by pasting JSON."""
        from screens.adding import add_by_json  # noqa: PLC0415 (loaded when it is first wanted)

        work = add_by_json(self._desk, self._project())
        self.run_worker(work, group="deciding", exit_on_error=False)

    def palette(self) -> list[Action]:
        """Give the actions that are valid here and now, to be chosen by name."""
        here = place(self.PLACE)
        scopes = (Scope.SCREEN, here.scope, *here.parts, Scope.TASK, Scope.EVERYWHERE)
        situation = self.situation()
        found = (action for action in actions(*scopes) if action.valid(situation))
        return [action for action in found if action.scope is not Scope.SCREEN or self._has(action.handler)]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave out of the footer what this screen does not have."""
        del parameters
        return action not in _COMMON or self._has(action)

    def _has(self, handler: str) -> bool:
        return hasattr(self, f"action_{handler}")


_COMMON = frozenset(action.handler for action in actions(Scope.SCREEN))


def _subject(situation: Situation) -> str:
    """Name what the actions are about."""
    if situation.environment is not None:
        return f"{situation.environment.project} in {situation.environment.environment}"
    if situation.policy is not None:
        return f"the policy {situation.policy.row.id}"
    return situation.task.task if situation.task else "the queue"
