"""The form of a task: which fields each kind has, the entry that they make, and what could stand in each.

Pure. What may stand in a field is for `queues.task_fields` to say: here is no second rule.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from opconsole.views import TaskView
from queues.sentences.entries import new_ids
from queues.sentences.known import Known, KnownProject
from queues.task_fields import FieldFaultError, TaskReader
from queues.tasks import MigrationAction, TaskKind
from screens.words import safe

KINDS = tuple(kind.value for kind in TaskKind if kind.ours)
_RUNS = ("deployment", "migration", "rollback")
_CHANGES = ("deployment", "migration")
CASE = ("justification", "cost_estimate", "alternatives", "risk_assessment")


@dataclass(frozen=True, slots=True)
class FormField:
    """A line of the form."""

    name: str
    """Of the queue file's field; of a part of the business case, its name there."""
    label: str
    example: str = ""
    kinds: tuple[str, ...] = KINDS
    several: bool = False
    """It takes several words, with commas between them."""


FIELDS: tuple[FormField, ...] = (
    FormField("project", "Project"),
    FormField("agent_type", "Kind", ", ".join(KINDS)),
    FormField("action", "Action", "run", ("migration",)),
    FormField("environment", "Environment"),
    FormField("version", "Version", "2.1.0", _RUNS),
    FormField("run_migrations", "Run migrations", "no", ("deployment",)),
    FormField("migrations_path", "Migrations path", "as the settings say", _CHANGES),
    FormField("revision", "Revision", "the head, or one back", ("migration",)),
    FormField("resource", "Resource", "S3 bucket for user uploads", ("provisioning",)),
    FormField("justification", "Justification", "what it is for, and why it is needed", ("provisioning",)),
    FormField("cost_estimate", "Cost estimate", "$50/month (1TB storage + transfer)", ("provisioning",)),
    FormField("alternatives", "Alternatives", "what else was considered", ("provisioning",)),
    FormField("risk_assessment", "Risks", "what can go wrong", ("provisioning",)),
    FormField("depends_on", "Waits for", "ids, with commas between them", several=True),
    FormField("requires_approval", "Requires approval", "as its gate says; yes, or names", several=True),
    FormField("description", "Description"),
    FormField("id", "Id", "the next free one"),
)


def fields_of(kind: str) -> tuple[FormField, ...]:
    """Give the lines that a kind has; of an unknown kind those that all have."""
    return tuple(field for field in FIELDS if kind in field.kinds or field.kinds == KINDS)


def entry_of(values: Mapping[str, str], project: KnownProject | None) -> dict[str, object]:
    """Make the entry that the lines mean; what cannot be meant stays text, for the reader to fault."""
    kind = values.get("agent_type", "")
    given = {field.name: values.get(field.name, "").strip() for field in fields_of(kind)}
    entry: dict[str, object] = {"id": given["id"] or next_id(given, project), "description": ""}
    entry |= {"status": "pending", "agent_type": kind}
    for name, text in given.items():
        if text and name not in ("project", "id", *CASE):
            entry[name] = _value(name, text)
    if not entry["description"]:
        entry["description"] = _description(given)
    if kind == TaskKind.PROVISIONING:
        entry["business_case"] = {name: given[name] for name in CASE if given[name]}
    return entry


def faults_of(entry: Mapping[str, object], project: KnownProject) -> dict[str, FieldFaultError]:
    """Give the first fault of each field, in the words of the queue file's reader."""
    found: dict[str, FieldFaultError] = {}
    for fault in TaskReader(project.name, project.environments).faults(entry):
        found.setdefault(fault.field, fault)
    return found


def candidates(
    field: str, values: Mapping[str, str], known: Known, tasks: Iterable[TaskView]
) -> tuple[str, ...]:
    """Give what could stand in a line: releases for a rollback, tags for a version, tasks to wait for."""
    project = known.projects.get(values.get("project", ""))
    environment = values.get("environment", "")
    found: Iterable[str] = ()
    if field == "project":
        found = known.projects
    elif field == "agent_type":
        found = KINDS
    elif field == "action":
        found = [action.value for action in MigrationAction]
    elif field in {"run_migrations", "requires_approval"}:
        found = ("no", "yes")
    elif project is not None and field == "environment":
        found = project.in_order()
    elif project is not None and field == "version":
        found = _versions(values.get("agent_type", ""), environment, project)
    elif project is not None and field == "depends_on":
        own = [task.task for task in tasks if task.project == project.name]
        found = [*reversed(own), *(task.key for task in tasks if task.project != project.name)]
    return tuple(text for text in found if text == safe(text))


def next_id(given: Mapping[str, str], project: KnownProject | None) -> str:
    """Give the next free id of a kind in an environment."""
    kind = given.get("agent_type", "")
    action = given.get("action", "")
    if project is None:
        return ""
    verb = _VERBS.get(action if kind == "migration" and action in _VERBS else kind, "TASK")
    return new_ids(verb, project, [given.get("environment") or "aws"])[0]


def _versions(kind: str, environment: str, project: KnownProject) -> Iterable[str]:
    if kind != TaskKind.ROLLBACK:
        return project.versions or ()
    serving = project.serving.get(environment)
    present = serving.version if serving else None
    return [version for version in project.served.get(environment, ()) if version != present]


def _value(name: str, text: str) -> object:
    if name == "run_migrations":
        return _WORDS.get(text.lower(), text)
    if name == "depends_on":
        return [part.strip() for part in text.split(",") if part.strip()]
    if name == "requires_approval":
        word = _WORDS.get(text.lower())
        return [part.strip() for part in text.split(",") if part.strip()] if word is None else word
    if name == "resource" and text.startswith("{"):
        try:
            return json.loads(text)
        except ValueError:
            return text  # shown as the text that it is
    return text


def _description(given: Mapping[str, str]) -> str:
    """Say what the task does, as a sentence's own tasks say it."""
    version, environment = given.get("version", "").removeprefix("v"), given.get("environment", "")
    kind = given.get("agent_type", "")
    if kind == TaskKind.DEPLOYMENT:
        return f"Deploy v{version} to {environment}"
    if kind == TaskKind.ROLLBACK:
        return f"Roll {environment} back to {f'v{version}' if version else 'the previous release'}"
    if kind == TaskKind.PROVISIONING:
        return f"Provision {given.get('resource', '')[:200]}"
    verb = {"validate": "Validate the migrations", "downgrade": "Take the newest migration back"}
    return f"{verb.get(given.get('action', ''), 'Run database migrations')} in {environment}"


_WORDS = {"yes": True, "true": True, "no": False, "false": False}
_VERBS = {
    "deployment": "DEPLOY",
    "migration": "MIGRATE",
    "validate": "VALIDATE",
    "downgrade": "DOWNGRADE",
    "rollback": "ROLLBACK",
    "provisioning": "PROVISION",
}
