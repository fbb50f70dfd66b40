"""Reads a sealed plan for the dialogs: the facts a person decides on, whatever else the document holds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from guardrails.gates import Action
from opconsole.journal.records import JsonMap, Run

_MACHINE = re.compile("(@[0-9a-f]{8})[0-9a-f]{24}$")
"""A machine's id behind a target; people tell machines apart by its beginning, as commits."""


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step that the plan names."""

    name: str
    program: str
    """The program with its arguments; empty where opconsole does it by itself."""


@dataclass(frozen=True, slots=True)
class PlannedMigration:
    """A migration file on the way."""

    revision: str
    path: str
    description: str
    reversible: bool


@dataclass(frozen=True, slots=True)
class PlannedFinding:
    """What the guardrails said, as the plan records it."""

    path: str
    line: str
    rule: str
    verdict: str
    reason: str


@dataclass(frozen=True, slots=True)
class PlanFacts:
    """What a plan says that a person has to know."""

    action: str
    project: str
    environment: str
    version_from: str
    version_to: str
    gate: str
    commit: str
    artifact: str
    target: str
    """What it is; a machine's id is cut, as the commit is where it is shown."""
    probed: bool
    """The target was asked what it runs; else nothing is known of it."""
    sandbox: str
    """What kept tests and builds from doing harm."""
    steps: tuple[PlannedStep, ...]
    migrations: tuple[PlannedMigration, ...]
    migrations_path: str | None
    database: str
    revision_from: str
    revision_to: str
    findings: tuple[PlannedFinding, ...]


def plan_facts(plan: JsonMap) -> PlanFacts:
    """Read a plan. What is missing or of another shape is left empty, never guessed."""
    version, migrations, target = _map(plan, "version"), _map(plan, "migrations"), _map(plan, "target")
    files, way = _maps(migrations, "files"), ("from", "to")
    if plan.get("action") == Action.ROLLBACK:  # the plan tells the way of the files: it is gone backwards
        files, way = files[::-1], ("to", "from")
    return PlanFacts(
        action=_text(plan, "action"),
        project=_text(plan, "project"),
        environment=_text(plan, "environment"),
        version_from=_text(version, "from"),
        version_to=_text(version, "to"),
        gate=_text(_map(plan, "policy"), "gate"),
        commit=_text(plan, "commit"),
        artifact=_text(plan, "artifact"),
        target=_MACHINE.sub(r"\1…", _text(target, "identity")) or _text(target, "note"),
        probed=target.get("probed") is not False,
        sandbox=_text(_map(_map(plan, "preflight"), "sandbox"), "is"),
        steps=tuple(
            PlannedStep(_text(step, "name"), " ".join(str(word) for word in _list(step, "argv")))
            for step in _maps(plan, "steps")
        ),
        migrations=tuple(
            PlannedMigration(
                _text(file, "revision"),
                _text(file, "path"),
                _text(file, "description"),
                file.get("reversible") is True,
            )
            for file in files
        ),
        migrations_path=_text(migrations, "path") or None,
        database=_text(migrations, "database"),
        revision_from=_text(migrations, way[0]),
        revision_to=_text(migrations, way[1]),
        findings=tuple(
            PlannedFinding(*(_text(finding, name) for name in ("path", "line", "rule", "verdict", "reason")))
            for finding in _maps(plan, "findings")
        ),
    )


def version_before(facts: PlanFacts, run: Run) -> str:
    """Say which version an environment has before a plan, or that it has none, or that nobody knows."""
    return facts.version_from or run.previous_version or ("nothing" if facts.probed else "not known")


def changed_steps(before: PlanFacts, now: PlanFacts) -> list[tuple[str, str]]:
    """Say how the steps differ from those of an earlier plan: a sign and a sentence for each that does.

    A program's arguments that only name another version, release or revision are no difference.
    """
    old = {step.name: _without_names(step.program, before) for step in before.steps}
    new = {step.name: _without_names(step.program, now) for step in now.steps}
    said = [("+", f"{name} is new: {new[name]}".removesuffix(": ")) for name in new if name not in old]
    said += [("–", f"{name} is not there any more") for name in old if name not in new]
    said += [
        ("~", f"{name}: {new[name]} (was: {old[name] or 'no program'})")
        for name in new
        if name in old and new[name] != old[name]
    ]
    if not said and list(old) != list(new):
        said.append(("~", f"another order: {', '.join(new)} (was: {', '.join(old)})"))
    return said


def _without_names(program: str, facts: PlanFacts) -> str:
    for name, stands_for in ((facts.version_to, "VERSION"), (facts.revision_to, "REVISION")):
        program = program.replace(name, stands_for) if len(name) > 1 else program
    return program


def _text(of: JsonMap, name: str) -> str:
    value = of.get(name)
    return "" if value is None or isinstance(value, (Mapping, list)) else str(value)


def _list(of: JsonMap, name: str) -> list[object]:
    value = of.get(name)
    return list(value) if isinstance(value, (list, tuple)) else []


def _map(of: JsonMap, name: str) -> JsonMap:
    value = of.get(name)
    return value if isinstance(value, Mapping) else {}


def _maps(of: JsonMap, name: str) -> list[JsonMap]:
    return [item for item in _list(of, name) if isinstance(item, Mapping)]
