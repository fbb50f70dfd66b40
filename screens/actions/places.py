"""The console's screens: what each is called, by which key it is reached, and where its class is.

A further screen is one file and one entry here; keys of its own come as a file of actions beside this one.
Nothing here loads a screen: that happens when somebody first goes there.
"""

from __future__ import annotations

from dataclasses import dataclass

from screens.actions.model import Scope


@dataclass(frozen=True, slots=True)
class Place:
    """A screen that one can go to."""

    name: str
    title: str
    key: str
    module: str
    """Where its class is; imported when somebody first goes there."""
    screen: str
    """The name of its class, a `screens.base.ConsoleScreen`."""
    help: str
    scope: Scope
    """Its own keys, which work wherever the focus is on it."""
    parts: tuple[Scope, ...] = ()
    """The keys of its parts, of which one has the focus."""


PLACES: tuple[Place, ...] = (
    Place(
        "operations",
        "Operations",
        "1",
        "screens.operations",
        "OperationsScreen",
        "What runs, what waits, and the log of the selected run.",
        Scope.OPERATIONS,
        (Scope.TABLE, Scope.QUEUE, Scope.PIPELINE, Scope.LOG, Scope.VIOLATIONS),
    ),
    Place(
        "approvals",
        "Approvals",
        "2",
        "screens.approvals",
        "ApprovalsScreen",
        "What waits for a person: approvals, stuck runs, verifications.",
        Scope.APPROVALS,
    ),
    Place(
        "dependencies",
        "Dependencies",
        "x",
        "screens.dependencies",
        "DependenciesScreen",
        "What waits for what and why, as a tree.",
        Scope.DEPENDENCIES,
    ),
    Place(
        "environments",
        "Environments",
        "3",
        "screens.environments",
        "EnvironmentsScreen",
        "What every project runs where, whether it is healthy, and whether it has drifted.",
        Scope.ENVIRONMENTS,
        (Scope.MATRIX,),
    ),
    Place(
        "history",
        "History",
        "4",
        "screens.history",
        "HistoryScreen",
        "All runs of every project, their reports and logs.",
        Scope.HISTORY,
        (Scope.TABLE, Scope.REPORT, Scope.LOG),
    ),
    Place(
        "violations",
        "Violations",
        "5",
        "screens.violations",
        "ViolationsScreen",
        "What the guardrails found in the blocked runs of every project.",
        Scope.FOUND,
    ),
    Place(
        "audit",
        "Audit",
        "6",
        "screens.audit",
        "AuditScreen",
        "The chain of decisions and effects, and whether it is sound.",
        Scope.AUDIT,
    ),
    Place(
        "metrics",
        "Metrics",
        "7",
        "screens.metrics",
        "MetricsScreen",
        "Deployments, rollbacks, migrations, violations and durations.",
        Scope.METRICS,
        (Scope.MOVE,),
    ),
)
"""In the order of their keys."""


def place(name: str) -> Place:
    """Give a screen by its name. Raises KeyError."""
    return next((one for one in PLACES if one.name == name), None) or _unknown(name)


def _unknown(name: str) -> Place:
    raise KeyError(f"no screen is called {name!a}; there are: {', '.join(one.name for one in PLACES)}")
