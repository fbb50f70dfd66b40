"""The one registry of actions: it feeds the keys, the footer, the palette, the command line, menus and help.

No key changes anything by itself: what would change something opens its dialog, mostly from the actions menu.
"""

from __future__ import annotations

from collections.abc import Iterator

from screens.actions.approvals import APPROVAL_ACTIONS
from screens.actions.common import COMMON_ACTIONS
from screens.actions.dependencies import DEPENDENCY_ACTIONS
from screens.actions.environments import ENVIRONMENT_ACTIONS, MATRIX_ACTIONS
from screens.actions.everywhere import EVERYWHERE_ACTIONS
from screens.actions.found import FOUND_ACTIONS
from screens.actions.log import LOG_ACTIONS
from screens.actions.model import Action, Scope, Situation
from screens.actions.panes import LIST_ACTIONS, OPERATIONS_ACTIONS, QUEUE_ACTIONS, VIOLATION_ACTIONS
from screens.actions.pipeline import PIPELINE_ACTIONS
from screens.actions.record import AUDIT_ACTIONS, METRICS_ACTIONS, REPORT_ACTIONS
from screens.actions.tasks import TASK_ACTIONS

REGISTRY: tuple[Action, ...] = (
    *COMMON_ACTIONS,
    *OPERATIONS_ACTIONS,
    *TASK_ACTIONS,
    *PIPELINE_ACTIONS,
    *DEPENDENCY_ACTIONS,
    *QUEUE_ACTIONS,
    *LOG_ACTIONS,
    *VIOLATION_ACTIONS,
    *APPROVAL_ACTIONS,
    *ENVIRONMENT_ACTIONS,
    *MATRIX_ACTIONS,
    *FOUND_ACTIONS,
    *REPORT_ACTIONS,
    *AUDIT_ACTIONS,
    *METRICS_ACTIONS,
    *LIST_ACTIONS,
    *EVERYWHERE_ACTIONS,
)


def actions(*scopes: Scope) -> Iterator[Action]:
    """Give the actions of some scopes in the order of the registry; of all without any."""
    return (action for action in REGISTRY if not scopes or action.scope in scopes)


def task_actions(situation: Situation) -> list[Action]:
    """Give what can be done with the selected task, or its queue, now."""
    return [action for action in actions(Scope.TASK) if action.valid(situation)]
