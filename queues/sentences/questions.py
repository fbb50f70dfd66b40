"""The questions that a sentence leaves open, and the checks that all kinds of orders share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from queues.sentences.case import ITEMS
from queues.sentences.known import Known, KnownProject
from queues.sentences.order import Order, here
from queues.sentences.outcome import AskedBackError, PlannedTask, RefusedSentenceError, listing
from queues.sentences.said import (
    Environments,
    Mark,
    Statement,
    Verb,
)

T = TypeVar("T")
Done = tuple[list[PlannedTask], tuple[str, ...]]
"""The tasks of an order, and what else their reader should know."""


def ask(
    known: Known,
    wanted: Mapping[str, bool],
    projects: Sequence[KnownProject],
    *,
    latest: bool = False,
    more: str = "",
) -> None:
    """Ask for all that is missing."""
    environments = tuple(
        dict.fromkeys(name for one in projects or known.projects.values() for name in one.environments)
    )
    newest = projects[0].versions[0] if latest and projects and projects[0].versions else None
    questions = {
        "resource": f"Which resource? {listing(RESOURCES)}",
        "project": f"Which project? {listing(tuple(known.projects))}{more}",
        "version": "Which version? Like 1.2.3" + (f"; the newest known is {newest}" if newest else ""),
        "environment": f"Which environment? {listing(environments)}",
        "from": f"From which environment? {listing(environments)}",
        "migrations": "Are the migrations to run? Add “with migrations”, or leave the path out",
        **{key: f"{CASE_LABELS[key]}: {text}" for key, text in ITEMS.items()},
    }
    missing = {name: questions[name] for name, lacks in wanted.items() if lacks}
    if missing:
        raise AskedBackError(missing)


def refuse_more(order: Order, marks: Sequence[Mark]) -> None:
    """Refuse what a simple order cannot have beside it."""
    order.refuse_unknown()
    order.refuse_marks(marks)
    if order.verb is not Verb.PROMOTE and any(one.source for one in order.parts_of(Environments)):
        raise RefusedSentenceError(f"“from” an environment says nothing for the order to {order.verb.value}")
    for one in order.companions:
        if one.verb not in (Verb.NOTE, Verb.HALT, Verb.GATES):
            raise RefusedSentenceError(
                f"{one.label or one.environment or one.verb.value!a} says nothing for the order to "
                f"{order.verb.value}; nothing was added"
            )


def given(value: T | None) -> T:
    """Give a value that was asked for where it was missing, so that it is there by now."""
    if value is None:
        raise RefusedSentenceError(
            "the sentence is not understood; say it as the guide does; nothing was added"
        )
    return value


def one_of(project: KnownProject | None) -> tuple[KnownProject, ...]:
    """Give the projects whose environments and versions a question may name."""
    return () if project is None else (project,)


def way_through(
    project: KnownProject, places: Environments | None, stages: Sequence[Statement]
) -> tuple[str, ...]:
    """Give the environments in the order in which the version goes through them."""
    lines = tuple(here(project, one.environment) for one in stages)
    if len(set(lines)) != len(lines):
        raise RefusedSentenceError("an environment has more than one line; nothing was added")
    names = lines if places is None else tuple(here(project, name) for name in places.names)
    way = project.in_order(names or None)
    for said, what in ((lines, True), (names, places is not None and places.ordered)):
        if what and said and said != project.in_order(said):
            raise RefusedSentenceError(
                f"a version goes to {', then '.join(project.in_order(said))}, not in another order; "
                "nothing was added"
            )
    if lines and lines != way:
        raise RefusedSentenceError(
            f"the sentence contradicts itself: it names {', '.join(way)}, and has lines for "
            f"{', '.join(lines)}; nothing was added"
        )
    return way


def migration_notes(tasks: Sequence[PlannedTask], known: Known) -> tuple[str, ...]:
    """Say where migrations are wanted and nobody has said where they lie."""
    lacking = dict.fromkeys(
        task.project
        for task in tasks
        if known.projects[task.project].migrates is False
        and (task.entry.get("run_migrations") or task.entry["agent_type"] == "migration")
        and "migrations_path" not in task.entry
    )
    return tuple(
        f"The settings of {name} have no migrations, and the sentence names no "
        "path: pre-flight will ask for it."
        for name in lacking
    )


TITLES = {
    "s3_bucket": "S3 bucket",
    "rds_instance": "RDS instance",
    "lambda_function": "Lambda function",
    "iam_policy": "IAM policy",
}
RESOURCES = tuple(TITLES.values())
CASE_LABELS = {
    "justification": "Justification",
    "cost_estimate": "Cost estimate",
    "alternatives": "Alternatives considered",
    "risk_assessment": "Risk assessment",
}
