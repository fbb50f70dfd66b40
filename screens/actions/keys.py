"""From actions to keys: the bindings of a scope, what keys are called, and which would clash."""

from __future__ import annotations

from textual.binding import Binding

from screens.actions.model import Scope
from screens.actions.registry import actions

CONTEXTS: tuple[tuple[Scope, ...], ...] = (
    (Scope.EVERYWHERE, Scope.OPERATIONS, Scope.MOVE, Scope.TABLE),
    (Scope.EVERYWHERE, Scope.OPERATIONS, Scope.MOVE, Scope.LOG),
    (Scope.EVERYWHERE, Scope.OPERATIONS, Scope.MOVE, Scope.VIOLATIONS),
)
"""The scopes whose keys work at the same time."""


def bindings(*scopes: Scope) -> list[Binding]:
    """Give the key bindings for the actions of some scopes."""
    return [
        Binding(
            ",".join(action.keys),
            action.handler,
            action.title,
            show=action.footer,
            key_display=key_label(action.keys[0]),
            id=action.name,
        )
        for action in actions(*scopes)
        if action.scope is not Scope.TASK
    ]


def clashes() -> list[tuple[str, str, str]]:
    """Give each key that two actions want at the same time, with both: Textual would drop one silently."""
    found: list[tuple[str, str, str]] = []
    for context in CONTEXTS:
        taken: dict[str, str] = {}
        for action in actions(*context):
            for key in action.keys:
                if key in taken:
                    found.append((key, taken[key], action.name))
                taken[key] = action.name
    return found


def key_label(key: str) -> str:
    """Name a key as people do."""
    return _LABELS.get(key, key.replace("ctrl+", "^"))


_LABELS = {
    "ampersand": "&",
    "slash": "/",
    "question_mark": "?",
    "escape": "esc",
    "down": "↓",
    "up": "↑",
    "pagedown": "PgDn",
    "pageup": "PgUp",
    "home": "Home",
    "end": "End",
    "tab": "tab",
    "shift+tab": "shift+tab",
    "enter": "enter",
}
