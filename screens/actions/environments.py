"""What can be done on the environments screen."""

from __future__ import annotations

from screens.actions.model import Action, Scope

ENVIRONMENT_ACTIONS: tuple[Action, ...] = (
    Action(
        "ask-again",
        "Ask again",
        ("r",),
        Scope.ENVIRONMENTS,
        "Ask every service and target how it is, now.",
        footer=True,
    ),
)
MATRIX_ACTIONS: tuple[Action, ...] = (
    Action(
        "open-place", "Its run", ("enter",), Scope.MATRIX, "Go to what runs there.", footer=True, verb="open"
    ),
    Action("left", "Left", ("left",), Scope.MATRIX, "Go to the environment before."),
    Action("right", "Right", ("right",), Scope.MATRIX, "Go to the next environment."),
)
