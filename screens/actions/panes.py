"""What can be done on the operations screen, in its panes and in any list."""

from __future__ import annotations

from screens.actions.model import Action, Scope, Situation


def has_finding(situation: Situation) -> bool:
    """Say whether a finding is selected."""
    return situation.finding is not None


OPERATIONS_ACTIONS: tuple[Action, ...] = (
    Action("violations", "Violations", ("v",), Scope.OPERATIONS, "Go to what the guardrails found."),
)
QUEUE_ACTIONS: tuple[Action, ...] = (
    Action("edit-queue", "Edit file", ("o",), Scope.QUEUE, "Open the queue file in your editor, there."),
    Action(
        "queue-changes",
        "Changes",
        ("D",),
        Scope.QUEUE,
        "What others changed in queue files since somebody looked.",
    ),
    Action("mark-task", "Mark", ("space",), Scope.QUEUE, "Mark the task, or take its mark off.", verb="mark"),
    Action(
        "mark-tasks",
        "Mark to here",
        ("V",),
        Scope.QUEUE,
        "Mark all from the last mark to here.",
        verb="mark_range",
    ),
)
VIOLATION_ACTIONS: tuple[Action, ...] = (
    Action("next-finding", "Finding", ("e",), Scope.VIOLATIONS, "Go to the next finding.", valid=has_finding),
    Action(
        "previous-finding",
        "Finding before",
        ("E",),
        Scope.VIOLATIONS,
        "Go to the finding before.",
        valid=has_finding,
    ),
    Action(
        "open-file",
        "Open in editor",
        ("o",),
        Scope.VIOLATIONS,
        "Open the project's file at the line.",
        footer=True,
        valid=has_finding,
    ),
    Action(
        "exempt-finding",
        "Exempt",
        ("X",),
        Scope.VIOLATIONS,
        "Exempt the finding with a reason; a diff is shown first.",
        footer=True,
        changes=True,
        valid=has_finding,
    ),
    Action(
        "recheck",
        "Re-check",
        ("r",),
        Scope.VIOLATIONS,
        "Let the guardrails read the project's file again.",
        footer=True,
        valid=has_finding,
    ),
)
LIST_ACTIONS: tuple[Action, ...] = (
    Action("open", "Open", ("enter",), Scope.TABLE, "Open what is selected.", footer=True),
    Action("sort", "Sort", ("s",), Scope.TABLE, "Sort by the next column, then by none."),
    Action("reverse", "Reverse", ("R",), Scope.TABLE, "Sort the other way round.", verb="reverse_order"),
    Action("move-down", "Down", ("down", "j"), Scope.MOVE, "Move down."),
    Action("move-up", "Up", ("up", "k"), Scope.MOVE, "Move up."),
    Action("page-forward", "Page down", ("pagedown", "ctrl+d"), Scope.MOVE, "Move down a page."),
    Action("page-back", "Page up", ("pageup", "ctrl+u"), Scope.MOVE, "Move up a page."),
    Action("first", "First", ("g", "home"), Scope.MOVE, "Go to the beginning."),
    Action("last", "Last", ("G", "end"), Scope.MOVE, "Go to the end."),
)
