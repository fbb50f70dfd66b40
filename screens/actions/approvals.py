"""What can be done on the approvals screen, besides what its menu offers for the selected task."""

from __future__ import annotations

from screens.actions.model import Action, Scope

APPROVAL_ACTIONS: tuple[Action, ...] = (
    Action(
        "mark", "Mark", ("space",), Scope.APPROVALS, "Mark it, or take the mark off; then go on.", footer=True
    ),
    Action("mark-range", "Mark to here", ("V",), Scope.APPROVALS, "Mark all from the last mark to here."),
)
