"""What can be done wherever one is in the console."""

from __future__ import annotations

from screens.actions.model import Action, Scope

EVERYWHERE_ACTIONS: tuple[Action, ...] = (
    Action(
        "read-only", "Read-only", ("ctrl+o",), Scope.EVERYWHERE, "Refuse every change, or allow them again."
    ),
    Action("command_palette", "Palette", ("ctrl+p",), Scope.EVERYWHERE, "Find an action by its name."),
    Action(
        "help", "Help", ("question_mark",), Scope.EVERYWHERE, "Show every key of this screen.", footer=True
    ),
    Action("leave", "Quit", ("q",), Scope.EVERYWHERE, "Leave the console; the worker goes on.", footer=True),
)
