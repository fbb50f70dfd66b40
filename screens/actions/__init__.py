"""Actions: what a person can do, and by which keys; each file lists those of one part of the console."""

from screens.actions.keys import bindings, clashes, key_label
from screens.actions.model import Action, Scope, Situation
from screens.actions.registry import REGISTRY, actions, task_actions

__all__ = [
    "REGISTRY",
    "Action",
    "Scope",
    "Situation",
    "actions",
    "bindings",
    "clashes",
    "key_label",
    "task_actions",
]
