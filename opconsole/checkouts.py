"""Where a project's files lie as people work on them, and how the guardrails judge them."""

from __future__ import annotations

from opconsole.exempting import Checkout
from opconsole.settings.model import Dialect, Downgrade
from opconsole.workspace import Workspace


def checkout_of(workspace: Workspace, name: str, environment: str) -> Checkout:
    """Give a project's folder, judged for an environment by its own name.

    Raises UnknownProjectError or UnknownEnvironmentError.
    """
    project = workspace.project(name)
    migrations = project.migrations
    return Checkout(
        workspace.project_path(name),
        environment,
        workspace.environment(name, environment).gate,
        (migrations.dialect if migrations else Dialect.POSTGRESQL).grammar,
        downgrade_required=migrations is None or migrations.downgrade is Downgrade.REQUIRED,
    )
