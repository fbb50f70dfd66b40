"""What can be done on the screens about what was: history, audit, metrics."""

from __future__ import annotations

from screens.actions.model import Action, Scope

REPORT_ACTIONS: tuple[Action, ...] = (
    Action(
        "save-report",
        "Save",
        ("S",),
        Scope.REPORT,
        "Write the report into a file: Markdown, or JSON by its name.",
        footer=True,
    ),
)
AUDIT_ACTIONS: tuple[Action, ...] = (
    Action("check-chain", "Verify", ("r",), Scope.AUDIT, "Verify the whole chain again.", footer=True),
    Action(
        "export-chain",
        "Export",
        ("S",),
        Scope.AUDIT,
        "Write the whole chain into a file: JSON lines, or CSV by its name.",
        footer=True,
    ),
)
METRICS_ACTIONS: tuple[Action, ...] = (
    Action("span", "Span", ("w",), Scope.METRICS, "Count the runs of another span of time.", footer=True),
)
