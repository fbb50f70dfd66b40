"""What means the same on every screen that has it."""

from __future__ import annotations

from screens.actions.model import Action, Scope

COMMON_ACTIONS: tuple[Action, ...] = (
    Action("actions", "Actions", ("a",), Scope.SCREEN, "What can be done with this now.", footer=True),
    Action(
        "filter", "Filter", ("ampersand",), Scope.SCREEN, "Only what matches: rows, or hits.", footer=True
    ),
    Action("log", "Log", ("l",), Scope.SCREEN, "Go to the run's log."),
    Action("next-pane", "Pane", ("tab",), Scope.SCREEN, "Go to the next pane.", footer=True),
    Action("previous-pane", "Pane before", ("shift+tab",), Scope.SCREEN, "Go to the pane before."),
    Action("zoom", "Zoom", ("z",), Scope.SCREEN, "Show this pane alone, or all.", footer=True),
    Action("back", "Back", ("escape",), Scope.SCREEN, "Back; ends a filter or a search first."),
    Action("search", "Search", ("slash",), Scope.SCREEN, "Search the whole log; filter a list.", footer=True),
    Action("next-hit", "Next hit", ("n",), Scope.SCREEN, "Go to the next hit in the log."),
    Action("previous-hit", "Previous hit", ("N",), Scope.SCREEN, "Go to the hit before it."),
    Action("copy", "Copy", ("y",), Scope.SCREEN, "Copy what is selected, or its name."),
)
