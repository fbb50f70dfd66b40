"""Actions: what a person can do, and by which keys; each file lists those of one part of the console."""

from screens.actions.keymap import Keymap, read_keymap
from screens.actions.keys import bindings, key_label
from screens.actions.model import Action, Scope, Situation
from screens.actions.places import PLACES, Place
from screens.actions.registry import REGISTRY, actions, task_actions

__all__ = [
    "PLACES",
    "REGISTRY",
    "Action",
    "Keymap",
    "Place",
    "Scope",
    "Situation",
    "actions",
    "bindings",
    "key_label",
    "read_keymap",
    "task_actions",
]
