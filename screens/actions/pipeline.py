"""What can be done in the pipeline of a run."""

from __future__ import annotations

from screens.actions.model import Action, Scope

PIPELINE_ACTIONS: tuple[Action, ...] = (
    Action(
        "open-step",
        "Step",
        ("enter",),
        Scope.PIPELINE,
        "Open the step: its command, how it ended, and its log; or fold it again.",
        footer=True,
    ),
    Action("plan", "Plan", ("p",), Scope.PIPELINE, "Show all of the plan, or its digest alone.", footer=True),
)
