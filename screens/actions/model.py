"""What an action is, where its keys work, and what it is judged by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from queues.states import RunState

if TYPE_CHECKING:  # the console's first picture loads only what it shows
    from opconsole.inbox import WaitingPolicy
    from opconsole.views import EnvironmentView, QueueView, RunView, TaskView
    from screens.findings import ShownFinding


class Scope(StrEnum):
    """Where an action's keys work."""

    EVERYWHERE = "everywhere"
    SCREEN = "any screen"
    OPERATIONS = "operations"
    APPROVALS = "approvals"
    ENVIRONMENTS = "environments"
    MATRIX = "matrix"
    FOUND = "the violations screen"
    HISTORY = "history"
    REPORT = "a run's report"
    AUDIT = "audit"
    METRICS = "metrics"
    TABLE = "any table"
    QUEUE = "queue"
    DEPENDENCIES = "dependencies"
    PIPELINE = "pipeline"
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
    marked: tuple[str, ...] = ()
    """The runs of the approvals that were marked, in the order of the screen."""
    marked_tasks: tuple[TaskView, ...] = ()
    """All the tasks that were marked, in the order of the screen."""
    environment: EnvironmentView | None = None
    after: EnvironmentView | None = None
    """The environment of the same project that comes next, towards production."""
    policy: WaitingPolicy | None = None
    """The change of policy that is selected."""

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
    argument: str = ""
    """What its handler is told: several actions may share one."""
    verb: str = ""
    """The handler's name where it is not the action's own."""

    @property
    def handler(self) -> str:
        """The name of the method that carries it out, without ``action_``."""
        return self.verb or self.name.replace("-", "_")

    @property
    def textual(self) -> str:
        """The Textual action that carries it out."""
        return f"{self.handler}({self.argument!r})" if self.argument else self.handler
