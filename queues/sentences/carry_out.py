"""What each kind of order comes to: its tasks, and what else their reader should know."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from queues.sentences.deploying import deploy, promote
from queues.sentences.entries import (
    downgrade,
    migrations,
    rollback,
    validations,
)
from queues.sentences.known import KnownProject
from queues.sentences.order import Order
from queues.sentences.outcome import AskedBackError, PlannedTask, RefusedSentenceError
from queues.sentences.questions import Done, ask, given, migration_notes, one_of, refuse_more, way_through
from queues.sentences.resources import provision
from queues.sentences.said import (
    Mark,
    Path,
    Projects,
    Statement,
    Verb,
)


def migrate(_: Statement, order: Order) -> Done:
    """Run migrations without deploying."""
    refuse_more(order, (Mark.MIGRATIONS, Mark.DATABASE))
    projects, places = order.projects(), order.places()
    ask(order.known, {"project": not projects, "environment": places is None}, projects)
    tasks: list[PlannedTask] = []
    for project in projects:
        tasks += migrations(project, way_through(project, places, []), order.version(), order.path())
    return tasks, migration_notes(tasks, order.known)


def validate(_: Statement, order: Order) -> Done:
    """Validate migrations, with no deployment and no database."""
    refuse_more(order, (Mark.MIGRATIONS,))
    if not order.has(Mark.MIGRATIONS):
        raise AskedBackError(
            {"migrations": "Validate what? Say “Validate all migrations in PROJECT for ENVIRONMENT”"}
        )
    projects, places = order.projects(), order.places()
    if order.parts_of(Projects) == [Projects(())]:
        # Of all projects only those with migrations have any to validate.
        projects = tuple(one for one in projects if one.migrates is not False)
    ask(order.known, {"project": not projects, "environment": places is None}, projects)
    tasks: list[PlannedTask] = []
    for project in projects:
        tasks += validations(project, way_through(project, places, []), order.version(), order.path())
    return tasks, migration_notes(tasks, order.known)


def take_back(_: Statement, order: Order) -> Done:
    """Take the newest migration back."""
    refuse_more(order, (Mark.MIGRATIONS, Mark.DATABASE))
    if order.version() is not None:
        raise RefusedSentenceError("a downgrade takes the newest migration back: it names no version")
    project = order.project()
    environment = order.environment(project) if project else None
    ask(order.known, {"project": project is None, "environment": not order.places()}, one_of(project))
    project, environment = given(project), given(environment)
    return [downgrade(project, environment, order.path())], ()


def roll_back(_: Statement, order: Order) -> Done:
    """Bring an earlier release back."""
    refuse_more(order, (Mark.DEPLOYMENT, Mark.PREVIOUS))
    if order.parts_of(Path):
        raise RefusedSentenceError("a rollback takes its migrations from the release: leave the path out")
    version = order.version()
    if version is not None and order.has(Mark.PREVIOUS):
        raise RefusedSentenceError(
            f"the sentence contradicts itself: back to {version} and to the previous "
            "version; nothing was added"
        )
    project = order.project()
    environment = order.environment(project) if project else None
    missing = {
        "project": project is None,
        "version": any(order.hole(name) for name in ("version",)) and version is None,
        "environment": order.places() is None,
    }
    ask(order.known, missing, one_of(project))
    project, environment = given(project), given(environment)
    return [rollback(project, environment, version)], _way_notes(project, environment, version)


def _way_notes(project: KnownProject, environment: str, version: str | None) -> tuple[str, ...]:
    """Say where the journal knows of no way back: unless that changes, the task will fail in pre-flight."""
    served = project.served.get(environment)
    if served is None or (version in served if version is not None else len(served) > 1):
        return ()
    wanted = f"Version {version} is not" if version is not None else "No release before this one is"
    known = ", ".join(served) or "none"
    return (
        f"{wanted} on record in {environment} (known: {known}): unless that changes, the task will fail in "
        "pre-flight.",
    )


CARRY_OUT: Mapping[Verb, Callable[[Statement, Order], Done]] = {
    Verb.DEPLOY: deploy,
    Verb.RUN: migrate,
    Verb.MIGRATE: migrate,
    Verb.DOWNGRADE: take_back,
    Verb.VALIDATE: validate,
    Verb.ROLLBACK: roll_back,
    Verb.PROMOTE: promote,
    Verb.PROVISION: provision,
}
"""The function of each order."""
