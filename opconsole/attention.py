"""Attention: when the console calls the person before it, by the terminal's bell or a desktop notification.

What to call out is decided from two snapshots; the App only writes what it is given.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from guardrails.sanitise import sanitise
from opconsole.desktop_sign import DesktopSign

if TYPE_CHECKING:  # the console's first picture loads only what it shows
    from opconsole.views import Snapshot, TaskView

_CALLS = {
    "waiting": "waits for approval",
    "failed": "failed",
    "halted": "waits for your decision",
    "interrupted": "waits for your decision",
    "blocked": "is blocked",
    "rolled_back": "was rolled back",
}


@dataclass(frozen=True, slots=True)
class Signs:
    """How the person wants to be called."""

    bell: bool = False
    desktop: DesktopSign = DesktopSign.OFF

    @property
    def wanted(self) -> bool:
        """Whether anything is to be done at all."""
        return self.bell or self.desktop is not DesktopSign.OFF


NO_SIGNS = Signs()

MOST = 3
"""Tasks that are named in one call; more are counted."""

Standing = Mapping[str, tuple[str, str]]
"""The runs that may want attention, by their task's key: the run, and its state."""


def standing(snapshot: Snapshot) -> Standing:
    """Note which runs wait or have failed."""
    return {task.key: _mark(task) for task in _calling(snapshot.tasks)}


def call(before: Standing | None, snapshot: Snapshot) -> str | None:
    """Say in one line what has begun to wait or has failed since *before*; None when nothing has.

    At the start, without a *before*, nothing is called: the person is looking.
    """
    if before is None:
        return None
    fresh = [task for task in _calling(snapshot.tasks) if before.get(task.key) != _mark(task)]
    if not fresh:
        return None
    named = [f"{task.task} {_CALLS[task.state]} in {task.environment or '?'}" for task in fresh[:MOST]]
    more = f" and {len(fresh) - MOST} more" if len(fresh) > MOST else ""
    return sanitise("; ".join(named) + more, single_line=True, limit=200)


def desktop_sequence(sign: DesktopSign, text: str) -> str:
    """Give the control sequence that shows *text* on the desktop; empty where it is off."""
    # Nothing in the text may end the sequence, or begin another part of it.
    plain = sanitise(text, single_line=True, limit=200)
    safe = "".join(c for c in plain if c.isprintable()).replace(";", ",")
    if sign is DesktopSign.OSC9:
        return f"\x1b]9;opconsole: {safe}\x1b\\"
    if sign is DesktopSign.OSC777:
        return f"\x1b]777;notify;opconsole;{safe}\x1b\\"
    return ""


def _calling(tasks: Iterable[TaskView]) -> Iterable[TaskView]:
    return (task for task in tasks if task.run is not None and task.state in _CALLS)


def _mark(task: TaskView) -> tuple[str, str]:
    return task.run or "", task.state
