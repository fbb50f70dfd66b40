"""Turns what the readers saw into findings: each rule asked, each exemption applied."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import lru_cache

from guardrails.environments import GateKind
from guardrails.exemptions import Exemption, Marks, read_marks
from guardrails.findings import Direction, Finding, Severity, Verdict
from guardrails.migrations.model import MigrationFile
from guardrails.operations import Comment, Operation, Place, Trait, Verb
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
    today: date | None = None,
) -> list[Finding]:
    """Give the findings of one file for one gate, in the order of the source.

    *today* decides which exemptions have expired; None: the day it is (UTC).
    """
    marks = _Applied(read_marks(comments, list(rules_by_name())), today or datetime.now(tz=UTC).date())
    found: dict[Finding, None] = {}
    for operation in operations:
        if operation.has(Trait.GONE_ANYWAY):
            continue
        for rule in _rules_hit(_decisive(operation)):
            found[_of_operation(rule, operation, path, gate, marks)] = None
    if migration is not None:
        for finding in _of_migration(migration, path, gate, marks, downgrade_required=downgrade_required):
            found[finding] = None
    for rule_name, line, note in marks.faults():
        found[plain_finding(rule_name, path, gate, line=line, note=note)] = None
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


class _Applied:
    """The marks of a file on one day, and which of them were about something."""

    def __init__(self, marks: Marks, today: date) -> None:
        self.marks = marks
        self.today = today
        self.used: set[Exemption] = set()

    def exempted(self, rule: Rule, place: Place, verdict: Verdict) -> tuple[Verdict, str | None]:
        """Give the verdict that the marks leave, and the reason where one exempts."""
        outcome: tuple[Verdict, str | None] = verdict, None
        for mark in self.marks.complete:
            if mark.covers(rule.name, place):
                self.used.add(mark)
                if not mark.expired(self.today):
                    outcome = Verdict.EXEMPT, outcome[1] or mark.reason
        return outcome

    def faults(self) -> Iterator[tuple[str, int, str]]:
        """Give what is wrong with marks, under the name of the rule for it: (rule, line, note)."""
        for comment, fault in self.marks.faulty:
            yield "bad-exemption", comment.line, fault
        for mark in self.marks.complete:
            if mark not in self.used:
                yield "unused-exemption", mark.line, mark.rule
            elif mark.expired(self.today):
                yield "expired-exemption", mark.line, f"{mark.rule}, until {mark.until}"


def _decisive(operation: Operation) -> Operation:
    """Give of an operation what rules decide by: neither its place nor its text."""
    names = operation.names if operation.verb is Verb.RENAME else ()
    return replace(operation, place=_NOWHERE, text="", note="", names=names, tables=())


_NOWHERE = Place(1)


@lru_cache(maxsize=1024)
def _rules_hit(operation: Operation) -> tuple[Rule, ...]:
    return tuple(rule for rule in all_rules() if rule.operation is not None and rule.operation(operation))


def _of_operation(rule: Rule, operation: Operation, path: str, gate: GateKind, marks: _Applied) -> Finding:
    verdict, reason = marks.exempted(rule, operation.place, rule.verdict(gate, operation.direction))
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
        digest=_digest(operation.text),
    )


def _of_migration(
    migration: MigrationFile, path: str, gate: GateKind, marks: _Applied, *, downgrade_required: bool
) -> Iterable[Finding]:
    for rule in all_rules():
        if rule.migration is None or not rule.migration(migration):
            continue
        about_downgrade = rule.name in {"missing-downgrade", "irreversible-downgrade"}
        line = migration.downgrade_line if rule.name == "irreversible-downgrade" else migration.upgrade_line
        if rule.name in {"missing-upgrade", "missing-description"}:
            line = 1
        verdict, reason = marks.exempted(rule, Place(line), rule.verdict(gate))
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


def _digest(text: str) -> str:
    """Name a statement that a report shows only the beginning of, whatever its white space."""
    if len(text) <= _LONGEST:
        return ""
    return hashlib.sha256(" ".join(text.split()).encode("utf-8", "backslashreplace")).hexdigest()[:16]


def shorten(text: str) -> str:
    """Give a statement on one line, without its semicolon, and not longer than a report can bear."""
    line = re.sub(r"\s+", " ", text[: 4 * _LONGEST]).strip().rstrip(";").rstrip()
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
