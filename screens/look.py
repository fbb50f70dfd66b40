"""How things look: the roles of text, the glyph and word of every state, and the themes.

A state is never colour alone: each has a glyph and a word, and the colour only repeats what they say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from rich.style import Style
from textual.theme import Theme
from textual.widget import Widget

from queues.states import RunState

if TYPE_CHECKING:  # the console's first picture loads only what it shows
    from opconsole.views import TaskView

POINTER = "›"
"""Stands before what the next key acts on."""


class Role(StrEnum):
    """What a piece of text means; the theme gives it a colour."""

    PLAIN = "plain"
    MUTED = "muted"
    GOOD = "good"
    BAD = "bad"
    WARN = "warn"
    BUSY = "busy"
    ASKS = "asks"
    STRONG = "strong"


STYLES: Mapping[Role, str] = {
    Role.PLAIN: "",
    Role.MUTED: "$foreground-muted",
    Role.GOOD: "$text-success",
    Role.BAD: "$text-error",
    Role.WARN: "$text-warning",
    Role.BUSY: "$text-primary",
    Role.ASKS: "$text-warning bold",
    Role.STRONG: "bold",
}
"""The style of a role in `textual.content.Content`."""

ROLE_CLASSES = frozenset(f"role--{role.value}" for role in Role)
"""Component classes of widgets that draw their lines by themselves."""

ROLE_CSS = """
    & > .role--plain { color: $foreground; }
    & > .role--muted { color: $foreground-muted; }
    & > .role--good { color: $text-success; }
    & > .role--bad { color: $text-error; }
    & > .role--warn { color: $text-warning; }
    & > .role--busy { color: $text-primary; }
    & > .role--asks { color: $text-warning; text-style: bold; }
    & > .role--strong { color: $foreground; text-style: bold; }
"""


def role_style(widget: Widget, role: Role) -> Style:
    """Give a role's style for a widget that draws its lines by itself and has `ROLE_CSS`."""
    style = widget.get_component_rich_style(f"role--{role.value}")
    return Style(color=style.color, bold=style.bold)


@dataclass(frozen=True, slots=True)
class Mark:
    """How a state is shown."""

    glyph: str
    word: str
    role: Role

    def __str__(self) -> str:
        return f"{self.glyph} {self.word}"


def task_mark(task: TaskView) -> Mark:
    """Give the mark of a task's state. Words of other programs are shown as they are."""
    if task.unverified and task.state == RunState.SUCCEEDED:
        return _UNVERIFIED
    return TASK_MARKS.get(task.state) or Mark("·", task.state, Role.MUTED)


def run_mark(state: RunState, *, unverified: bool = False) -> Mark:
    """Give the mark of a run's state."""
    return _UNVERIFIED if unverified and state is RunState.SUCCEEDED else TASK_MARKS[state.value]


TASK_MARKS: Mapping[str, Mark] = {
    "pending": Mark("·", "pending", Role.MUTED),
    "ready": Mark("○", "ready", Role.PLAIN),
    "preflight": Mark("◔", "preflight", Role.BUSY),
    "waiting": Mark("◆", "waiting", Role.ASKS),
    "running": Mark("▶", "running", Role.BUSY),
    "cancelling": Mark("◼", "cancelling", Role.WARN),
    "succeeded": Mark("✓", "succeeded", Role.GOOD),
    "failed": Mark("✗", "failed", Role.BAD),
    "rolled_back": Mark("↶", "rolled back", Role.WARN),
    "rejected": Mark("⊘", "rejected", Role.WARN),
    "blocked": Mark("■", "blocked", Role.BAD),
    "halted": Mark("!", "halted", Role.ASKS),
    "interrupted": Mark("?", "interrupted", Role.ASKS),
    "cancelled": Mark("–", "cancelled", Role.MUTED),
    "claimed": Mark("✓", "claimed", Role.MUTED),
    "invalid": Mark("✗", "invalid", Role.BAD),
}
_UNVERIFIED = Mark("✓", "unverified", Role.WARN)

STEP_MARKS: Mapping[str, Mark] = {
    "pending": Mark("·", "to come", Role.MUTED),
    "running": Mark("▶", "running", Role.BUSY),
    "succeeded": Mark("✓", "done", Role.GOOD),
    "failed": Mark("✗", "failed", Role.BAD),
    "skipped": Mark("–", "skipped", Role.MUTED),
    "interrupted": Mark("?", "unknown", Role.ASKS),
    "cancelled": Mark("–", "cancelled", Role.MUTED),
}

SEVERITY_MARKS: Mapping[str, Mark] = {
    "critical": Mark("✗", "critical", Role.BAD),
    "high": Mark("▲", "high", Role.WARN),
    "medium": Mark("●", "medium", Role.BUSY),
    "low": Mark("·", "low", Role.MUTED),
}

HIGH_CONTRAST = Theme(
    name="high-contrast",
    primary="#5cd6ff",
    secondary="#ffffff",
    accent="#ffff00",
    success="#00ff66",
    warning="#ffd400",
    error="#ff6b6b",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#262626",
    text_alpha=1.0,
    variables={"foreground-muted": "#d8d8d8", "footer-key-foreground": "#ffff00"},
)
"""White on black; muted text stays far above the contrast that WCAG asks for."""

COLOUR_BLIND_SAFE = Theme(
    name="colour-blind-safe",
    primary="#56b4e9",
    secondary="#0072b2",
    accent="#cc79a7",
    success="#009e73",
    warning="#f0e442",
    error="#d55e00",
    foreground="#e6e6e6",
    background="#14171a",
    surface="#1b1f23",
    panel="#272c32",
)
"""Okabe and Ito's palette: told apart with any common colour blindness."""

THEMES = (HIGH_CONTRAST, COLOUR_BLIND_SAFE)
