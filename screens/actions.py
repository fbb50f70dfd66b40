"""The one registry of actions: it feeds the keys, the footer, the command palette, the menu and the help.

No key changes anything by itself: what would change something opens its dialog, mostly from the actions menu.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from textual.binding import Binding

from opconsole.journal.records import Purpose
from opconsole.views import QueueView, RunView, TaskView
from queues.states import RunState
from queues.tasks import TaskKind
from screens.findings import ShownFinding


class Scope(StrEnum):
    """Where an action's keys work."""

    EVERYWHERE = "everywhere"
    OPERATIONS = "operations"
    QUEUE = "queue"
    LOG = "log"
    VIOLATIONS = "violations"
    MOVE = "any list"
    TASK = "the selected task"


@dataclass(frozen=True, slots=True)
class Situation:
    """What an action is judged by: what is selected now."""

    task: TaskView | None = None
    run: RunView | None = None
    """The selected task's latest run, as far as it is loaded."""
    queue: QueueView | None = None
    finding: ShownFinding | None = None
    """The selected finding of the run's report."""

    @property
    def state(self) -> RunState | None:
        """The run's state; the task's word for it while the run is not loaded."""
        if self.run is not None:
            return self.run.run.state
        if self.task is None or self.task.run is None:
            return None
        return RunState(self.task.state) if self.task.state in set(RunState) else None


def always(situation: Situation) -> bool:
    """Hold for an action that is always valid."""
    del situation
    return True


@dataclass(frozen=True, slots=True)
class Action:
    """Something a person can do."""

    name: str
    """Stable; the key bindings' id, so that a key map can rebind it."""
    title: str
    """A few words, for the footer, the menu and the palette."""
    keys: tuple[str, ...]
    """Textual's names of keys; for `Scope.TASK`: the letter in the actions menu."""
    scope: Scope
    help: str
    """One sentence, for the help and the palette."""
    footer: bool = False
    changes: bool = False
    """It asks for a change: refused while the console is read-only."""
    valid: Callable[[Situation], bool] = always

    @property
    def handler(self) -> str:
        """The Textual action that carries it out."""
        return self.name.replace("-", "_")


def actions(*scopes: Scope) -> Iterator[Action]:
    """Give the actions of some scopes in the order of the registry; of all without any."""
    return (action for action in REGISTRY if not scopes or action.scope in scopes)


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


def task_actions(situation: Situation) -> list[Action]:
    """Give what can be done with the selected task, or its queue, now."""
    return [action for action in actions(Scope.TASK) if action.valid(situation)]


def clashes() -> list[tuple[str, str, str]]:
    """Give each key that two actions want at the same time, with both: Textual would drop one silently."""
    found: list[tuple[str, str, str]] = []
    for focus in (Scope.QUEUE, Scope.LOG, Scope.VIOLATIONS):
        taken: dict[str, str] = {}
        for action in actions(Scope.EVERYWHERE, Scope.OPERATIONS, Scope.MOVE, focus):
            for key in action.keys:
                if key in taken:
                    found.append((key, taken[key], action.name))
                taken[key] = action.name
    return found


def key_label(key: str) -> str:
    """Name a key as people do."""
    return _LABELS.get(key, key.replace("ctrl+", "^"))


def _runs(situation: Situation) -> bool:
    task = situation.task
    return task is not None and task.kind in set(TaskKind) and task.kind != TaskKind.OTHER


def _can_approve(situation: Situation) -> bool:
    return situation.run is not None and situation.run.waiting is not None


def _can_revert(situation: Situation) -> bool:
    waiting = situation.run.waiting if situation.run is not None else None
    return waiting is not None and waiting.purpose is Purpose.GO_AHEAD


def _can_decide(situation: Situation) -> bool:
    return situation.run is not None and situation.run.run.state.undecided


def _can_verify(situation: Situation) -> bool:
    task = situation.task
    return task is not None and task.unverified and task.run is not None


def _can_retry(situation: Situation) -> bool:
    state = situation.state
    return _runs(situation) and state is not None and state.final and state is not RunState.SUCCEEDED


def _can_cancel(situation: Situation) -> bool:
    state = situation.state
    return state is not None and not state.final and not state.undecided


def _has_finding(situation: Situation) -> bool:
    return situation.finding is not None


def _can_exempt(situation: Situation) -> bool:
    finding = situation.finding
    return finding is not None and finding.verdict != "exempt" and situation.state is RunState.BLOCKED


def _can_start(situation: Situation) -> bool:
    return situation.queue is not None and not situation.queue.started


def _can_pause(situation: Situation) -> bool:
    return situation.queue is not None and situation.queue.started


def _task(name: str, title: str, key: str, help_: str, valid: Callable[[Situation], bool]) -> Action:
    return Action(name, title, (key,), Scope.TASK, help_, changes=True, valid=valid)


REGISTRY: tuple[Action, ...] = (
    Action(
        "actions", "Actions", ("a",), Scope.OPERATIONS, "What can be done with this task now.", footer=True
    ),
    _task("approve", "Approve …", "p", "Look at the plan, then let it happen.", _can_approve),
    _task("reject", "Reject …", "x", "Say no to the plan, with a reason.", _can_approve),
    _task("revert", "Revert the cascade …", "b", "Say no, and take back what went before.", _can_revert),
    _task("decide", "Revert, override or abort …", "d", "Say how a stuck run ends.", _can_decide),
    _task("verify", "Record the verification …", "v", "Say that production was looked at.", _can_verify),
    _task("retry", "Run again …", "r", "Make a new attempt at the task.", _can_retry),
    _task("cancel", "Cancel the run …", "c", "Stop the run at its next safe point.", _can_cancel),
    _task(
        "exempt",
        "Exempt the finding …",
        "e",
        "Write a comment with the reason into the project.",
        _can_exempt,
    ),
    _task("start-queue", "Start the queue …", "s", "Let the worker run what is ready.", _can_start),
    _task("pause-queue", "Pause the queue …", "u", "Let nothing new begin.", _can_pause),
    Action("open", "Open", ("enter",), Scope.QUEUE, "Go to the run's pipeline.", footer=True),
    Action(
        "filter", "Filter", ("ampersand",), Scope.OPERATIONS, "Show only the tasks that match.", footer=True
    ),
    Action("sort", "Sort", ("s",), Scope.QUEUE, "Sort by the next column, then by none."),
    Action("search", "Search", ("slash",), Scope.OPERATIONS, "Search the whole log.", footer=True),
    Action("next-hit", "Next hit", ("n",), Scope.OPERATIONS, "Go to the next hit in the log."),
    Action("previous-hit", "Previous hit", ("N",), Scope.OPERATIONS, "Go to the hit before it."),
    Action("follow", "Follow", ("f",), Scope.LOG, "Follow the end of the log, or stop.", footer=True),
    Action("wrap", "Wrap", ("w",), Scope.LOG, "Wrap long lines, or cut them.", footer=True),
    Action("times", "Times", ("t",), Scope.LOG, "Show when each line was written."),
    Action("next-error", "Error", ("e",), Scope.LOG, "Go to the next error.", footer=True),
    Action("previous-error", "Error before", ("E",), Scope.LOG, "Go to the error before."),
    Action(
        "next-finding", "Finding", ("e",), Scope.VIOLATIONS, "Go to the next finding.", valid=_has_finding
    ),
    Action(
        "previous-finding",
        "Finding before",
        ("E",),
        Scope.VIOLATIONS,
        "Go to the finding before.",
        valid=_has_finding,
    ),
    Action(
        "open-file",
        "Open in editor",
        ("o",),
        Scope.VIOLATIONS,
        "Open the project's file at the line.",
        footer=True,
        valid=_has_finding,
    ),
    Action(
        "exempt-finding",
        "Exempt",
        ("X",),
        Scope.VIOLATIONS,
        "Exempt the finding with a reason; a diff is shown first.",
        footer=True,
        changes=True,
        valid=_has_finding,
    ),
    Action(
        "recheck",
        "Re-check",
        ("r",),
        Scope.VIOLATIONS,
        "Let the guardrails read the project's file again.",
        footer=True,
        valid=_has_finding,
    ),
    Action("log", "Log", ("l",), Scope.OPERATIONS, "Go to the run's log."),
    Action("violations", "Violations", ("v",), Scope.OPERATIONS, "Go to what the guardrails found."),
    Action("next-pane", "Pane", ("tab",), Scope.OPERATIONS, "Go to the next pane.", footer=True),
    Action("previous-pane", "Pane before", ("shift+tab",), Scope.OPERATIONS, "Go to the pane before."),
    Action("zoom", "Zoom", ("z",), Scope.OPERATIONS, "Show this pane alone, or all.", footer=True),
    Action("back", "Back", ("escape",), Scope.OPERATIONS, "Back to the queue; ends a filter or a search."),
    Action("copy", "Copy", ("y",), Scope.OPERATIONS, "Copy the task's name, or the log's lines in view."),
    Action("move-down", "Down", ("down", "j"), Scope.MOVE, "Move down."),
    Action("move-up", "Up", ("up", "k"), Scope.MOVE, "Move up."),
    Action("page-forward", "Page down", ("pagedown",), Scope.MOVE, "Move down a page."),
    Action("page-back", "Page up", ("pageup",), Scope.MOVE, "Move up a page."),
    Action("first", "First", ("g", "home"), Scope.MOVE, "Go to the beginning."),
    Action("last", "Last", ("G", "end"), Scope.MOVE, "Go to the end."),
    Action(
        "read-only", "Read-only", ("ctrl+o",), Scope.EVERYWHERE, "Refuse every change, or allow them again."
    ),
    Action("command_palette", "Palette", ("ctrl+p",), Scope.EVERYWHERE, "Find an action by its name."),
    Action(
        "help", "Help", ("question_mark",), Scope.EVERYWHERE, "Show every key of this screen.", footer=True
    ),
    Action("leave", "Quit", ("q",), Scope.EVERYWHERE, "Leave the console; the worker goes on.", footer=True),
)

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
