"""Other keys for actions, as the settings want them: checked before anything is shown, so that none is lost.

Textual drops one of two bindings that want the same key, and says nothing; here each fault is named, and what
is not at fault holds.
"""

from __future__ import annotations

import string
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

from textual.keys import KEY_NAME_REPLACEMENTS, Keys

from screens.actions.keys import CONTEXTS, key_label
from screens.actions.model import Action, Scope
from screens.actions.registry import REGISTRY, actions

FORBIDDEN = ("ctrl+a", "ctrl+b", "ctrl+h", "ctrl+i", "ctrl+m")
"""tmux and screen take the first two for themselves; the others are what a terminal sends for other keys."""
OF_TEXTUAL = ("ctrl+c", "ctrl+q")
"""They leave the console whatever is in front."""


@dataclass(frozen=True, slots=True)
class KeyFault:
    """A binding of the settings that cannot be used, and why."""

    action: str
    found: str
    allowed: str
    message: str

    def __str__(self) -> str:
        return f"console.keys.{self.action}: {self.message}; found: {self.found}; allowed: {self.allowed}"


@dataclass(frozen=True, slots=True)
class Keymap:
    """Which keys carry out which action: those of the registry, but for what was asked otherwise."""

    changed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By the action's name; each key by Textual's name for it."""
    faults: tuple[KeyFault, ...] = ()

    def keys(self, action: Action) -> tuple[str, ...]:
        """Give the keys of an action; for one of the menu its letter."""
        return self.changed.get(action.name, action.keys)

    def label(self, name: str) -> str:
        """Give the first key of an action as people call it; the action's title where it has none."""
        action = next(one for one in REGISTRY if one.name == name)
        keys = self.keys(action)
        return key_label(keys[0]) if keys else action.title

    def textual(self) -> dict[str, str]:
        """Give what `App.set_keymap` wants."""
        return {name: ",".join(keys) for name, keys in self.changed.items() if not _of_menu(name)}


def read_keymap(wanted: Mapping[str, Sequence[str]]) -> Keymap:
    """Take over the bindings that can be used; every other one becomes a fault and keeps its own keys."""
    changed: dict[str, tuple[str, ...]] = {}
    faults: list[KeyFault] = []
    for name, keys in wanted.items():
        wrong = list(_faults_of(name, keys))
        faults += wrong
        if not wrong:
            changed[name] = tuple(dict.fromkeys(key_name(key) or key for key in keys))
    while clash := next(iter(clashes(changed)), None):
        key, first, second = clash
        name = second if second in changed else first
        other = first if name == second else second
        faults.append(
            KeyFault(
                name,
                key_label(key),
                f"a key that {other} does not have, or another key for {other}",
                f"{other} has this key in the same place",
            )
        )
        del changed[name]
    return Keymap(changed, tuple(faults))


def clashes(changed: Mapping[str, Sequence[str]] | None = None) -> Iterator[tuple[str, str, str]]:
    """Give each key that two actions want at the same time, with both."""
    changed = changed or {}
    for context in (*CONTEXTS, (Scope.TASK,)):
        taken: dict[str, str] = {}
        for action in actions(*context):
            for key in changed.get(action.name, action.keys):
                if taken.setdefault(key, action.name) != action.name:
                    yield key, taken[key], action.name


def key_name(text: str) -> str | None:
    """Give Textual's name for a key as people write it, such as ``?`` or ``ctrl+k``; None: there is none."""
    if len(text) == 1:
        return _character(text) if text.isprintable() else None
    head, plus, last = text.lower().rpartition("+")
    if plus and len(last) == 1:
        last = _character(last)
    name = f"{head}{plus}{last}"
    return name if name in _KNOWN else None


def _faults_of(name: str, keys: Sequence[str]) -> Iterator[KeyFault]:
    found = ", ".join(keys) or "no key"
    if all(action.name != name for action in REGISTRY):
        names = [action.name for action in REGISTRY]
        near = ", ".join(get_close_matches(name, names)) or "a name of the help (?)"
        yield KeyFault(name, found, near, "no action has this name")
        return
    if not keys:
        yield KeyFault(name, found, "at least one key", "an action without a key cannot be reached by one")
    for key in keys:
        known = key_name(key)
        if known is None:
            yield KeyFault(
                name, key, "for example x, X, &, f5, ctrl+k, shift+tab, enter", "no key is called so"
            )
        elif known in FORBIDDEN:
            allowed = f"any but {', '.join(FORBIDDEN)}"
            yield KeyFault(name, key, allowed, "terminals and tmux keep this key for themselves")
        elif known in OF_TEXTUAL:
            yield KeyFault(name, key, f"any but {', '.join(OF_TEXTUAL)}", "this key leaves the console")
    if _of_menu(name) and any(len(key) != 1 for key in keys):
        yield KeyFault(name, found, "a letter", "it stands in the actions menu, where a letter chooses it")


def _of_menu(name: str) -> bool:
    return any(action.name == name and action.scope is Scope.TASK for action in REGISTRY)


def _character(character: str) -> str:
    """Name a character as Textual does: by its Unicode name, where it is no letter or digit."""
    if character.isalnum():
        return character
    name = unicodedata.name(character, "").lower().replace("-", "_").replace(" ", "_")
    return KEY_NAME_REPLACEMENTS.get(name, name)


_NAMED = {key.value for key in Keys if "<" not in key.value}
_BARE = {*string.ascii_lowercase, *string.digits, *map(_character, string.punctuation)}
_KNOWN = frozenset({*_NAMED, *_BARE, *(f"{modifier}+{key}" for modifier in ("ctrl", "alt") for key in _BARE)})
