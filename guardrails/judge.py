"""Turns what the readers saw into findings: each rule asked, each exemption applied."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from guardrails.environments import GateKind
from guardrails.exemptions import Marks, read_marks
from guardrails.findings import Direction, Finding, Severity, Verdict
from guardrails.migrations.model import MigrationFile
from guardrails.operations import Comment, Operation, Place, Verb
from guardrails.rules import Rule, all_rules, rule_named, rules_by_name

_LONGEST = 200


def judge(
    operations: Iterable[Operation],
    comments: Sequence[Comment],
    path: str,
    gate: GateKind,
    migration: MigrationFile | None = None,
    *,
    downgrade_required: bool = True,
) -> list[Finding]:
    """Give the findings of one file for one gate, in the order of the source."""
    marks = read_marks(comments, list(rules_by_name()))
    found: dict[Finding, None] = {}
    for operation in operations:
        for rule in all_rules():
            if rule.operation is not None and rule.operation(operation):
                found[_of_operation(rule, operation, path, gate, marks)] = None
    if migration is not None:
        for finding in _of_migration(migration, path, gate, marks, downgrade_required=downgrade_required):
            found[finding] = None
    for comment, fault in marks.faulty:
        finding = plain_finding("bad-exemption", path, gate, line=comment.line, note=fault)
        found[finding] = None
    return sorted(found, key=lambda finding: (finding.line, finding.column, finding.rule))


def plain_finding(rule: str, path: str, gate: GateKind, *, line: int = 1, note: str = "") -> Finding:
    """Give a finding of a rule about a whole file, with a note of what is wrong with it."""
    hit = rule_named(rule)
    return Finding(
        rule=hit.name,
        severity=hit.severity,
        verdict=hit.verdict(gate),
        path=path,
        line=line,
        column=1,
        message=f"{hit.message}: {note}" if note else hit.message,
        fix=hit.fix,
    )


def forward(migration: MigrationFile) -> list[Operation]:
    """Give a migration's operations, less a downgrade's dropping what its own upgrade created."""
    made = {
        (operation.thing, name)
        for operation in migration.operations
        if operation.verb is Verb.CREATE and operation.direction is Direction.UPGRADE
        for name in operation.names
    }
    return [
        operation
        for operation in migration.operations
        if not (
            operation.direction is Direction.DOWNGRADE
            and operation.verb is Verb.DROP
            and operation.names
            and all((operation.thing, name) in made for name in operation.names)
        )
    ]


def _of_operation(rule: Rule, operation: Operation, path: str, gate: GateKind, marks: Marks) -> Finding:
    verdict, reason = _exempted(rule, operation.place, rule.verdict(gate, operation.direction), marks)
    statement = shorten(operation.text)
    return Finding(
        rule=rule.name,
        severity=rule.severity,
        verdict=verdict,
        path=path,
        line=operation.place.line,
        column=operation.place.column,
        message=f"{rule.message}: {operation.note}" if operation.note else rule.message,
        fix=rule.fix,
        statement=statement,
        direction=operation.direction,
        reason=reason,
        code=f"{statement};" if operation.sql else statement,
    )


def _of_migration(
    migration: MigrationFile, path: str, gate: GateKind, marks: Marks, *, downgrade_required: bool
) -> Iterable[Finding]:
    for rule in all_rules():
        if rule.migration is None or not rule.migration(migration):
            continue
        about_downgrade = rule.name in {"missing-downgrade", "irreversible-downgrade"}
        line = migration.downgrade_line if rule.name == "irreversible-downgrade" else migration.upgrade_line
        if rule.name in {"missing-upgrade", "missing-description"}:
            line = 1
        verdict, reason = _exempted(rule, Place(line), rule.verdict(gate), marks)
        waived = about_downgrade and not downgrade_required
        yield Finding(
            rule=rule.name,
            severity=Severity.LOW if waived else rule.severity,
            verdict=Verdict.WARN if waived and verdict is Verdict.BLOCK else verdict,
            path=path,
            line=line,
            column=1,
            message=f"{_WAIVED[rule.name]} (the project's setting does not require it)"
            if waived
            else rule.message,
            fix=rule.fix,
            direction=Direction.DOWNGRADE if about_downgrade else None,
            reason=reason,
        )


_WAIVED = {
    "missing-downgrade": "Missing downgrade() function",
    "irreversible-downgrade": "downgrade() reverses nothing",
}


def _exempted(rule: Rule, place: Place, verdict: Verdict, marks: Marks) -> tuple[Verdict, str | None]:
    for mark in marks.complete:
        if mark.covers(rule.name, place):
            return Verdict.EXEMPT, mark.reason
    return verdict, None


def shorten(text: str) -> str:
    """Give a statement on one line, without its semicolon, and not longer than a report can bear."""
    line = re.sub(r"\s+", " ", text[: 4 * _LONGEST]).strip().rstrip(";").rstrip()
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
