"""The reports for people: the guide's two, character for character, and the text of ``check``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from guardrails.findings import BASELINE, Finding, Report, Severity, Verdict
from guardrails.rules import rules_by_name
from guardrails.sanitise import sanitise

if TYPE_CHECKING:
    from guardrails.check import MigrationReport, RequiredElements

RULER = "=" * 60
_MARKS = {
    Severity.CRITICAL: "🔴 CRITICAL",
    Severity.HIGH: "🟠 HIGH",
    Severity.MEDIUM: "🟡 MEDIUM",
    Severity.LOW: "🔵 LOW",
}
_ABOUT_MIGRATIONS = ("missing-upgrade", "missing-downgrade", "irreversible-downgrade")


def violations_report(findings: Iterable[Finding]) -> str:
    """Give the guide's *Deployment Blocked* report of the findings that block, the worst first."""
    blocking = [finding for finding in findings if finding.verdict is Verdict.BLOCK]
    lines = ["🚫 DEPLOYMENT SAFETY VIOLATIONS DETECTED", RULER]
    for severity, mark in _MARKS.items():
        of_severity = [finding for finding in blocking if finding.severity is severity]
        if of_severity:
            lines.append(f"{mark} ({len(of_severity)}):")
        for finding in of_severity:
            lines += _violation(finding)
    lines += [RULER, "ACTION REQUIRED: Fix violations before deployment"]
    return "\n".join(lines)


def migration_report(elements: RequiredElements, errors: Sequence[str]) -> str:
    """Give the guide's *Migration Not Reversible* report."""
    lines = [
        "🚫 MIGRATION VALIDATION FAILED",
        RULER,
        "Required Elements:",
        f"  upgrade():     {_tick(elements.upgrade)}",
        f"  downgrade():   {_tick(elements.downgrade)}",
        f"  reversible:    {_tick(elements.reversible)}",
        "",
        f"❌ Errors ({len(errors)}):",
        *(f"  - {one_line(error)}" for error in errors),
        RULER,
        "🚫 Migration BLOCKED - fix errors before deployment",
    ]
    return "\n".join(lines)


def migration_failure(result: MigrationReport) -> str | None:
    """Give the report of migrations that lack a required element; None where none blocks.

    One file's errors stand as the guide has them; with several files each names its own.
    """
    wrong = [f for f in result.report.findings if f.rule in _ABOUT_MIGRATIONS and f.verdict is Verdict.BLOCK]
    if not wrong:
        return None
    several = len(result.report.files) > 1
    return migration_report(
        result.elements, [f"{f.path}: {f.message}" if several else f.message for f in wrong]
    )


def check_report(report: Report) -> str:
    """Give the text of ``check``: what blocks, as the guide prints it, and the fixes; the rest; the sum."""
    blocks = []
    if any(finding.verdict is Verdict.BLOCK for finding in report.findings):
        blocks += [violations_report(report.findings), _fixes(report.findings)]
    old = [finding for finding in report.findings if _is_old(finding)]
    said = [f for f in report.findings if f.verdict is not Verdict.BLOCK and not _is_old(f)]
    if said:
        blocks.append("\n".join(_remark(finding) for finding in said))
    notes = [f"note: {one_line(note)}" for note in report.notes]
    if old:
        count, files = _counted(len(old), "finding"), _counted(len({f.path for f in old}), "file")
        notes.insert(0, f"note: {count} of the baseline in {files} (--format json lists them)")
    if notes:
        blocks.append("\n".join(notes))
    statements = sum(file.coverage.statements for file in report.files)
    analysed = sum(file.coverage.analysed for file in report.files)
    blocks.append(
        f"{report.verdict.value.upper()} for {report.environment}: {_counted(len(report.files), 'file')}, "
        f"{analysed} of {_counted(statements, 'statement')} analysed, "
        f"{_counted(len(report.findings), 'finding')}"
    )
    return "\n\n".join(blocks)


def one_line(text: str) -> str:
    """Give text from outside so that it can neither break a line nor command a terminal."""
    return sanitise(text, single_line=True)


def _fixes(findings: Iterable[Finding]) -> str:
    fixes = {finding.rule: finding.fix for finding in findings if finding.verdict is Verdict.BLOCK}
    lines = ["The safe way (more: opconsole check --explain RULE):"]
    return "\n".join([*lines, *(f"  {rule}: {one_line(fix)}" for rule, fix in sorted(fixes.items()))])


def _is_old(finding: Finding) -> bool:
    return finding.verdict is Verdict.EXEMPT and finding.reason == BASELINE


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _violation(finding: Finding) -> list[str]:
    rule = rules_by_name().get(finding.rule)
    lines = [
        f"  {one_line(finding.path)}:{finding.line}",
        f"    Pattern: {rule.pattern if rule else finding.rule}",
        f"    Reason: {one_line(finding.message)}",
    ]
    code = finding.code or finding.statement
    return [*lines, f"    Code: {one_line(code)}"] if code else lines


def _remark(finding: Finding) -> str:
    mark = "exempt" if finding.verdict is Verdict.EXEMPT else "warning"
    where = f"{one_line(finding.path)}:{finding.line}:{finding.column}"
    back = " in downgrade()" if finding.direction == "downgrade" else ""
    text = f"{where}: {mark}: {finding.rule} ({finding.severity.value}{back}): {one_line(finding.message)}"
    if finding.reason:
        text += f" [exempt: {one_line(finding.reason)}]"
    return f"{text}\n    {one_line(finding.statement)}" if finding.statement else text


def _tick(met: bool) -> str:
    return "✅" if met else "❌"
