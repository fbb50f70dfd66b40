"""What can be done in the dependency view."""

from __future__ import annotations

from screens.actions.model import Action, Scope

_HERE = Scope.DEPENDENCIES

DEPENDENCY_ACTIONS: tuple[Action, ...] = (
    Action("edge-before", "Waits for", ("left",), _HERE, "Go to what it waits for.", footer=True),
    Action("edge-after", "Before", ("right",), _HERE, "Go to what waits for it.", footer=True),
    Action("next-critical", "Critical", ("c",), _HERE, "The next task of the critical path.", footer=True),
    Action("around", "Around", ("A",), _HERE, "Only what is connected with this task, or all.", footer=True),
)
