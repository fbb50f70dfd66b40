"""What can be done wherever one is in the console."""

from __future__ import annotations

from screens.actions.model import Action, Scope
from screens.actions.places import PLACES

GO_ACTIONS: tuple[Action, ...] = tuple(
    Action(
        f"go-{place.name}",
        place.title,
        (place.key,),
        Scope.EVERYWHERE,
        place.help,
        argument=place.name,
        verb="go",
    )
    for place in PLACES
)
EVERYWHERE_ACTIONS: tuple[Action, ...] = (
    *GO_ACTIONS,
    Action(
        "where-before",
        "Where I was",
        ("left_square_bracket",),
        Scope.EVERYWHERE,
        "Go back to what was shown before.",
    ),
    Action(
        "where-after",
        "Where I was after",
        ("right_square_bracket",),
        Scope.EVERYWHERE,
        "Go forward again.",
    ),
    Action(
        "command-line",
        "Command",
        ("colon", "ctrl+p"),
        Scope.EVERYWHERE,
        "Find an action or a screen by its name, and do it.",
        footer=True,
    ),
    Action(
        "add-task", "New task", ("i",), Scope.EVERYWHERE, "Fill in a task for a queue; it is shown first."
    ),
    Action(
        "paste-tasks",
        "Paste tasks",
        ("P",),
        Scope.EVERYWHERE,
        "Add tasks given as JSON: one, a list, or a queue file.",
    ),
    Action(
        "read-only", "Read-only", ("ctrl+o",), Scope.EVERYWHERE, "Refuse every change, or allow them again."
    ),
    Action("theme", "Theme …", (), Scope.EVERYWHERE, "Choose other colours."),
    Action("save-picture", "Save a picture", (), Scope.EVERYWHERE, "Save this screen as an SVG file."),
    Action(
        "help", "Help", ("question_mark",), Scope.EVERYWHERE, "Show every key of this screen.", footer=True
    ),
    Action(
        "suspend",
        "To the shell",
        ("ctrl+z",),
        Scope.EVERYWHERE,
        "Go to the shell; fg comes back.",
        verb="suspend_process",
    ),
    Action(
        "leave",
        "Quit",
        ("q",),
        Scope.EVERYWHERE,
        "Back; from the first screen, leave the console; the worker goes on.",
        footer=True,
    ),
)
