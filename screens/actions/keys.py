"""From actions to keys: the bindings of a scope, which scopes are awake together, what keys are called."""

from __future__ import annotations

from textual.binding import Binding

from screens.actions.model import Scope
from screens.actions.places import PLACES
from screens.actions.registry import actions

CONTEXTS: tuple[tuple[Scope, ...], ...] = tuple(
    (Scope.EVERYWHERE, Scope.MOVE, Scope.SCREEN, place.scope, part)
    for place in PLACES
    for part in place.parts or (Scope.TABLE,)
)
"""The scopes whose keys work at the same time."""


def bindings(*scopes: Scope) -> list[Binding]:
    """Give the key bindings for the actions of some scopes."""
    return [
        Binding(
            ",".join(action.keys),
            action.textual,
            action.title,
            show=action.footer,
            key_display=key_label(action.keys[0]),
            id=action.name,
        )
        for action in actions(*scopes)
        if action.scope is not Scope.TASK and action.keys
    ]


def key_label(key: str) -> str:
    """Name a key as people do."""
    return _LABELS.get(key, key.replace("ctrl+", "^"))


_LABELS = {
    "ampersand": "&",
    "colon": ":",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "slash": "/",
    "plus": "+",
    "minus": "-",
    "question_mark": "?",
    "escape": "esc",
    "down": "↓",
    "left": "←",
    "right": "→",
    "up": "↑",
    "pagedown": "PgDn",
    "pageup": "PgUp",
    "home": "Home",
    "end": "End",
    "tab": "tab",
    "shift+tab": "shift+tab",
    "enter": "enter",
}
