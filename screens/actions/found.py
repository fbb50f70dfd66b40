"""What can be done on the violations screen: what the violations pane offers, from the list as well."""

from __future__ import annotations

from dataclasses import replace

from screens.actions.model import Action, Scope
from screens.actions.panes import VIOLATION_ACTIONS

FOUND_ACTIONS: tuple[Action, ...] = tuple(
    replace(action, name=f"found-{action.name}", scope=Scope.FOUND, verb=action.handler)
    for action in VIOLATION_ACTIONS
    if action.name in ("open-file", "exempt-finding", "recheck")
)
