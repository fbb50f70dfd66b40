"""Writes a report as SARIF 2.1.0, the form that code scanning services read."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from guardrails.baseline import fingerprints
from guardrails.findings import BASELINE, Finding, Report, Severity, Verdict
from guardrails.places import relative_name
from guardrails.rules import Rule, rules_by_name

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_SCORES = {Severity.CRITICAL: "9.5", Severity.HIGH: "7.5", Severity.MEDIUM: "5.0", Severity.LOW: "2.0"}
"""What GitHub sorts results by; its own bounds lie at 9, 7 and 4."""


def sarif_report(report: Report, *, version: str, base: Path | None = None) -> dict[str, object]:
    """Give the report as a SARIF log. Paths are relative to *base* (default: the working folder)."""
    folder = base if base is not None else Path.cwd()
    used = sorted({finding.rule for finding in report.findings})
    known = rules_by_name()
    prints = fingerprints(report.findings, folder)
    run: dict[str, object] = {
        "tool": {
            "driver": {
                "name": "opconsole check",
                "version": version,
                "rules": [_rule(name, known.get(name)) for name in used],
            }
        },
        "columnKind": "unicodeCodePoints",
        "invocations": [
            {
                "executionSuccessful": True,
                "toolExecutionNotifications": [
                    {"level": "note", "message": {"text": note}} for note in report.notes
                ],
            }
        ],
        "properties": {"environment": report.environment, "verdict": report.verdict.value},
        "results": [
            _result(finding, used.index(finding.rule), name, folder)
            for finding, name in zip(report.findings, prints, strict=True)
        ],
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(name: str, rule: Rule | None) -> dict[str, object]:
    if rule is None:
        return {"id": name}
    return {
        "id": name,
        "shortDescription": {"text": rule.pattern},
        "fullDescription": {"text": rule.message},
        "help": {"text": f"{rule.fix}\n\nMore: opconsole check --explain {name}"},
        "defaultConfiguration": {"level": _level(rule.severity)},
        "properties": {"security-severity": _SCORES[rule.severity], "tags": list(_tags(rule))},
    }


def _tags(rule: Rule) -> Iterable[str]:
    yield "migrations"
    yield rule.severity.value


def _result(finding: Finding, index: int, fingerprint: str, folder: Path) -> dict[str, object]:
    region: dict[str, object] = {
        "startLine": max(1, finding.line),
        "startColumn": max(1, finding.column),
    }
    if finding.statement:
        region["snippet"] = {"text": finding.statement}
    result: dict[str, object] = {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": "error" if finding.verdict is Verdict.BLOCK else _level(finding.severity, mild=True),
        "message": {"text": f"{finding.message}. {finding.fix}"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": _uri(finding.path, folder)},
                    "region": region,
                }
            }
        ],
        "partialFingerprints": {"opconsole/v1": fingerprint},
        "properties": {
            "severity": finding.severity.value,
            "verdict": finding.verdict.value,
            "direction": finding.direction.value if finding.direction else None,
            "layer": finding.layer.value,
        },
    }
    if finding.verdict is Verdict.EXEMPT:
        kind = "external" if finding.reason == BASELINE else "inSource"
        result["suppressions"] = [{"kind": kind, "justification": finding.reason or ""}]
    return result


def _level(severity: Severity, *, mild: bool = False) -> str:
    if severity is Severity.LOW:
        return "note"
    return "error" if severity is Severity.CRITICAL and not mild else "warning"


def _uri(path: str, folder: Path) -> str:
    name = relative_name(path, folder)
    return f"file://{quote(name)}" if name.startswith("/") else quote(name)
