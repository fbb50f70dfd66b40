"""The findings of a report as the screens show them: read with care, the worst first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from guardrails.findings import FileReport, Severity
from opconsole.journal.records import JsonMap

_RANK = {severity.value: place for place, severity in enumerate(Severity)}


@dataclass(frozen=True, slots=True)
class ShownFinding:
    """One finding of a report, as far as it could be read."""

    severity: str
    verdict: str
    path: str
    line: int
    rule: str
    direction: str
    statement: str
    message: str
    fix: str
    reason: str


def findings_of(report: JsonMap | None) -> list[ShownFinding]:
    """Read a report as ``check --format json`` prints it; what has another shape is left out."""
    found = []
    for file in _maps((report or {}).get("files")):
        for one in _maps(file.get("findings")):
            line = one.get("line")
            words = [
                _text(one, name) for name in ("rule", "direction", "statement", "message", "fix", "reason")
            ]
            number = line if isinstance(line, int) else 0
            found.append(
                ShownFinding(
                    _text(one, "severity"), _text(one, "verdict"), _text(file, "path"), number, *words
                )
            )
    return found


def of_file(report: FileReport) -> list[ShownFinding]:
    """Give the findings of a file that was just checked."""
    return worst_first(findings_of({"files": [report.to_json()]}))


def worst_first(found: Sequence[ShownFinding]) -> list[ShownFinding]:
    """Order findings by severity, then what blocks, then by file and line."""
    return sorted(
        found, key=lambda one: (rank(one.severity), one.verdict != "block", one.path, one.line, one.rule)
    )


def rank(severity: str) -> int:
    """Give the place of a severity; of an unknown one the last."""
    return _RANK.get(severity, len(_RANK))


def _text(of: JsonMap, name: str) -> str:
    value = of.get(name)
    return value if isinstance(value, str) else ""


def _maps(value: object) -> list[JsonMap]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, (list, tuple)) else []
